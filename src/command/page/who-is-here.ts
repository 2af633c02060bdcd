// Runs in the page for trying, and shows who is in a room. Names come from anybody, so they are shown as text only.
import type { PresenceEntry } from "../../client/index.ts"
import type { RollcallInspector } from "../../inspector/index.ts"

/** The script-tag build, which the page loads before this file. */
declare const Rollcall: Pick<typeof import("../../client/index.ts"), "connect">

interface Guest {
  readonly name: string
}

const element = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E

const topic = new URLSearchParams(location.search).get("room") || "rooms:lobby"
const name = `Guest ${Math.ceil(Math.random() * 99)}`
const connection = Rollcall.connect("/socket")
const room = connection.room<Guest>(topic, { me: { name } })
/** The inspector is loaded when it is asked for. The compiler does not know this path, which only the command's page has. */
const inspectorModule: string = "/modules/inspector/index.js"
let inspector: RollcallInspector | undefined

function itemOf(key: string, { metas }: PresenceEntry<Guest>): HTMLLIElement {
  const item = document.createElement("li")
  const isOwn = room.self?.key === key
  // A client of another kind may have set no name, or something else.
  const name: unknown = metas[0]?.name
  const shown = typeof name === "string" && name !== "" ? name : key
  item.textContent = isOwn ? `${shown} (you)` : shown
  item.classList.toggle("self", isOwn)
  return item
}

function show(): void {
  const { status, reason } = room
  element("status").textContent = reason === undefined ? status : `${status}: ${reason.code}`
  element("users").replaceChildren(...room.list(itemOf))
}

element("room").textContent = topic
element("form").addEventListener("submit", (event) => {
  event.preventDefault()
  const name = element<HTMLInputElement>("name").value.trim()
  if (name !== "") void room.update({ name })
})
async function openInspector(): Promise<void> {
  const { inspect } = (await import(inspectorModule)) as typeof import("../../inspector/index.ts")
  inspector ??= inspect(connection)
  inspector.open = true
}
element("inspect").addEventListener("click", () => void openInspector())
room.subscribe(show)
show()

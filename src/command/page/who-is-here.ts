// Runs in the page for trying, and shows who is in a room. Names come from anybody, so they are shown as text only.
import type { PresenceEntry } from "../../client/index.ts"

/** The script-tag build, which the page loads before this file. */
declare const Rollcall: Pick<typeof import("../../client/index.ts"), "connect">

interface Guest {
  readonly name: string
}

const element = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E

const topic = new URLSearchParams(location.search).get("room") || "rooms:lobby"
const name = `Guest ${Math.ceil(Math.random() * 99)}`
const room = Rollcall.connect("/socket").room<Guest>(topic, { me: { name } })

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
room.subscribe(show)
show()

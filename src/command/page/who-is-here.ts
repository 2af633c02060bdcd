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
const FIELD = "rollcall-name"

/** Returns the name that this tab had before it was loaded again. A browser that stores nothing makes a new one. */
function lastName(): string | undefined {
  try {
    return sessionStorage.getItem(FIELD) ?? undefined
  } catch {
    return undefined
  }
}

function rememberName(name: string): void {
  try {
    sessionStorage.setItem(FIELD, name)
  } catch {
    // It is known until the page is loaded again.
  }
}

const name = lastName() ?? `Guest ${Math.ceil(Math.random() * 99)}`
const connection = Rollcall.connect("/socket")
const room = connection.room<Guest>(topic, { me: { name } })
/** The inspector is loaded when it is asked for. The compiler does not know this path, which only the command's page has. */
const inspectorModule: string = "/modules/inspector/index.js"
let inspector: RollcallInspector | undefined

/** Something to see: a name of blanks, or of marks without a width, would be an empty item. */
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u
/** A page is not for thousands: the others are counted. */
const MAX_SHOWN = 200

/** The first letter may consist of several characters. */
const initialOf = (name: string): string => String.fromCodePoint(name.codePointAt(0) ?? 63).toUpperCase()

/** Returns the hue of a user, the same on every page. */
const hueOf = (key: string): number => Array.from(key).reduce((hue, char) => (hue * 31 + char.charCodeAt(0)) % 360, 7)

/** The items that are shown: one that stays is not built again, so that it does not appear anew. */
let items = new Map<string, HTMLLIElement>()

function itemOf(key: string, { metas }: PresenceEntry<Guest>): HTMLLIElement {
  const isOwn = room.self?.key === key
  // A client of another kind may have set no name, or something else.
  const name: unknown = metas[0]?.name
  const shown = typeof name === "string" && VISIBLE.test(name) ? name.slice(0, 80) : key
  const text = isOwn ? `${shown} (you)` : shown
  const before = items.get(key)
  if (before?.title === text) return before
  const item = before ?? document.createElement("li")
  item.title = text
  item.classList.toggle("self", isOwn)
  const avatar = document.createElement("span")
  avatar.className = "avatar"
  avatar.ariaHidden = "true"
  avatar.style.setProperty("--hue", String(hueOf(key)))
  avatar.dataset["initial"] = initialOf(shown)
  const label = document.createElement("bdi")
  label.textContent = text
  item.replaceChildren(avatar, label)
  return item
}

function show(): void {
  const { status, reason, size } = room
  const text = reason === undefined ? status : `${status}: ${reason.code}`
  // A text that is set again would be read aloud again.
  if (element("status").textContent !== text) element("status").textContent = text
  element("dot").dataset["is"] = status
  element("alone").hidden = status !== "live" || size !== 1
  if (status !== "joining") element("count").textContent = size === 1 ? "1 person is here" : `${size} people are here`
  // Oneself first, also in a room of which not all are shown.
  const users = room.self === undefined ? room.others() : [room.self, ...room.others()]
  items = new Map(users.slice(0, MAX_SHOWN).map((user) => [user.key, itemOf(user.key, user)]))
  const list = element("users")
  const wanted = [...items.values()]
  if (size > MAX_SHOWN) {
    const more = document.createElement("li")
    more.textContent = `+${size - MAX_SHOWN}`
    wanted.push(more)
  }
  for (const child of Array.from(list.children)) if (!wanted.includes(child as HTMLLIElement)) child.remove()
  // One that is in its place is not taken out and put in again: it would appear anew.
  for (const [index, item] of wanted.entries()) {
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null)
  }
}

element("room").textContent = topic
element("socket").textContent = `${location.origin.replace("http", "ws")}/socket`
element<HTMLInputElement>("name").value = name
element("form").addEventListener("submit", (event) => {
  event.preventDefault()
  const name = element<HTMLInputElement>("name").value.trim()
  if (!VISIBLE.test(name)) return
  rememberName(name)
  room.update({ name }).catch((error: Error) => (element("status").textContent = `not renamed: ${error.message}`))
})
async function openInspector(): Promise<void> {
  const { inspect } = (await import(inspectorModule)) as typeof import("../../inspector/index.ts")
  inspector ??= inspect(connection)
  inspector.open = true
}
element("inspect").addEventListener("click", () => void openInspector())
room.subscribe(show)
show()

import type { Change, connect, Connection, Entry, merged, Room } from "rollcall"
import type { RollcallInspector } from "rollcall/inspector"
import { showCursors } from "./cursors.js"
import { element, find } from "./element.js"

/** The fields that the demo's server tracks for each device. */
interface Device {
  status: string
  /** Whether the page is hidden on this device. A person is away only if all of their devices are. */
  away: boolean
  since: number
}

/** What the page needs of Rollcall: one page gets it from a script tag, the other from a module. */
interface Library {
  connect: typeof connect
  merged: typeof merged
}

const STATUSES = ["available", "away", "busy"]
const DISCONNECTED_MS = 6_000
const FEED_LENGTH = 100
/** How many avatars the stack shows before it counts the others. */
const STACK_LENGTH = 7

const statusTexts: Record<Room["status"], string> = {
  joining: "Joining…",
  live: "Live",
  stale: "Offline, reconnecting…",
  closed: "Closed",
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" })
const letters = "Segmenter" in Intl ? new Intl.Segmenter() : undefined
const clockWithSeconds = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" })

let library: Library

/** Where the demo's server has the module `rollcall/inspector`, which is loaded only when it is asked for. */
const INSPECTOR_URL = "/inspector/index.js"

/** Shows the form for a name, then the room. */
export function open(given: Library): void {
  library = given
  const name = find<HTMLInputElement>("name")
  name.value = localStorage.getItem("name") ?? ""
  for (const link of document.querySelectorAll<HTMLAnchorElement>("#sign-in a")) link.search = location.search
  find("sign-in").addEventListener("submit", (event) => {
    event.preventDefault()
    const me = name.value.trim()
    if (me === "") {
      // A name of blanks counts as empty. The browser shows its own message for an empty field.
      name.value = ""
      name.reportValidity()
      return
    }
    localStorage.setItem("name", me)
    find("sign-in").hidden = true
    find("room").hidden = false
    enter(me)
  })
}

function enter(me: string): void {
  const topic = `rooms:${new URLSearchParams(location.search).get("room") ?? "lobby"}`
  const connection = library.connect("/socket", { params: { userId: me } })
  // With `me`, each join brings what was updated until then: others do not see the default first.
  const room = connection.room<Device>(topic, { me: { away: document.hidden } }, { key: me })
  document.addEventListener("visibilitychange", () => void room.update({ away: document.hidden }))

  find("topic").textContent = topic
  const checkMine = showChoices(room)
  showDisconnect(connection)
  showInspect(connection)
  showLink()
  showCursors(room, find("room"), me, hueOf)
  let before = room.status
  const logStatus = (): void => {
    if (room.status !== before && room.status === "stale") logEvent("", "Connection lost")
    if (room.status !== before && before === "stale" && room.status === "live")
      logEvent("", "Reconnected, and up to date")
    before = room.status
  }
  room.subscribe(() => {
    logStatus()
    show(room, me)
    checkMine()
  })
  room.onChange((changes, cause) => {
    // The status is logged first, so that changes from the time offline are listed after the reconnect.
    logStatus()
    for (const change of changes) {
      const text = cause === "initial" && change.key !== me ? "was here before you" : describe(change)
      if (text !== undefined) logEvent(change.key, text)
    }
  })
  find("inside").addEventListener("toggle", () => show(room, me))
  show(room, me)
  find("count").focus()
}

function show(room: Room<Device>, me: string): void {
  const { status, size, users } = room.getSnapshot()
  if (status !== "joining") {
    const [is, are] = status === "live" ? ["is", "are"] : ["was", "were"]
    find("count").textContent = size === 1 ? `1 person ${is} here` : `${size} people ${are} here`
    document.title = `${size} · Rollcall`
  }
  find("alone").hidden = status !== "live" || size !== 1
  // Without a connection from the start, the room would seem to be joining for ever.
  const isDown = status === "joining" && room.isLost
  find("state").textContent = isDown ? "The server does not answer, trying again…" : statusTexts[status]
  find("dot").dataset["is"] = status
  showStack(room)
  find("room").classList.toggle("stale", status === "stale")
  find("people").replaceChildren(...users.map((user) => rowOf(user, me)))
  if (find<HTMLDetailsElement>("inside").open) {
    find("map").textContent = JSON.stringify(Object.fromEntries(users.map(({ key, ...rest }) => [key, rest])), null, 2)
  }
}

/** Shows the first few avatars, our own before all others, and how many more people there are. */
function showStack(room: Room<Device>): void {
  const users = room.self === undefined ? room.others() : [room.self, ...room.others()]
  const shown = users.slice(0, STACK_LENGTH).map(({ key }) => avatarOf(key))
  const more = users.length - shown.length
  find("stack").replaceChildren(...shown, ...(more > 0 ? [element("span", "avatar more", `+${more}`)] : []))
}

function avatarOf(key: string): HTMLElement {
  const avatar = element("span", "avatar", initialOf(key))
  avatar.ariaHidden = "true"
  avatar.style.setProperty("--hue", String(hueOf(key)))
  return avatar
}

const rows = new WeakMap<Entry<Device>, HTMLElement>()

/** Returns the row of a user. A user that did not change is the same entry in the next snapshot, and keeps its row. */
function rowOf(user: Entry<Device>, me: string): HTMLElement {
  const row = rows.get(user) ?? person(user, me)
  rows.set(user, row)
  return row
}

/** Returns the status of a user with all its devices: the one that was chosen last, or `away`. */
function statusOf(user: Entry<Device>): string | undefined {
  const { status, away } = library.merged(user)
  return away ? "away" : status
}

/** Builds one row for a user and all its devices: "Ada (3)". */
function person(user: Entry<Device>, me: string): HTMLElement {
  const { key, metas } = user
  const since = Math.min(...metas.map((meta) => meta.since))
  const name = element("span", "name")
  name.append(element("bdi", "", key))
  if (metas.length > 1) name.append(` (${metas.length})`)
  if (key === me) name.append(" ", element("small", "", "you"))
  const shown = statusOf(user)
  const status = element("span", "status", shown)
  const dot = element("span", "dot")
  dot.dataset["is"] = shown
  status.prepend(dot)
  const row = element("li", "")
  row.dataset["key"] = key
  row.append(avatarOf(key), name, element("span", "since", `since ${clock.format(since)}`), status)
  return row
}

function logEvent(user: string, text: string): void {
  const line = element("li", "")
  const label = element("span", "")
  if (user !== "") label.append(element("bdi", "", user), " ")
  label.append(text)
  line.append(element("time", "", clockWithSeconds.format(Date.now())), label)
  const feed = find("feed")
  feed.prepend(line)
  while (feed.childElementCount > FEED_LENGTH) feed.lastElementChild?.remove()
}

/** Returns what to say about a change; `undefined` for one that nobody sees. */
function describe({ type, current, previous }: Change<Device>): string | undefined {
  if (type === "join") return "joined"
  if (type !== "update") return "left"
  const [now, then] = [current.metas.length, previous.metas.length]
  if (now > then) return `opened device ${now}`
  if (now < then) return `closed a device (${now} still open)`
  const status = statusOf(current)
  if (status !== statusOf(previous)) return `is ${status}`
  const newest = current.metas.at(-1)
  // A new meta that replaces none is not an update: the page lost its connection, and reconnected before the server
  // noticed.
  const replaced = previous.metas.some((meta) => meta.phx_ref === newest?.phx_ref_prev)
  return replaced ? undefined : "reconnected"
}

/**
 * Shows the radio buttons for our own status. Returns a function that checks the button of the status that the room has
 * for us.
 */
function showChoices(room: Room<Device>): () => void {
  let chosen: string | undefined
  for (const status of STATUSES) {
    const choice = element("label", "choice")
    const input = document.createElement("input")
    Object.assign(input, { type: "radio", name: "status", value: status, checked: status === "available" })
    input.addEventListener("change", () => {
      chosen = status
      // Chosen for all devices: another tab that reconnects with an older status does not undo it.
      room.update({ status }, { chosen: true }).catch(() => (chosen = undefined))
    })
    const label = element("span", "", status)
    const dot = element("span", "dot")
    dot.dataset["is"] = status
    label.prepend(dot)
    choice.append(input, label)
    find("choices").append(choice)
  }
  return () => {
    const mine = library.merged(room.self).status
    if (mine === undefined) return
    // The chosen button stays checked until the server confirms the status, which takes longer while we are offline.
    if (chosen === mine) chosen = undefined
    for (const input of document.querySelectorAll<HTMLInputElement>("[name=status]")) {
      input.checked = input.value === (chosen ?? mine)
    }
  }
}

/** Sets up the button that copies the link of this room. A page that is not secure may not copy, and gets none. */
function showLink(): void {
  const button = find<HTMLButtonElement>("copy-link")
  button.hidden = (navigator.clipboard as Clipboard | undefined) === undefined
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(location.href).then(
      () => (button.textContent = "Copied"),
      () => (button.textContent = "Copy the address bar"),
    )
  })
}

/** Sets up the button that disconnects for a few seconds, so that the view becomes stale and then live again. */
function showDisconnect(connection: Connection): void {
  const button = find<HTMLButtonElement>("disconnect")
  button.addEventListener("click", () => {
    // `ariaDisabled` instead of `disabled`, which would remove the focus after a press by keyboard.
    if (button.ariaDisabled === "true") return
    button.ariaDisabled = "true"
    button.textContent = "Please wait…"
    connection.socket.disconnect()
    setTimeout(() => {
      connection.socket.connect()
      button.ariaDisabled = "false"
      button.textContent = "Disconnect"
    }, DISCONNECTED_MS)
  })
}

/** Sets up the button that shows the inspector of this connection. */
function showInspect(connection: Connection): void {
  const button = find<HTMLButtonElement>("inspect")
  let inspector: RollcallInspector | undefined
  button.addEventListener("click", async () => {
    const { inspect } = (await import(INSPECTOR_URL)) as typeof import("rollcall/inspector")
    inspector ??= inspect(connection)
    inspector.open = true
  })
}

/** Returns the first letter, which may consist of several characters. */
function initialOf(key: string): string {
  const [first = "?"] = letters === undefined ? key : Array.from(letters.segment(key), ({ segment }) => segment)
  return first.toUpperCase()
}

const hueOf = (key: string): number => [...key].reduce((hue, char) => (hue * 31 + (char.codePointAt(0) ?? 0)) % 360, 7)

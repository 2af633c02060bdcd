import type { Change, Room } from "rollcall"
import { element, find } from "../element.js"
import type { Device } from "./device.js"
import { nameOf, statusOf, type Merged } from "./person.js"

const LENGTH = 100
/** From how many people on a crowd that comes or goes at once is one line. */
const CROWD = 6

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" })

/** Adds a line to what happened: who, and what. */
export function log(who: string, text: string, kind: "event" | "said" = "event"): void {
  const line = element("li", kind)
  const label = element("span", "")
  if (who !== "") label.append(element("bdi", "", who), kind === "said" ? ": " : " ")
  label.append(text)
  line.append(element("time", "", clock.format(Date.now())), label)
  const feed = find("feed")
  feed.prepend(line)
  while (feed.childElementCount > LENGTH) feed.lastElementChild?.remove()
}

/** Logs what happens in a room: who joins, leaves and changes, and what happens to our own connection. */
export function showFeed(room: Room<Device>, merge: Merged): void {
  /** Returns what to say about a change; `undefined` for one that nobody sees. */
  function describe({ type, current, previous }: Change<Device>): string | undefined {
    if (type === "join") return "joined"
    if (type !== "update") return "left"
    const [now, then] = [current.metas.length, previous.metas.length]
    if (now > then) return `opened device ${now}`
    if (now < then) return `closed a device (${now} still open)`
    const status = statusOf(current, merge)
    if (status !== statusOf(previous, merge)) return `is ${status}`
    const newest = current.metas.at(-1)
    // A new meta that replaces none is not an update: the page was loaded again, or reconnected before anybody saw a leave.
    const replaced = previous.metas.some((meta) => meta.phx_ref === newest?.phx_ref_prev)
    return replaced ? undefined : "is back, and never left"
  }

  let before = room.status
  const logStatus = (): void => {
    if (room.status !== before && room.status === "stale") log("", "Connection lost")
    if (room.status !== before && before === "stale" && room.status === "live") log("", "Reconnected, and up to date")
    before = room.status
  }
  room.subscribe(logStatus)
  room.onChange((changes, cause) => {
    // The status is logged first, so that changes from the time offline are listed after the reconnect.
    logStatus()
    const lines = changes.flatMap((change) => {
      const { current, previous, key } = change
      const isNew = cause !== "initial" || key === room.self?.key
      const text = isNew ? describe(change) : "was here before you"
      return text === undefined ? [] : [[nameOf(current ?? previous), text] as const]
    })
    for (const text of new Set(lines.map(([, said]) => said))) {
      const who = lines.filter(([, said]) => said === text)
      if (who.length >= CROWD)
        log(
          `${who.length} people`,
          text.replace(/^(was|is) /, (verb) => (verb === "is " ? "are " : "were ")),
        )
      else for (const [name] of who) log(name, text)
    }
  })
}

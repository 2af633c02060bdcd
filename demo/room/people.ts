import type { Room } from "rollcall"
import { element, find, place } from "../element.js"
import { avatarOf } from "./avatar.js"
import type { Device, Person } from "./device.js"
import { isTyping, statusOf, type Merged } from "./person.js"

/** From how many people on the list is dense. */
const MANY = 13

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" })

/** Returns a function that shows one row for each person, our own marked. */
export function showPeople(room: Room<Device>, merge: Merged): () => void {
  const list = find("people")
  let rows = new Map<string, readonly [person: Person, isMe: boolean, row: HTMLElement]>()

  /** Builds the row of a person with all their devices: "Ada (3)". */
  function build(person: Person, isMe: boolean): HTMLElement {
    const { key, metas } = person
    const name = element("span", "name")
    name.append(element("bdi", "", metas[0].name))
    if (metas[0].mark !== undefined) {
      const mark = element("span", "mark", `#${metas[0].mark}`)
      mark.title = "Others in this room had the name first."
      name.append(" ", mark)
    }
    if (metas.length > 1) name.append(` (${metas.length})`)
    if (isMe) name.append(" ", element("small", "", "you"))
    const shown = statusOf(person, merge)
    const status = element("span", "status", isTyping(person) ? "typing…" : shown)
    const dot = element("span", "dot")
    dot.dataset["is"] = shown
    status.prepend(dot)
    const row = element("li", rows.has(key) ? "" : "new")
    row.dataset["key"] = key
    const since = Math.min(...metas.map((meta) => meta.since ?? Infinity))
    row.append(avatarOf(person), name, element("span", "since", `since ${clock.format(since)}`), status)
    return row
  }

  return () => {
    const { users } = room.getSnapshot()
    rows = new Map(
      users.map((person) => {
        // A person that did not change is the same entry in the next snapshot, and keeps its row.
        const isMe = person.key === room.self?.key
        const [before, wasMe, row] = rows.get(person.key) ?? []
        return [person.key, [person, isMe, before === person && wasMe === isMe ? row! : build(person, isMe)] as const]
      }),
    )
    place(
      list,
      Array.from(rows.values(), ([, , row]) => row),
    )
    list.classList.toggle("many", users.length >= MANY)
  }
}

import type { Room } from "rollcall"
import { element, find, place } from "../element.js"
import { avatarOf } from "./avatar.js"
import type { Device } from "./device.js"
import { isTyping, nameOf, statusOf, type Merged } from "./person.js"

/** How many avatars are shown before the others are counted. */
const LENGTH = 7

/** Returns a function that shows the first few avatars, our own before all others, and how many more people there are. */
export function showStack(room: Room<Device>, merge: Merged): () => void {
  const stack = find("stack")
  const avatars = new Map<string, HTMLElement>()
  const more = element("span", "avatar more")
  more.ariaHidden = "true"

  return () => {
    const people = room.self === undefined ? room.others() : [room.self, ...room.others()]
    const first = people.slice(0, LENGTH)
    const keys = new Set(first.map(({ key }) => key))
    for (const key of avatars.keys()) if (!keys.has(key)) avatars.delete(key)
    for (const person of first) {
      const avatar = avatars.get(person.key) ?? avatarOf(person)
      avatar.dataset["is"] = isTyping(person) ? "typing" : statusOf(person, merge)
      avatar.title = nameOf(person)
      avatars.set(person.key, avatar)
    }
    const count = people.length - first.length
    more.textContent = `+${count}`
    place(stack, [...first.map(({ key }) => avatars.get(key)!), ...(count > 0 ? [more] : [])])
    const names = first.map((person) => (person === room.self ? "you" : nameOf(person)))
    stack.ariaLabel = `Here: ${names.join(", ")}${count > 0 ? `, and ${count} more` : ""}`
  }
}

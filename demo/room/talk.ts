import type { Room } from "rollcall"
import { find } from "../element.js"
import { LINE_LENGTH, type Device, type Line } from "./device.js"
import { log } from "./feed.js"
import { isTyping, nameOf } from "./person.js"

/** How long others see that somebody types, after the last key. */
const TYPING_MS = 3_000
/** How many of those who type are named. */
const NAMED = 2

/**
 * Sets up the line in which one writes to the room. While somebody writes, the others see that they do. Returns a function that shows
 * who does.
 */
export function showTalk(room: Room<Device>): () => void {
  const input = find<HTMLInputElement>("line")
  input.maxLength = LINE_LENGTH
  // The field goes away after a while without a key. A page that is closed takes it with it.
  input.addEventListener("input", () => {
    const isEmpty = input.value.trim() === ""
    void room.update({ typing: isEmpty ? undefined : true }, isEmpty ? {} : { forMs: TYPING_MS })
  })
  find("say").addEventListener("submit", (event) => {
    event.preventDefault()
    const text = input.value.trim()
    input.value = ""
    if (text === "") return
    void room.update({ typing: undefined })
    room.broadcast("say", { text }).then(
      () => log(room.self === undefined ? "You" : nameOf(room.self), text, "said"),
      () => log("", `Not sent: ${text}`),
    )
  })
  room.on<Line>("say", ({ text, from }) => {
    const person = from === undefined ? undefined : room.get(from)
    if (person !== undefined) log(nameOf(person), text, "said")
  })

  return () => {
    const names = room.others().filter(isTyping).map(nameOf)
    const who = names.length > NAMED ? `${names.length} people` : names.join(" and ")
    find("typing").textContent = names.length === 0 ? "" : `${who} ${names.length === 1 ? "is" : "are"} typing…`
  }
}

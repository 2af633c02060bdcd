import type { connect } from "rollcall"
import { find } from "../element.js"
import { VISIBLE } from "./device.js"
import { lastName, rememberName } from "./identity.js"
import { rememberRoom, wasIn } from "./visit.js"
import { showOwnRoom } from "./share.js"

/** How long the page waits for a server before it says that there is none, in ms. */
const ANSWER_MS = 3_000

/** Shows how many people are in a room, without entering it. Returns a function that ends it. */
function look(open: typeof connect, topic: string): () => void {
  const connection = open("/socket")
  const count = connection.count(topic)
  const line = find("look")
  let isLate = false
  const show = (): void => {
    const { status, total = 0 } = count.getSnapshot()
    if (status === "live") {
      isLate = false
      const people = total === 1 ? "1 person is" : `${total} people are`
      line.textContent = total === 0 ? "Nobody is in this room yet." : `${people} in this room now.`
    } else if (status === "stale" || isLate) {
      line.textContent = "The server does not answer. This page goes on by itself when it does."
    }
    line.dataset["is"] = status === "joining" && isLate ? "stale" : status
  }
  count.subscribe(show)
  const timer = setTimeout(() => {
    isLate = count.status !== "live"
    show()
  }, ANSWER_MS)
  return () => {
    clearTimeout(timer)
    connection.disconnect()
  }
}

/** Shows the form for a name, and calls `enter` with the name once one is given. */
export function showEntry(open: typeof connect, room: string, enter: (name: string) => void): void {
  const form = find<HTMLFormElement>("sign-in")
  const name = find<HTMLInputElement>("name")
  name.value = lastName()
  find("entry-room").textContent = room
  showOwnRoom()
  // A name that was typed before stays.
  find("own-room").addEventListener("click", () => rememberName(name.value.trim()))
  for (const link of form.querySelectorAll<HTMLAnchorElement>("[data-keep-room]")) link.search = location.search
  // A page that is loaded again is back before anybody sees a leave.
  const isBack = wasIn(room) && name.value !== ""
  // A connection that is ended before it is open would be an error in the console.
  const stopLooking = isBack ? () => {} : look(open, `rooms:${room}`)
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    const me = name.value.trim()
    if (!VISIBLE.test(me)) {
      // A name of blanks counts as empty. The browser shows its own message for an empty field.
      name.value = ""
      name.reportValidity()
      return
    }
    rememberName(me)
    rememberRoom(room)
    stopLooking()
    form.hidden = true
    enter(me)
  })
  if (isBack) form.requestSubmit()
}

/** Sets up the button that leaves the room: the page asks for a name again. */
export function showLeave(): void {
  find("leave").addEventListener("click", () => {
    rememberRoom("")
    location.reload()
  })
}

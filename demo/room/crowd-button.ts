import type { Room } from "rollcall"
import { find } from "../element.js"
import type { Device } from "./device.js"
import { log } from "./feed.js"

/** How many people the button adds. */
const SIZE = 120

/**
 * Sets up the button that fills the room with people who have no browser, and sends them home again. Returns a function that shows
 * which of the two it does.
 *
 * @param people how many people shall be in the room at once, ourselves included: `?people=121` in the address
 */
export function showCrowdButton(room: Room<Device>, people: number): () => void {
  const button = find<HTMLButtonElement>("crowd")
  let isFull = false
  const resize = (size: number): void => {
    room.push("crowd", { size }).catch(({ message }: Error) => log("", message))
  }
  button.addEventListener("click", () => resize(isFull ? 0 : SIZE))
  if (people > 1) resize(people - 1)
  return () => {
    isFull = room.list().some(({ metas: [{ crowd }] }) => crowd)
    button.textContent = isFull ? "Send them home" : `Add ${SIZE} people`
  }
}

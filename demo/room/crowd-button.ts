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
  let size = 0
  let wasOffline = false
  const ask = (crowd: { size: number; isSeen?: boolean }): void => {
    room.push("crowd", crowd).catch(({ message }: Error) => log("", message))
  }
  button.addEventListener("click", () => ask({ size: size > 0 ? 0 : SIZE }))
  if (people > 1) ask({ size: people - 1 })
  return () => {
    if (room.status === "stale") wasOffline = true
    // A server that was started again has no crowd, and leaves are not shown yet.
    if (room.status === "live" && wasOffline) {
      wasOffline = false
      if (size > 0) ask({ size, isSeen: true })
    }
    if (room.status === "live") size = room.list().filter(({ metas: [{ crowd }] }) => crowd).length
    button.textContent = size > 0 ? "Send them home" : `Add ${SIZE} people`
  }
}

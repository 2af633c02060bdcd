import type { Connection, Room } from "rollcall"
import { find } from "../element.js"
import type { Device } from "./device.js"

const texts: Record<Room["status"], string> = {
  joining: "Joining…",
  live: "Live",
  stale: "Offline, reconnecting…",
  closed: "Closed: load the page again",
}

function textOf({ status, reason, isLost }: Room<Device>): string {
  if (status === "stale" && reason?.code === "paused") return "You are disconnected"
  // Without a server from the start, the room would seem to be joining for ever.
  return isLost ? "The server does not answer, trying again…" : texts[status]
}

/** Returns a function that shows how the room is, and how many people are in it. */
export function showState(room: Room<Device>): () => void {
  return () => {
    const { status, size } = room.getSnapshot()
    if (status !== "joining") {
      const [is, are] = status === "live" ? ["is", "are"] : ["was", "were"]
      find("count").textContent = size === 1 ? `1 person ${is} here` : `${size} people ${are} here`
      document.title = `${size} · Rollcall`
    } else if (room.isLost) find("count").textContent = "Nobody answers"
    find("alone").hidden = status !== "live" || size !== 1
    find("down").hidden = !room.isLost
    const text = textOf(room)
    // A text that is set again would be read aloud again.
    if (find("state").textContent !== text) find("state").textContent = text
    find("dot").dataset["is"] = status
    find("room").classList.toggle("stale", status === "stale")
  }
}

/** Sets up the button that disconnects, so that the view becomes stale, and connects again. */
export function showDisconnect(connection: Connection): void {
  const button = find<HTMLButtonElement>("disconnect")
  let isPaused = false
  button.addEventListener("click", () => {
    isPaused = !isPaused
    if (isPaused) connection.pause()
    else connection.resume()
    button.textContent = isPaused ? "Connect again" : "Disconnect"
  })
}

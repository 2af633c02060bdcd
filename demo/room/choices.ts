import type { Room } from "rollcall"
import { element, find } from "../element.js"
import { STATUSES, type Device } from "./device.js"
import type { Merged } from "./person.js"

/**
 * Shows the radio buttons for our own status. Returns a function that checks the button of the status that the room has
 * for us.
 */
export function showChoices(room: Room<Device>, merge: Merged): () => void {
  let chosen: string | undefined
  const inputs = STATUSES.map((status) => {
    const choice = element("label", "choice")
    const input = document.createElement("input")
    Object.assign(input, { type: "radio", name: "status", value: status, checked: status === "available" })
    input.addEventListener("change", () => {
      chosen = status
      // Chosen for all devices: another tab that is used, or reconnects with an older status, does not undo it.
      room.update({ status }, { chosen: true }).catch(() => (chosen = undefined))
    })
    const label = element("span", "", status)
    const dot = element("span", "dot")
    dot.dataset["is"] = status
    label.prepend(dot)
    choice.append(input, label)
    find("choices").append(choice)
    return input
  })
  return () => {
    const mine = merge(room.self).status
    if (mine === undefined) return
    // The chosen button stays checked until the server confirms the status, which takes longer while we are offline.
    if (chosen === mine) chosen = undefined
    for (const input of inputs) input.checked = input.value === (chosen ?? mine)
  }
}

import { element, setAttribute } from "./dom.ts"
import type { Faults } from "./faults.ts"

const DELAYS_MS = [0, 100, 500, 2000, 5000]

/** The buttons that break, lose and delay. */
export function createFaultTools(faults: Faults, changed: () => void): { readonly root: HTMLElement; draw(): void } {
  const button = (text: string, title: string, run: () => void): HTMLButtonElement => {
    const made = element("button", { type: "button", title }, text)
    made.addEventListener("click", () => {
      run()
      changed()
    })
    return made
  }
  const cut = button("Cut", "Break the connection, and let attempts to connect fail", () =>
    faults.isCut ? faults.restore() : faults.cut(),
  )
  const drop = button(
    "Drop",
    "Drop all messages. Afterwards the connection is replaced, and rooms get their users again",
    () => faults.drop(!faults.isDropping),
  )
  const reconnect = button("Reconnect", "Break the connection once", () => faults.reconnect())
  const choices = DELAYS_MS.map((ms) =>
    element("option", { value: String(ms) }, ms === 0 ? "No delay" : `Delay ${ms} ms`),
  )
  const delay = element("select", { "aria-label": "Delay of messages" }, ...choices)
  delay.addEventListener("change", () => {
    faults.delay(Number(delay.value))
    changed()
  })
  return {
    root: element(
      "div",
      { class: "tools", role: "group", "aria-label": "Faults of the network" },
      cut,
      drop,
      delay,
      reconnect,
    ),
    draw() {
      setAttribute(cut, "aria-pressed", String(faults.isCut))
      setAttribute(drop, "aria-pressed", String(faults.isDropping))
      delay.classList.toggle("on", faults.delayMs > 0)
      reconnect.disabled = faults.isCut
    },
  }
}

import type { Action } from "./actions.js"
import type { Cluster, Weather } from "./cluster.js"
import { element, find } from "../element.js"
import { button } from "./node-card.js"
import { setText } from "./keyed-list.js"

interface Slider {
  readonly name: keyof Weather
  readonly label: string
  readonly max: number
  readonly step: number
  readonly min: number
  readonly text: (value: number) => string
}

const percent = (value: number): string => `${value} %`
const SLIDERS: readonly Slider[] = [
  { name: "loss", label: "Lost", min: 0, max: 100, step: 10, text: percent },
  { name: "double", label: "Doubled", min: 0, max: 100, step: 10, text: percent },
  { name: "reorder", label: "May overtake", min: 0, max: 100, step: 10, text: percent },
  {
    name: "delay",
    label: "Time on the way",
    min: 100,
    max: 4_900,
    step: 400,
    text: (ms) => `${(ms / 1000).toFixed(1)} s`,
  },
]

/** Creates the sliders of the network, and the buttons that cut and heal it. Returns what shows their state. */
export function createControls(act: (action: Action) => void): (cluster: Cluster) => void {
  const inputs = SLIDERS.map((slider) => {
    const label = element("label", "slider")
    const input = document.createElement("input")
    Object.assign(input, { type: "range", min: slider.min, max: slider.max, step: slider.step })
    const value = element("span", "value-of")
    label.append(element("span", "", slider.label), input, value)
    find("sliders").append(label)
    input.addEventListener("change", () => act(actionOf(slider.name, Number(input.value))))
    input.addEventListener("input", () => setText(value, slider.text(Number(input.value))))
    return { slider, input, value }
  })
  const cuts = ["node1", "node2", "node3"].map((node) => {
    const made = button(`Cut off ${node}`, "")
    made.addEventListener("click", () => act({ do: "split", nodes: [node] }))
    return { node, made }
  })
  const heal = button("Heal the cut", "")
  heal.addEventListener("click", () => act({ do: "heal" }))
  find("cuts").append(...cuts.map(({ made }) => made), heal)
  let shown: Weather | undefined

  return ({ weather, cut }) => {
    for (const { node, made } of cuts) made.setAttribute("aria-pressed", String(cut.includes(node)))
    heal.setAttribute("aria-disabled", String(cut.length === 0))
    // Not while somebody drags: only after a change.
    if (weather === shown) return
    shown = weather
    for (const { slider, input, value } of inputs) {
      input.value = String(weather[slider.name])
      setText(value, slider.text(weather[slider.name]))
    }
  }
}

function actionOf(name: keyof Weather, value: number): Action {
  return name === "delay" ? { do: name, ms: value } : { do: name, percent: value }
}

import { element, setAttribute, setText } from "./dom.ts"
import { timeOf } from "./rows.ts"
import type { TimelineEntry } from "./timeline-entry.ts"

/** The controls that choose the moment that is shown. */
export interface Travel {
  readonly root: HTMLElement
  /** @param picked the index of the entry that is shown; -1 for now, `undefined` if it is not kept any more */
  draw(entries: readonly TimelineEntry[], picked: number | undefined): void
}

const button = (text: string, label: string, run: () => void): HTMLButtonElement => {
  const made = element("button", { type: "button", "aria-label": label, title: label }, text)
  made.addEventListener("click", run)
  return made
}

/** @param pick called with an entry, or with `undefined` for now */
export function createTravel(pick: (entry: TimelineEntry | undefined) => void): Travel {
  let entries: readonly TimelineEntry[] = []
  let at = 0
  const slider = element("input", {
    type: "range",
    min: "0",
    max: "0",
    value: "0",
    "aria-label": "Moment that is shown",
  })
  const go = (next: number): void => pick(entries[next])
  const earlier = button("◀", "Earlier", () => go(Math.max(0, at - 1)))
  const later = button("▶", "Later", () => go(at + 1))
  const now = button("Now", "Back to now", () => pick(undefined))
  // Only the moment is announced: how long ago it was changes with each message that arrives.
  const moment = element("span", { "aria-live": "polite" })
  const since = element("span")
  slider.addEventListener("input", () => go(Number(slider.value)))
  return {
    root: element(
      "footer",
      { class: "travel" },
      earlier,
      slider,
      later,
      element("span", { class: "moment" }, moment, since),
      now,
    ),
    draw(next, picked) {
      entries = next
      at = picked === undefined ? 0 : picked < 0 ? entries.length : picked
      const entry = entries[at]
      const isNow = picked === -1
      slider.max = String(entries.length)
      slider.value = String(at)
      const ago = entries.length - 1 - at
      const isPast = entry !== undefined && picked !== undefined
      const text = isNow ? "Live" : isPast ? timeOf(entry.at) : "A moment that is not kept any more"
      setText(moment, text)
      setText(since, isPast ? `, ${ago === 0 ? "the last entry" : `${ago} entries ago`}` : "")
      setAttribute(slider, "aria-valuetext", text)
      earlier.disabled = at === 0
      later.disabled = now.disabled = isNow
    },
  }
}

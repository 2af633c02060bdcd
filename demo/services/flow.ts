import { svg } from "./svg.js"
import type { Tick } from "./messages.js"

/** How long a dot takes from the dispatcher to a worker, in ms. */
const FLIGHT_MS = 650
/** The time between two reports, over which the dots of a report are spread, in ms. */
const REPORT_MS = 250
/** How much of a band's former width is left after each report. */
const FADING = 0.8
const MAX_DOTS = 80
/** The width of a band through which all jobs flow, in px: beside the cards, and above them on a narrow page. */
const WIDE_BAND = 26
const NARROW_BAND = 14

interface Dot {
  readonly circle: SVGCircleElement
  readonly path: SVGPathElement
  readonly length: number
  readonly start: number
}

/** The bands from the dispatcher to the workers, as wide as the share of the jobs that flow there, and a dot for each job. */
export interface Flow {
  /** Takes the places of the cards again, after the page has changed. */
  measure(): void
  add(jobs: Tick["jobs"]): void
}

export function createFlow(stage: HTMLElement, dispatcher: HTMLElement, workers: readonly HTMLElement[]): Flow {
  const calm = matchMedia("(prefers-reduced-motion: reduce)")
  const picture = svg("svg", { class: "flow", "aria-hidden": "true" })
  const bands = workers.map((_, index) => svg("path", { class: "band", "data-worker": index + 1 }))
  const dotLayer = svg("g")
  picture.append(...bands, dotLayer)
  stage.prepend(picture)
  const weights = workers.map(() => 0)
  const dots = new Set<Dot>()
  let isWide = true
  let frame: number | undefined

  function measure(): void {
    const origin = stage.getBoundingClientRect()
    const from = dispatcher.getBoundingClientRect()
    isWide = workers[0] !== undefined && workers[0].getBoundingClientRect().left > from.right
    for (const [index, worker] of workers.entries()) {
      const to = worker.getBoundingClientRect()
      const x = to.left - origin.left + 2
      const y = to.top - origin.top + to.height / 2
      const path = isWide
        ? wide(from.right - origin.left - 2, (from.top + from.bottom) / 2 - origin.top + (index - 1.5) * 12, x, y)
        : narrow(6 + index * 4, from.bottom - origin.top, x, y)
      if (bands[index]?.getAttribute("d") !== path) bands[index]?.setAttribute("d", path)
    }
  }

  function showWidths(): void {
    const sum = weights.reduce((a, b) => a + b, 0)
    for (const [index, band] of bands.entries()) {
      const share = sum < 0.1 ? 0 : (weights[index] ?? 0) / sum
      const width = share < 0.005 ? 0 : Math.max(1.5, share * (isWide ? WIDE_BAND : NARROW_BAND))
      band.style.strokeWidth = `${width.toFixed(1)}px`
    }
  }

  function step(now: number): void {
    frame = undefined
    for (const dot of dots) {
      const t = (now - dot.start) / FLIGHT_MS
      if (t < 0) continue
      if (t >= 1) {
        dots.delete(dot)
        dot.circle.remove()
        continue
      }
      const { x, y } = dot.path.getPointAtLength(dot.length * t)
      if (dot.circle.parentNode === null) dotLayer.append(dot.circle)
      dot.circle.setAttribute("cx", x.toFixed(1))
      dot.circle.setAttribute("cy", y.toFixed(1))
    }
    if (dots.size > 0) frame = requestAnimationFrame(step)
  }

  return {
    measure,
    add(jobs) {
      for (const [index] of weights.entries()) weights[index] = (weights[index] ?? 0) * FADING
      for (const [worker] of jobs) if (worker > 0) weights[worker - 1] = (weights[worker - 1] ?? 0) + 1
      showWidths()
      if (calm.matches || document.hidden) return
      const now = performance.now()
      for (const [index, [worker, , wasSentAgain]] of jobs.entries()) {
        const path = bands[worker - 1]
        if (path === undefined || dots.size >= MAX_DOTS) continue
        const circle = svg("circle", {
          class: wasSentAgain === 1 ? "dot-again" : "dot-job",
          "data-worker": worker,
          r: 3.5,
        })
        const start = now + (index / jobs.length) * REPORT_MS
        dots.add({ circle, path, length: path.getTotalLength(), start })
      }
      frame ??= requestAnimationFrame(step)
    },
  }
}

/** From the right edge of one card to the left edge of another. */
function wide(x0: number, y0: number, x1: number, y1: number): string {
  const bend = (x1 - x0) / 2
  return `M${px(x0)} ${px(y0)}C${px(x0 + bend)} ${px(y0)} ${px(x1 - bend)} ${px(y1)} ${px(x1)} ${px(y1)}`
}

/** Down a lane beside the cards, and around a corner to the left edge of one. */
function narrow(x0: number, y0: number, x1: number, y1: number): string {
  const corner = Math.max(2, x1 - x0)
  return `M${px(x0)} ${px(y0)}V${px(y1 - corner)}Q${px(x0)} ${px(y1)} ${px(x1)} ${px(y1)}`
}

const px = (length: number): string => length.toFixed(1)

import { PLOTTED_SECONDS } from "./latest-seconds.js"
import type { Line, Second } from "./messages.js"
import { svg } from "./svg.js"

const HEIGHT = 200
const LEFT = 52
const RIGHT = 92
const TOP = 44
const BOTTOM = 22
/** The least distance between the baselines of two texts, in px. */
const TEXT_HEIGHT = 14
/** The rows for the texts of marks, so that those of one moment do not cover each other. */
const MARK_ROWS = [11, 23, 35]
/** The width of a letter, about, in px. */
const LETTER = 7

/** The scales of a plot: seconds and values to px. */
interface Frame {
  readonly width: number
  x(second: number): number
  y(value: number): number
}

/** Draws how many jobs each worker has done in each second, on top of each other. */
export function drawJobs(figure: HTMLElement, seconds: readonly Second[], lines: readonly Line[]): void {
  const totals = seconds.map(({ counts, failed }) => counts.reduce((a, b) => a + b, failed))
  const { picture, frame } = begin(figure, seconds, Math.max(50, ...totals), String)
  const workers = seconds[0]?.counts.length ?? 0
  let floor = seconds.map(() => 0)
  for (let worker = 0; worker <= workers; worker += 1) {
    const top = seconds.map((second, index) => (floor[index] ?? 0) + (second.counts[worker] ?? second.failed))
    const names = worker < workers ? { class: "area", "data-worker": worker + 1 } : { class: "area failed" }
    picture.append(svg("path", { ...names, d: areaOf(frame, seconds, floor, top) }))
    const latest = (top.at(-1) ?? 0) - (floor.at(-1) ?? 0)
    if (latest >= 4) {
      const middle = frame.y(((top.at(-1) ?? 0) + (floor.at(-1) ?? 0)) / 2) + 4
      const text = worker < workers ? `worker ${worker + 1}` : "failed"
      picture.append(svg("text", { class: "label", x: frame.width - RIGHT + 8, y: middle }, text))
    }
    floor = top
  }
  end(picture, frame, seconds, lines)
}

/** Draws how long jobs took: half of them at most, and 19 of 20. */
export function drawDurations(figure: HTMLElement, seconds: readonly Second[], lines: readonly Line[]): void {
  const highest = Math.max(500, ...seconds.map(({ p95 }) => p95))
  const { picture, frame } = begin(figure, seconds, highest, timeOf)
  const latest = seconds.at(-1)
  const pathOf = (read: (second: Second) => number): string =>
    seconds.map((second, index) => `${index === 0 ? "M" : "L"}${point(frame, second.at, read(second))}`).join("")
  picture.append(svg("path", { class: "curve p95", d: pathOf(({ p95 }) => p95) }))
  picture.append(svg("path", { class: "curve median", d: pathOf(({ median }) => median) }))
  if (latest !== undefined) {
    const low = Math.min(frame.y(latest.median) + 4, HEIGHT - BOTTOM)
    const high = Math.min(frame.y(latest.p95) + 4, low - TEXT_HEIGHT)
    const x = frame.width - RIGHT + 8
    picture.append(svg("text", { class: "label", x, y: high }, `95 %: ${timeOf(latest.p95)}`))
    picture.append(svg("text", { class: "label", x, y: low }, `half: ${timeOf(latest.median)}`))
  }
  end(picture, frame, seconds, lines)
}

function begin(
  figure: HTMLElement,
  seconds: readonly Second[],
  highest: number,
  nameOf: (value: number) => string,
): { picture: SVGSVGElement; frame: Frame } {
  const width = Math.max(240, figure.clientWidth)
  const limit = niceAbove(highest)
  const latest = seconds.at(-1)?.at ?? 0
  const frame: Frame = {
    width,
    x: (second) => width - RIGHT - ((latest - second) / (PLOTTED_SECONDS - 1)) * (width - LEFT - RIGHT),
    y: (value) => HEIGHT - BOTTOM - (value / limit) * (HEIGHT - TOP - BOTTOM),
  }
  const picture = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, "aria-hidden": "true" })
  for (const value of [0, limit / 2, limit]) {
    const y = frame.y(value)
    picture.append(svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y, y2: y }))
    picture.append(svg("text", { class: "tick", x: LEFT - 6, y: y + 4, "text-anchor": "end" }, nameOf(value)))
  }
  figure.querySelector("svg")?.remove()
  figure.append(picture)
  return { picture, frame }
}

/** Draws what lies on top: the marks of what happened, and the times. */
function end(picture: SVGSVGElement, frame: Frame, seconds: readonly Second[], lines: readonly Line[]): void {
  const oldest = (seconds.at(-1)?.at ?? 0) - PLOTTED_SECONDS + 1
  const marks = lines.filter(({ mark, at }) => mark !== undefined && at >= oldest && at <= oldest + PLOTTED_SECONDS)
  /** Where the text of the latest mark ends, in each row. */
  const ends = MARK_ROWS.map(() => -Infinity)
  for (const { mark = "", at } of marks) {
    const half = (mark.length * LETTER) / 2
    const x = frame.x(at)
    const middle = Math.min(Math.max(x, LEFT + half), frame.width - half)
    const row = ends.findIndex((each) => each < middle - half)
    const y = MARK_ROWS[row]
    picture.append(svg("line", { class: "mark", x1: x, x2: x, y1: (y ?? TOP - 6) + 3, y2: HEIGHT - BOTTOM }))
    if (y === undefined) continue
    ends[row] = middle + half
    picture.append(svg("text", { class: "mark-text", x: middle, y, "text-anchor": "middle" }, mark))
  }
  const y = HEIGHT - 6
  picture.append(svg("text", { class: "tick", x: LEFT, y }, `${PLOTTED_SECONDS} s ago`))
  picture.append(svg("text", { class: "tick", x: frame.width - RIGHT, y, "text-anchor": "end" }, "now"))
}

function areaOf(frame: Frame, seconds: readonly Second[], floor: readonly number[], top: readonly number[]): string {
  if (seconds.length === 0) return ""
  const along = (values: readonly number[]): string[] =>
    seconds.map(({ at }, index) => point(frame, at, values[index] ?? 0))
  let path = ""
  for (const corner of along(floor)) path = `L${corner}${path}`
  return `M${along(top).join("L")}${path}Z`
}

const timeOf = (ms: number): string => (ms < 1_000 ? `${ms} ms` : `${Math.round(ms / 100) / 10} s`)

const point = (frame: Frame, second: number, value: number): string =>
  `${frame.x(second).toFixed(1)} ${frame.y(value).toFixed(1)}`

/** Returns the next round number above. */
function niceAbove(value: number): number {
  const step = 10 ** Math.floor(Math.log10(value))
  const factor = [1, 2, 4, 5, 6, 8, 10].find((each) => each * step >= value) ?? 10
  return factor * step
}

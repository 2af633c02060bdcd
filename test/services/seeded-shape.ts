import { mulberry32 } from "../../src/testing/prng.ts"
import type { TrackerOptions } from "../../src/tracker/tracker.ts"

/** How large a seeded run is, and how much happens in it. A seed decides it, apart from all else that it decides. */
export interface Shape {
  readonly nodes: readonly string[]
  /** The ids of processes that are only called, and of those that are also stopped. */
  readonly kept: number
  readonly stopped: number
  /** How long calls are made, in virtual ms. */
  readonly runMs: number
  /** The share of calls among all that is done; the rest disturbs them. */
  readonly callShare: number
  /** The share of heals that happen. With few, a split lasts until each side takes the other for down. */
  readonly healShare: number
  readonly tracking: TrackerOptions
  /** How long a node waits for others after its start, in virtual ms, where no process may run twice at a time. */
  readonly aloneAfterMs: number
  /** Whether a run that is quiet waits on, for as long as one may take to heal. */
  readonly waitsOn: boolean
}

const NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"]
/** The share of calls in large runs. */
export const CALL_SHARE = 0.83
/** One run of so many is large. */
const LARGE = 64
/** Number of nodes → how many of 16 small runs have it. The cost of a run grows with the square. */
const NODES: readonly (readonly [nodes: number, share: number])[] = [
  [2, 5],
  [3, 7],
  [4, 3],
]
/** How many the others have. */
const MANY = [5, 6, 7, 8] as const
/** Nodes go down as soon, compared with the length of a run, as they do in a large one. */
const FAST: TrackerOptions = { broadcastPeriodMs: 400, downPeriodMs: 1_800 }
/** How long a node waits for others: several heartbeats. */
const ALONE_MS = 8_000
const FAST_ALONE_MS = 2_100

/**
 * The shape of a large run: four nodes, eight ids, and calls for 5 to 40 s.
 *
 * Half of the runs are shorter than 14 s: what is promised is checked at the end, and a short one finds most mistakes with less
 * work. One that takes several moves and restarts needs a long run.
 */
export function largeShape(seed: number): Shape {
  const runMs = 5_000 + mulberry32(seed ^ 0x1e47)() ** 2 * 35_000
  const nodes = NAMES.slice(0, 4)
  return {
    nodes,
    kept: 6,
    stopped: 2,
    runMs,
    callShare: CALL_SHARE,
    healShare: 1,
    tracking: {},
    aloneAfterMs: ALONE_MS,
    waitsOn: true,
  }
}

/**
 * The shape of a seed: one in 64 is large. The others mostly have two to four nodes, one to four ids, and calls for 1 to 6 s, in
 * which relatively more is done to the nodes. For the same work they come to more different situations.
 */
export function shapeOf(seed: number): Shape {
  const choose = mulberry32(seed ^ 0x54a9e)
  if (choose() < 1 / LARGE) return largeShape(seed)
  const isFast = choose() < 0.75
  return {
    nodes: NAMES.slice(0, nodesOf(choose() * 16, choose())),
    kept: 1 + Math.floor(choose() * 3),
    stopped: choose() < 0.5 ? 1 : 0,
    runMs: 1_000 + choose() ** 2 * 5_000,
    callShare: 0.4 + choose() * 0.4,
    healShare: choose() < 0.5 ? 0.1 : 1,
    tracking: isFast ? FAST : {},
    aloneAfterMs: isFast ? FAST_ALONE_MS : ALONE_MS,
    waitsOn: false,
  }
}

function nodesOf(place: number, choice: number): number {
  let end = 0
  for (const [nodes, share] of NODES) if (place < (end += share)) return nodes
  return MANY[Math.floor(choice * MANY.length)]!
}

/** How large a run of calls is. */
export interface CallsShape {
  readonly nodes: readonly string[]
  /** How long calls are made, in virtual ms. */
  readonly runMs: number
  /** How many times as much as in a large run is done to the nodes. */
  readonly disturbance: number
  /** Whether the first calls wait until the nodes have had the time to see each other. */
  readonly isWarm: boolean
  /** Whether the run waits on when all calls have ended, for as long as the longest may last. */
  readonly waitsOn: boolean
}

/** The shape of a large run: four nodes that call each other for 5 s, some 250 times. */
export const largeCallsShape = (): CallsShape => ({
  nodes: NAMES.slice(0, 4),
  runMs: 5_000,
  disturbance: 1,
  isWarm: true,
  waitsOn: true,
})

/** The shape of a seed: one in 64 is large. The others mostly have two to four nodes, and 10 to 80 calls. */
export function callsShapeOf(seed: number): CallsShape {
  const choose = mulberry32(seed ^ 0xca115)
  if (choose() < 1 / LARGE) return largeCallsShape()
  return {
    nodes: NAMES.slice(0, nodesOf(choose() * 16, choose())),
    runMs: 200 + choose() ** 2 * 1_400,
    disturbance: 1 + choose() * 3,
    isWarm: choose() < 0.9,
    waitsOn: false,
  }
}

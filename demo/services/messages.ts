// What the processes of this page, and the page itself, send to each other.
import type { RouteName } from "./route-choices.js"

/** The numbers of the workers. */
export const WORKERS = [1, 2, 3, 4] as const
/** The worker on a slow machine. */
export const SLOW_WORKER = 4
export const GAMES = 24
/** The sites whose pages are fetched: by `byKey`, all pages of a site are fetched by one worker. */
export const SITES = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen", "ibis", "jay", "koi", "lynx"] as const
export const TOPIC = "services"

export const gameName = (index: number): string => `game ${index + 1}`

/** Of all states, only `up` and `draining` have a process. */
export type WorkerState = "starting" | "up" | "draining" | "drained" | "killed"

/** The metas that the page reads from the room. */
export type Meta =
  | { readonly kind: "worker"; readonly number: number; readonly state: WorkerState; readonly pid: number }
  | { readonly kind: "game"; readonly index: number; readonly worker: number; readonly isNew: boolean }
  | { readonly kind: "dispatcher"; readonly route: RouteName }

/** A job that has ended. */
export interface Job {
  /** The process that answered; 0 if the job failed. */
  readonly pid: number
  /** An index of `SITES`. */
  readonly site: number
  /** From the call to the answer, in ms. */
  readonly ms: number
  /** The processes that it was sent to before. */
  readonly before: readonly number[]
}

/** The last answer of a game. A process with the pid 0 has never answered. */
export interface GameAnswer {
  readonly pid: number
  /** How many moves were played since the game was started anew. */
  readonly turn: number
}

/** What the dispatcher reports to the demo's server, four times a second. */
export interface Report {
  readonly jobs: readonly Job[]
  readonly games: readonly GameAnswer[]
  /** Pid → the jobs that it has not answered. */
  readonly inFlight: Readonly<Record<number, number>>
}

/** From the demo's server to a worker or to the dispatcher. */
export type Order = { readonly demo: "drain" } | { readonly demo: "work"; readonly route: RouteName }

/** From a worker or the dispatcher to the demo's server. */
export type Notice = { readonly demo: "ready" } | { readonly demo: "report"; readonly report: Report }

/** Sent to the page with each report. Workers are in the order of their numbers. */
export interface Tick {
  readonly jobs: readonly (readonly [worker: number, site: number, wasSentAgain: 0 | 1])[]
  readonly inFlight: readonly number[]
  readonly turns: readonly number[]
}

/** One second, for the two plots. */
export interface Second {
  /** The number of this second since the processes were started. */
  readonly at: number
  /** The jobs that each worker has done. */
  readonly counts: readonly number[]
  readonly failed: number
  /** How long half of the jobs took at most, and 19 of 20, in ms. */
  readonly median: number
  readonly p95: number
}

/** A sentence about what has happened. */
export interface Line {
  /** The second in which it happened. */
  readonly at: number
  /** In ms since 1970. */
  readonly time: number
  readonly text: string
  /** What the plots show at this second: `kill 3`. */
  readonly mark?: string
}

/** Sent to a page that joins. */
export interface History {
  readonly seconds: readonly Second[]
  readonly lines: readonly Line[]
}

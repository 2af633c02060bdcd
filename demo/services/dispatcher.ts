// The process that sends the jobs, and that plays the games: it finds all of them by presence.
import { ipc } from "rollcall/pubsub"
import { byKey, compare, createServices, leastBy, powerOfTwo, random, roundRobin } from "rollcall/services"
import type { Instance, Route } from "rollcall/services"
import { createTracker } from "rollcall/tracker"
import { endWithServer, notify } from "./demo-server.js"
import { placeGames } from "./games.js"
import { gameName, GAMES, SITES, WORKERS } from "./messages.js"
import type { GameAnswer, Job, Order } from "./messages.js"
import type { RouteName } from "./route-choices.js"

/** A job is sent each 25 ms, and a move of a game is played: 40 of both in a second. */
const SEND_MS = 25
/** How many are sent at most to catch up, after this process has been slow. */
const CATCH_UP = 8
const REPORT_MS = 250
const TIMEOUT_MS = 3_000

interface CrawlerMeta {
  readonly pid: number
  readonly msPerJob: number
  readonly jobs: number
}
type Crawler = Instance<CrawlerMeta>

const routes: Record<RouteName, (site: string) => Route<CrawlerMeta>> = {
  powerOfTwo: () => powerOfTwo(),
  roundRobin: () => roundRobin(),
  random: () => random(),
  byKey: (site) => byKey(site),
  leastBy: () => leastBy(({ meta }: Crawler) => meta.jobs),
  compare: () => compare((a: Crawler, b: Crawler) => a.meta.msPerJob - b.meta.msPerJob),
}

endWithServer()
const pubsub = await ipc({ node: "dispatcher" })
const tracker = createTracker({ pubsub })
const services = createServices({
  tracker,
  pubsub,
  // All jobs that a worker does not do in time go to another one, however many they are.
  limits: { retryShare: 1 },
  onError: (error) => console.error("dispatcher:", error),
})
const games = placeGames(services)
// It calls the games, and runs none.
await games.drain()
await games.ready

let route: RouteName = "powerOfTwo"
let isWorking = false
/** Whether it has seen all workers, which may be some ms after they are up. */
let hasBegun = false
let ended: Job[] = []
const inFlight = new Map<number, number>()
const answers: GameAnswer[] = Array.from({ length: GAMES }, () => ({ pid: 0, turn: 0 }))
const playing = new Set<number>()
let nextGame = 0

const addInFlight = (pid: number, change: number): void => {
  const count = (inFlight.get(pid) ?? 0) + change
  if (count === 0) inFlight.delete(pid)
  else inFlight.set(pid, count)
}

async function sendJob(): Promise<void> {
  const site = Math.floor(Math.random() * SITES.length)
  const input = { site: SITES[site] }
  const chosen = routes[route](input.site ?? "")
  const pids: number[] = []
  const began = performance.now()
  /** Notes where each attempt goes. A job that is sent again is no longer in flight at the worker before. */
  const noted: Route<CrawlerMeta> = (crawlers, context) => {
    const crawler = chosen(crawlers, context)
    const previous = pids.at(-1)
    if (previous !== undefined) addInFlight(previous, -1)
    pids.push(crawler.meta.pid)
    addInFlight(crawler.meta.pid, 1)
    return crawler
  }
  let pid = 0
  try {
    pid = await services.call<number>("crawler", "fetch", input, { route: noted, timeoutMs: TIMEOUT_MS })
  } catch {
    // The job is reported as one that failed.
  }
  const last = pids.at(-1)
  if (last !== undefined) addInFlight(last, -1)
  ended.push({ pid, site, ms: performance.now() - began, before: pid === 0 ? pids : pids.slice(0, -1) })
}

/** Plays a move of a game. The game is started if it runs nowhere, on the worker that owns its name. */
async function play(index: number): Promise<void> {
  if (playing.has(index)) return
  playing.add(index)
  try {
    answers[index] = await games.call<GameAnswer>(gameName(index), "play", undefined, { timeoutMs: TIMEOUT_MS })
  } catch {
    // Its worker was killed, or none is left. It is called again at its next turn.
  }
  playing.delete(index)
}

let due = 0
setInterval(() => {
  const now = performance.now()
  due = Math.max(due, now - CATCH_UP * SEND_MS)
  hasBegun ||= isWorking && services.list("crawler").length === WORKERS.length
  if (!hasBegun) return
  for (; due < now; due += SEND_MS) {
    void sendJob()
    void play(nextGame)
    nextGame = (nextGame + 1) % GAMES
  }
}, SEND_MS)

setInterval(() => {
  if (!isWorking) return
  const report = { jobs: ended, games: answers, inFlight: Object.fromEntries(inFlight) }
  ended = []
  notify({ demo: "report", report })
}, REPORT_MS)

process.on("message", (order: Order) => {
  if (order.demo !== "work") return
  route = order.route
  isWorking = true
})
notify({ demo: "ready" })

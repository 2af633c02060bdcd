import { createChronicle } from "./chronicle.js"
import { createLatestSeconds } from "./latest-seconds.js"
import { gameName, WORKERS } from "./messages.js"
import type { History, Line, Meta, Report, Second, Tick } from "./messages.js"
import { startProcesses } from "./processes.js"
import type { WorkerProcess } from "./processes.js"
import { ROUTE_CHOICES } from "./route-choices.js"
import type { RouteName } from "./route-choices.js"

/** The dispatcher's reports come at this rate. A second ends with every fourth, so that each counts as many jobs. */
const REPORTS_PER_SECOND = 4
const LINES = 30

export interface StageOptions {
  /** Shows the state of a worker, a game, or the dispatcher to the pages, in place of its former one. */
  show(key: string, meta: Meta): void
  ticked(tick: Tick): void
  secondEnded(second: Second): void
  said(line: Line): void
}

/** The workers, the dispatcher, and what is told of them. */
export interface Stage {
  readonly history: History
  start(worker: number): void
  kill(worker: number): void
  drain(worker: number): void
  route(name: RouteName): void
  /** Ends all processes. */
  stop(): void
}

/** Starts the processes, and reports what goes on: four times a second at most, and at each change of a state. */
export function startStage({ show, ticked, secondEnded, said }: StageOptions): Stage {
  const numbers = new Map<number, number>()
  const seconds = createLatestSeconds()
  let lines: Line[] = []
  let routeName: RouteName = "powerOfTwo"
  let hasBegun = false
  let reports = 0

  const chronicle = createChronicle({
    now: () => performance.now(),
    say(text, mark) {
      const line = { at: seconds.current, time: Date.now(), text, ...(mark !== undefined && { mark }) }
      lines = [...lines, line].slice(-LINES)
      said(line)
    },
    gameMoved: (index, worker, isNew) => show(gameName(index), { kind: "game", index, worker, isNew }),
  })

  function workerChanged(number: number, { state, pid }: WorkerProcess): void {
    numbers.set(pid, number)
    show(`worker ${number}`, { kind: "worker", number, state, pid })
    const tell = { starting: "started", up: "up", draining: "draining", drained: "drained", killed: "killed" } as const
    chronicle[tell[state]](number, pid)
    // The games would all start on the first worker that is up, and move to the others later.
    if (hasBegun || state !== "up" || !WORKERS.every((each) => processes.worker(each)?.state === "up")) return
    hasBegun = true
    processes.dispatch({ demo: "work", route: routeName })
  }

  function reported({ jobs, games, inFlight }: Report): void {
    for (const { pid, ms } of jobs) seconds.add(numbers.get(pid) ?? 0, ms)
    reports += 1
    if (reports % REPORTS_PER_SECOND === 0) secondEnded(seconds.next())
    chronicle.reported(games, jobs)
    ticked({
      jobs: jobs.map(({ pid, site, before }) => [numbers.get(pid) ?? 0, site, before.length > 0 ? 1 : 0]),
      inFlight: WORKERS.map((number) => inFlight[processes.worker(number)?.pid ?? 0] ?? 0),
      turns: games.map(({ turn }) => turn),
    })
  }

  function showDispatcher(): void {
    show("dispatcher", { kind: "dispatcher", route: routeName })
  }

  showDispatcher()
  const processes = startProcesses({ workerChanged, reported })

  return {
    get history() {
      return { seconds: seconds.list(), lines }
    },
    start: processes.start,
    kill: processes.kill,
    drain: processes.drain,
    route(name) {
      if (name === routeName) return
      routeName = name
      showDispatcher()
      if (hasBegun) processes.dispatch({ demo: "work", route: name })
      chronicle.routed(ROUTE_CHOICES.find((choice) => choice.name === name)?.code ?? name)
    },
    stop: processes.stop,
  }
}

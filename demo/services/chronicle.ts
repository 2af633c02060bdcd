import type { GameAnswer, Job } from "./messages.js"
import { listOf, numberOf } from "./sentences.js"

/** A worker that was killed or that drains, until it is clear what became of its games and jobs. */
interface Loss {
  readonly worker: number
  readonly pid: number
  cause: "killed" | "drained"
  /** When the worker was killed or began to drain. */
  time: number
  /** Whether the process has ended. */
  hasEnded: boolean
  /** The games that it ran → the worker that runs it now, once that has answered. */
  readonly games: Map<number, number | undefined>
  /** The games that have lost their state. */
  newGames: number
  /** Its jobs that were sent to another worker and done there, and those that failed. */
  jobsSentAgain: number
  jobsFailed: number
}

/** A worker that has been started, while games move to it. */
interface Arrival {
  readonly worker: number
  readonly pid: number
  games: number
  /** When the worker came up, or its latest game moved to it. */
  time: number
}

export interface ChronicleOptions {
  /** Called with each sentence, and with what the plots show at that moment. */
  say(text: string, mark?: string): void
  /** Called when a game runs in another process than before. `isNew` is true if it has lost its state. */
  gameMoved(game: number, worker: number, isNew: boolean): void
  /** Returns a time in ms, from any start. */
  now(): number
}

/** How long the jobs of a killed worker may take to be done elsewhere, in ms. */
const JOBS_MS = 1_500
/** How long after its latest game a new worker is taken to have all that it owns, in ms. */
const QUIET_MS = 2_000
/** How long the first game may take to come to a new worker, in ms. Perhaps it owns none. */
const FIRST_GAME_MS = 30_000

/** Tells in sentences what happens to the workers, and what becomes of their games and jobs. */
export interface Chronicle {
  started(worker: number, pid: number): void
  up(worker: number, pid: number): void
  draining(worker: number, pid: number): void
  drained(worker: number, pid: number): void
  killed(worker: number, pid: number): void
  routed(code: string): void
  /** Takes the answers of the games, and the jobs that have ended since the last call. */
  reported(games: readonly GameAnswer[], jobs: readonly Job[]): void
}

export function createChronicle({ say, gameMoved, now }: ChronicleOptions): Chronicle {
  /** Pid → the number of the worker. */
  const workers = new Map<number, number>()
  /** The processes that take jobs. */
  const taking = new Set<number>()
  const losses = new Set<Loss>()
  const arrivals = new Set<Arrival>()
  let games: readonly GameAnswer[] = []
  let hasBegun = false

  function lose(worker: number, pid: number, cause: Loss["cause"]): Loss {
    const own = games.flatMap((game, index) => (game.pid === pid ? [[index, undefined] as const] : []))
    const counts = { newGames: 0, jobsSentAgain: 0, jobsFailed: 0 }
    const loss: Loss = { worker, pid, cause, time: now(), hasEnded: false, games: new Map(own), ...counts }
    losses.add(loss)
    stopsTaking(pid)
    return loss
  }

  function stopsTaking(pid: number): void {
    taking.delete(pid)
    for (const arrival of arrivals) if (arrival.pid === pid) arrivals.delete(arrival)
  }

  const lossOf = (pid: number): Loss | undefined => Array.from(losses).find((loss) => loss.pid === pid)

  /** Says what became of a loss, once that is known. */
  function settle(loss: Loss): void {
    const places = Array.from(loss.games.values(), (worker) => worker ?? 0)
    const areJobsDone = loss.cause === "drained" || now() - loss.time >= JOBS_MS
    if (!loss.hasEnded || places.includes(0) || !areJobsDone) return
    losses.delete(loss)
    say([...whatBecameOfGames(loss, places), whatBecameOfJobs(loss)].join(" "))
  }

  function settleArrival(arrival: Arrival): void {
    const { worker, games: count, time } = arrival
    if (now() - time < (count === 0 ? FIRST_GAME_MS : QUIET_MS)) return
    arrivals.delete(arrival)
    if (count === 0) return
    const they = count === 1 ? "it" : "they"
    say(
      `${numberOf(count, "game")} moved to worker ${worker}, at the turn that ${they} had reached. The others stayed.`,
    )
  }

  function noted(index: number, from: GameAnswer, to: GameAnswer): void {
    const worker = workers.get(to.pid)
    if (worker === undefined) return
    // A game that starts anew begins with its first turn.
    const isNew = from.pid !== 0 && to.turn <= from.turn
    for (const loss of losses) {
      if (!loss.games.has(index) || loss.pid === to.pid) continue
      if (isNew && loss.games.get(index) === undefined) loss.newGames += 1
      loss.games.set(index, worker)
    }
    for (const arrival of arrivals) {
      if (arrival.pid !== to.pid || isNew) continue
      arrival.games += 1
      arrival.time = now()
    }
    gameMoved(index, worker, isNew)
  }

  return {
    started(worker, pid) {
      workers.set(pid, worker)
      if (hasBegun) say(`Worker ${worker} starts.`, `start ${worker}`)
    },
    up(worker, pid) {
      taking.add(pid)
      if (!hasBegun) return
      arrivals.add({ worker, pid, games: 0, time: now() })
      say(`Worker ${worker} is up. The dispatcher sees its presence, and sends it jobs.`)
    },
    draining(worker, pid) {
      lose(worker, pid, "drained")
      const games = taking.size > 0 ? "hands its games over one by one" : "finds no other worker for its games"
      say(`Worker ${worker} drains: it takes no new jobs, finishes those that it has, and ${games}.`, `drain ${worker}`)
    },
    drained(worker, pid) {
      const loss = lossOf(pid) ?? lose(worker, pid, "drained")
      loss.hasEnded = true
      if (taking.size === 0) say(NO_WORKER)
    },
    killed(worker, pid) {
      const loss = lossOf(pid) ?? lose(worker, pid, "killed")
      Object.assign(loss, { cause: "killed", hasEnded: true, time: now() })
      // Those that it had handed over before are safe.
      for (const [index, place] of loss.games) if (place !== undefined) loss.games.delete(index)
      stopsTaking(pid)
      say(`Worker ${worker} was killed. It was running ${numberOf(loss.games.size, "game")}.`, `kill ${worker}`)
      if (taking.size === 0) say(NO_WORKER)
    },
    routed(code) {
      say(`The dispatcher now chooses by ${code}.`, "route")
    },
    reported(answers, jobs) {
      for (const { pid, before } of jobs) {
        for (const loss of losses) {
          if (!loss.hasEnded || !before.includes(loss.pid)) continue
          if (pid === 0) loss.jobsFailed += 1
          else loss.jobsSentAgain += 1
        }
      }
      for (const [index, answer] of answers.entries()) {
        const before = games[index] ?? { pid: 0, turn: 0 }
        if (answer.pid !== before.pid) noted(index, before, answer)
      }
      games = answers.slice()
      if (!hasBegun && games.every(({ pid }) => pid !== 0)) {
        hasBegun = true
        say(`${numberOf(games.length, "game")} have started on the workers, and jobs flow.`)
      }
      for (const loss of losses) settle(loss)
      for (const arrival of arrivals) settleArrival(arrival)
    },
  }
}

const NO_WORKER = "No worker is left. Each job fails at once with no_instance, until you start one."

function whatBecameOfGames({ worker, cause, newGames }: Loss, places: readonly number[]): string[] {
  if (places.length === 0) return []
  const games = `The ${places.length === 1 ? "game" : `${places.length} games`} of worker ${worker}`
  const where = listOf("worker", places)
  const they = places.length === 1 ? "it" : "they"
  if (newGames === 0) return [`${games} went on at the turn that ${they} had reached, on ${where}.`]
  const why = cause === "killed" ? "a killed process hands over nothing" : "no other worker was there to take them"
  return [`${games} started anew on ${where}, from turn 1: ${why}.`]
}

function whatBecameOfJobs({ worker, cause, jobsSentAgain, jobsFailed }: Loss): string {
  const failed = `${numberOf(jobsFailed, "job")} failed`
  if (cause === "drained") return jobsFailed === 0 ? "No job was lost." : `${failed}.`
  if (jobsSentAgain === 0) return jobsFailed === 0 ? `Worker ${worker} had no unanswered job.` : `${failed}.`
  const again = jobsSentAgain === 1 ? "1 unanswered job was" : `${jobsSentAgain} unanswered jobs were`
  return `${again} sent to another worker; ${jobsFailed === 0 ? "none was lost" : failed}.`
}

import { beforeEach, describe, expect, it } from "vitest"
import { createChronicle } from "../../demo/services/chronicle.ts"
import type { Chronicle } from "../../demo/services/chronicle.ts"
import type { GameAnswer, Job } from "../../demo/services/messages.ts"

let time = 0
let said: string[] = []
let marks: string[] = []
let moves: [game: number, worker: number, isNew: boolean][] = []
let games: GameAnswer[] = []
let chronicle: Chronicle

/** Starts four workers with the pids 10, 20, 30 and 40, and six games: 0 and 1 on worker 1, 2 and 3 on 2, 4 on 3, 5 on 4. */
beforeEach(() => {
  time = 0
  said = []
  marks = []
  moves = []
  chronicle = createChronicle({
    now: () => time,
    say: (text, mark) => {
      said.push(text)
      if (mark !== undefined) marks.push(mark)
    },
    gameMoved: (...move) => moves.push(move),
  })
  for (const worker of [1, 2, 3, 4]) {
    chronicle.started(worker, worker * 10)
    chronicle.up(worker, worker * 10)
  }
  games = [10, 10, 20, 20, 30, 40].map((pid) => ({ pid, turn: 5 }))
  report()
  said = []
  moves = []
})

function report(jobs: Job[] = [], afterMs = 250): void {
  time += afterMs
  chronicle.reported(games, jobs)
}
const answers = (game: number, pid: number, turn: number): unknown => (games[game] = { pid, turn })
const job = (pid: number, ...before: number[]): Job => ({ pid, site: 0, ms: 100, before })

describe("when a worker is killed", () => {
  it("says how many games it ran, then where they started anew, and what became of its jobs", () => {
    chronicle.killed(2, 20)
    expect(said).toEqual(["Worker 2 was killed. It was running 2 games."])
    answers(2, 10, 1)
    report([job(10, 20), job(30, 20), job(40)])
    expect(said).toHaveLength(1)
    answers(3, 40, 1)
    report([], 2_000)
    expect(said[1]).toBe(
      "The 2 games of worker 2 started anew on workers 1 and 4, from turn 1: a killed process hands over nothing. " +
        "2 unanswered jobs were sent to another worker; none was lost.",
    )
    expect(moves).toEqual([
      [2, 1, true],
      [3, 4, true],
    ])
    expect(marks).toEqual(["kill 2"])
    report([], 10_000)
    expect(said).toHaveLength(2)
  })

  it("waits for its jobs before it says what became of them, and counts those that failed", () => {
    chronicle.killed(3, 30)
    answers(4, 10, 1)
    report()
    expect(said).toHaveLength(1)
    report([job(0, 30), job(10, 30)], 2_000)
    expect(said[1]).toContain("The game of worker 3 started anew on worker 1")
    expect(said[1]).toContain("1 unanswered job was sent to another worker; 1 job failed.")
  })

  it("takes a game that starts anew on the restarted worker as one that has lost its state", () => {
    chronicle.killed(3, 30)
    chronicle.started(3, 31)
    chronicle.up(3, 31)
    answers(4, 31, 1)
    report([], 2_500)
    expect(said.at(-1)).toContain("started anew on worker 3")
    expect(said.some((text) => text.includes("moved to worker 3"))).toBe(false)
  })

  it("says so when no worker is left, and goes on when one is started", () => {
    for (const worker of [1, 2, 3, 4]) chronicle.killed(worker, worker * 10)
    expect(said.at(-1)).toBe("No worker is left. Each job fails at once with no_instance, until you start one.")
    report([job(0)], 5_000)
    chronicle.started(1, 11)
    chronicle.up(1, 11)
    games = games.map(() => ({ pid: 11, turn: 1 }))
    report([], 2_500)
    expect(said.filter((text) => text.includes("started anew on worker 1, from turn 1"))).toHaveLength(4)
  })
})

describe("when a worker is drained", () => {
  it("says that its games went on at their turn, once its process has ended", () => {
    chronicle.draining(1, 10)
    expect(said).toEqual([
      "Worker 1 drains: it takes no new jobs, finishes those that it has, and hands its games over one by one.",
    ])
    answers(0, 20, 7)
    answers(1, 30, 6)
    report()
    expect(said).toHaveLength(1)
    chronicle.drained(1, 10)
    report()
    expect(said[1]).toBe(
      "The 2 games of worker 1 went on at the turn that they had reached, on workers 2 and 3. No job was lost.",
    )
    expect(moves.map(([, , isNew]) => isNew)).toEqual([false, false])
  })

  it("tells apart the games that it has handed over from those that it still ran when it was killed", () => {
    chronicle.draining(1, 10)
    answers(0, 20, 7)
    report()
    chronicle.killed(1, 10)
    expect(said.at(-1)).toBe("Worker 1 was killed. It was running 1 game.")
    answers(1, 30, 1)
    report([], 2_000)
    expect(said.at(-1)).toContain("The game of worker 1 started anew on worker 3")
  })

  it("says why games start anew when there was no other worker to take them", () => {
    for (const worker of [2, 3, 4]) chronicle.killed(worker, worker * 10)
    games = games.map(() => ({ pid: 10, turn: 9 }))
    report([], 2_000)
    chronicle.draining(1, 10)
    expect(said.at(-1)).toContain("finds no other worker for its games")
    chronicle.drained(1, 10)
    expect(said.at(-1)).toContain("No worker is left.")
    chronicle.started(2, 21)
    chronicle.up(2, 21)
    games = games.map(() => ({ pid: 21, turn: 1 }))
    report()
    expect(said.at(-1)).toContain(
      "The 6 games of worker 1 started anew on worker 2, from turn 1: no other worker was there",
    )
  })
})

describe("when a worker is started", () => {
  it("says how many games moved to it, once no more of them come", () => {
    chronicle.drained(4, 40)
    answers(5, 10, 6)
    report()
    chronicle.started(4, 41)
    chronicle.up(4, 41)
    answers(5, 41, 7)
    report()
    answers(0, 41, 8)
    report()
    expect(said.at(-1)).toBe("Worker 4 is up. The dispatcher sees its presence, and sends it jobs.")
    report([], 2_500)
    expect(said.at(-1)).toBe("2 games moved to worker 4, at the turn that they had reached. The others stayed.")
    expect(marks).toEqual(["start 4"])
  })

  it("waits for the first game, which may come late", () => {
    chronicle.drained(4, 40)
    answers(5, 10, 6)
    report()
    chronicle.started(4, 41)
    chronicle.up(4, 41)
    report([], 10_000)
    answers(5, 41, 7)
    report([], 10_000)
    report([], 2_500)
    expect(said.at(-1)).toBe("1 game moved to worker 4, at the turn that it had reached. The others stayed.")
    chronicle.killed(4, 41)
    chronicle.started(4, 42)
    chronicle.up(4, 42)
    answers(5, 10, 1)
    report([], 2_500)
    const lines = said.length
    report([], 60_000)
    expect(said).toHaveLength(lines)
  })

  it("says nothing of games if none moves to it, or if it is killed before", () => {
    chronicle.killed(4, 40)
    chronicle.started(4, 41)
    chronicle.up(4, 41)
    chronicle.killed(4, 41)
    const lines = said.length
    answers(5, 10, 1)
    report([], 5_000)
    expect(said.slice(lines)).toEqual([
      expect.stringContaining("The game of worker 4 started anew on worker 1"),
      "Worker 4 had no unanswered job.",
    ])
  })
})

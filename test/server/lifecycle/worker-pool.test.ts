import type { Worker } from "node:cluster"
import { EventEmitter } from "node:events"
import { expect, test } from "vitest"
import { FIRST_DELAY_MS, HEALTHY_UPTIME_MS } from "../../../src/server/lifecycle/restart-backoff.ts"
import { WorkerPool } from "../../../src/server/lifecycle/worker-pool.ts"
import type { WorkerDeath } from "../../../src/server/lifecycle/worker-pool.ts"
import { clock } from "../../support/clock.ts"

/** A worker without a process. The test decides when it listens and when it ends. */
class FakeWorker extends EventEmitter {
  readonly id: number
  readonly process: { pid: number | undefined; kill(signal: string): void }
  readonly sent: unknown[] = []
  readonly signals: string[] = []
  #isDead = false

  constructor(id: number) {
    super()
    this.id = id
    const kill = (signal: string): void => {
      this.signals.push(signal)
      this.end(null, signal)
    }
    this.process = { pid: 1_000 + id, kill }
  }

  listen(): void {
    // The program of the worker opens another port first.
    for (const port of [3_000, 4_000]) {
      this.emit("message", ["rollcall-workers", "listening", { port, address: "127.0.0.1" }])
    }
  }

  end(code: number | null, signal: string | null = null): void {
    if (this.#isDead) return
    this.#isDead = true
    this.emit("exit", code, signal)
  }

  isDead(): boolean {
    return this.#isDead
  }

  send(message: unknown): boolean {
    this.sent.push(message)
    return true
  }
}

/** A pool of `count` workers, all workers that it has forked so far, and the deaths that it has reported. */
function newPool(count: number) {
  const timers = clock()
  const forked: FakeWorker[] = []
  const deaths: WorkerDeath[] = []
  const pool = new WorkerPool({
    count,
    fork() {
      const worker = new FakeWorker(forked.length + 1)
      forked.push(worker)
      return worker as unknown as Worker
    },
    isOwnPort: (port) => port === 4_000,
    signal: "SIGTERM",
    graceMs: 1_000,
    timers,
    random: () => 1,
    onDeath: (death) => deaths.push(death),
  })
  return { pool, timers, forked, deaths }
}

async function startedPool(count: number) {
  const made = newPool(count)
  const started = made.pool.start()
  for (const worker of made.forked) worker.listen()
  expect(await started).toEqual({ port: 4_000, address: "127.0.0.1" })
  return made
}

test("the death of a worker is reported with its number, process, exit and uptime, and it is started again", async () => {
  const { forked, deaths, timers, pool } = await startedPool(2)
  timers.advance(HEALTHY_UPTIME_MS)
  forked[0]?.end(null, "SIGSEGV")
  forked[1]?.end(3)
  expect(deaths).toEqual([
    { worker: 1, pid: 1_001, code: null, signal: "SIGSEGV", uptimeMs: HEALTHY_UPTIME_MS, restartInMs: 0 },
    { worker: 2, pid: 1_002, code: 3, signal: null, uptimeMs: HEALTHY_UPTIME_MS, restartInMs: 0 },
  ])
  timers.advance(0)
  expect(pool.workers.map(({ id }) => id)).toEqual([3, 4])
})

test("a worker that dies again and again is started after longer and longer waits; the others are not affected", async () => {
  const { forked, deaths, timers } = await startedPool(2)
  for (const delay of [FIRST_DELAY_MS, 2 * FIRST_DELAY_MS, 4 * FIRST_DELAY_MS]) {
    const count = forked.length
    forked.at(-1)?.end(1)
    expect(deaths.at(-1)?.restartInMs).toBe(delay)
    timers.advance(delay - 1)
    expect(forked).toHaveLength(count)
    timers.advance(1)
    expect(forked).toHaveLength(count + 1)
  }
  forked[0]?.end(1)
  expect(deaths.at(-1)).toMatchObject({ worker: 1, restartInMs: FIRST_DELAY_MS })
})

test("a worker that could not be started counts as a death", async () => {
  const { forked, deaths, timers } = await startedPool(1)
  forked[0]?.end(1)
  timers.advance(FIRST_DELAY_MS)
  const second = forked[1] as FakeWorker
  second.process.pid = undefined
  second.emit("error", new Error("spawn EAGAIN"))
  expect(deaths.at(-1)).toMatchObject({ worker: 2, pid: undefined, code: null, signal: null })
  timers.advance(2 * FIRST_DELAY_MS)
  expect(forked).toHaveLength(3)
})

test("closing cancels the restart of a dead worker, and reports no death of the workers that it ends", async () => {
  const { forked, deaths, timers, pool } = await startedPool(2)
  forked[0]?.end(1)
  const closed = pool.close()
  expect(pool.close()).toBe(closed)
  await closed
  expect(timers.pending).toBe(0)
  expect(forked.map(({ signals }) => signals)).toEqual([[], ["SIGTERM"]])
  expect(deaths).toHaveLength(1)
})

test("a worker that is asked to close is sent the signal once it has closed, and killed when it takes too long", async () => {
  const { forked, timers, pool } = await startedPool(2)
  const [quick, slow] = forked as [FakeWorker, FakeWorker]
  for (const worker of forked) worker.emit("message", ["rollcall-workers", "hears"])
  const closed = pool.close()
  for (const worker of forked) expect(worker.sent).toEqual([["rollcall-workers", "close"]])
  quick.emit("message", ["rollcall-workers", "closed"])
  expect([quick.signals, slow.signals]).toEqual([["SIGTERM"], []])
  timers.advance(1_000)
  expect(slow.signals).toEqual(["SIGKILL"])
  await closed
})

test("closing ends a start: workers that listen are asked to close, the others are sent the signal, and none is killed", async () => {
  const { forked, deaths, timers, pool } = newPool(2)
  const started = pool.start()
  const [listening, starting] = forked as [FakeWorker, FakeWorker]
  listening.emit("message", ["rollcall-workers", "hears"])
  listening.listen()
  const closed = pool.close()
  // The start has failed by now, as one worker has ended.
  await new Promise((resolve) => setImmediate(resolve))
  expect([listening.sent, listening.signals]).toEqual([[["rollcall-workers", "close"]], []])
  listening.emit("message", ["rollcall-workers", "closed"])
  await expect(started).rejects.toMatchObject({ code: "config" })
  await closed
  expect([listening.signals, starting.signals]).toEqual([["SIGTERM"], ["SIGTERM"]])
  expect([deaths, timers.pending, pool.workers]).toEqual([[], 0, []])
})

test("when a worker ends before it listens, the start fails, and the others are killed", async () => {
  const { forked, deaths, timers, pool } = newPool(3)
  const started = pool.start()
  forked[0]?.listen()
  forked[1]?.end(null, "SIGSEGV")
  await expect(started).rejects.toMatchObject({
    code: "config",
    message: "expected each worker to listen, got one that ended by SIGSEGV before that",
  })
  expect(forked.map(({ signals }) => signals)).toEqual([["SIGKILL"], [], ["SIGKILL"]])
  expect([deaths, timers.pending, pool.workers]).toEqual([[], 0, []])
})

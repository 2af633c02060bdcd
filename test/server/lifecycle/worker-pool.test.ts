import type { Worker } from "node:cluster"
import { EventEmitter } from "node:events"
import { expect, test } from "vitest"
import { FIRST_DELAY_MS, HEALTHY_UPTIME_MS } from "../../../src/server/lifecycle/restart-backoff.ts"
import type { ServedPort } from "../../../src/server/lifecycle/served-ports.ts"
import { SLOW_START_MS, WorkerPool } from "../../../src/server/lifecycle/worker-pool.ts"
import type { SlowWorker, WorkerDeath } from "../../../src/server/lifecycle/worker-pool.ts"
import { clock } from "../../support/clock.ts"
import { linked } from "../../support/linked.ts"

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
  const port: ServedPort = { requested: 4_000, ordinal: 0 }
  const ports: ServedPort[] = [port, { requested: 4_001, ordinal: 0 }]
  const deaths: WorkerDeath[] = []
  const slow: SlowWorker[] = []
  const pool = new WorkerPool({
    count,
    fork() {
      const worker = new FakeWorker(forked.length + 1)
      forked.push(worker)
      return worker as unknown as Worker
    },
    port,
    ports: { find: ({ requested }) => ports.find((each) => each.requested === requested) },
    signal: "SIGTERM",
    graceMs: 1_000,
    timers,
    random: () => 1,
    onDeath: (death) => deaths.push(death),
    onSlowStart: (worker) => slow.push(worker),
  })
  return { pool, timers, forked, deaths, slow, ports }
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
    message: linked("expected each worker to listen, got one that ended by SIGSEGV before that"),
  })
  expect(forked.map(({ signals }) => signals)).toEqual([["SIGKILL"], [], ["SIGKILL"]])
  expect([deaths, timers.pending, pool.workers]).toEqual([[], 0, []])
})

/** A worker's message that it has opened a port. It has an ordinal if it serves the port with other workers. */
const listens = (port: number, requested: number, ordinal?: number): unknown => [
  "rollcall-workers",
  "listening",
  { port, address: "127.0.0.1", requested, ...(ordinal !== undefined && { ordinal }) },
]

test("a worker that first opens the ports of other pools is waited for", async () => {
  const { forked, pool } = newPool(1)
  const started = pool.start()
  forked[0]?.emit("message", listens(4_001, 4_001, 0))
  forked[0]?.emit("message", listens(4_000, 4_000, 0))
  expect(await started).toEqual({ port: 4_000, address: "127.0.0.1" })
})

test("a worker that serves another port with workers fails the start, which would otherwise wait for ever", async () => {
  const { forked, timers, pool } = newPool(2)
  const started = pool.start()
  forked[0]?.emit("message", listens(3_000, 3_000))
  forked[0]?.emit("message", listens(5_000, 5_000, 0))
  await expect(started).rejects.toMatchObject({
    code: "config",
    message: expect.stringContaining(
      "expected each worker to listen on port 4000, as the primary does, got one that listens on port 5000",
    ),
  })
  expect([timers.pending, pool.workers]).toEqual([0, []])
})

test("a start fails with address_in_use if a worker finds the port in use, not if it finds another one in use", async () => {
  const { forked, timers, pool } = newPool(2)
  const started = pool.start()
  const inUse = (requested: number): unknown => ["rollcall-workers", "in-use", { requested, ordinal: 0 }]
  forked[0]?.emit("message", inUse(5_000))
  forked[1]?.emit("message", inUse(4_000))
  forked[1]?.end(1)
  await expect(started).rejects.toMatchObject({
    code: "address_in_use",
    message: linked(
      "expected port 4000 to be free, got one that is in use: end the program that listens on it, or choose another port",
      "address_in_use",
    ),
  })
  expect(forked[0]?.signals).toEqual(["SIGKILL"])
  expect([timers.pending, pool.workers]).toEqual([0, []])
})

test("a worker that does not listen in time is reported once, with the ports that it has opened, and still waited for", async () => {
  const { forked, timers, pool, slow } = newPool(2)
  const started = pool.start()
  forked[0]?.listen()
  forked[1]?.emit("message", listens(5_000, 5_000))
  timers.advance(2 * SLOW_START_MS)
  expect(slow).toEqual([{ port: 4_000, worker: 2, pid: 1_002, opened: [5_000] }])
  forked[1]?.listen()
  expect(await started).toEqual({ port: 4_000, address: "127.0.0.1" })
  expect([timers.pending, pool.workers.length]).toEqual([0, 2])
})

test("a worker that is started again and opens another port than the pool's is killed, so that it starts once more", async () => {
  const { forked, timers, deaths } = await startedPool(2)
  forked[0]?.end(1)
  timers.advance(FIRST_DELAY_MS)
  forked[2]?.emit("message", listens(4_002, 4_000, 0))
  expect(forked[2]?.signals).toEqual(["SIGKILL"])
  expect(deaths).toHaveLength(2)
  timers.advance(2 * FIRST_DELAY_MS)
  forked[3]?.emit("message", listens(4_000, 4_000, 0))
  forked[3]?.emit("message", listens(5_000, 5_000))
  expect(forked[3]?.signals).toEqual([])
})

test("a port that is closed is closed in the workers of other pools, in new ones once they have opened their own", async () => {
  const { forked, timers, pool, ports } = await startedPool(2)
  const other = ports[1] as ServedPort
  for (const port of [4_001, 4_000]) forked[1]?.emit("message", listens(port, port, 0))
  const closed = { requested: 4_001, ordinal: 0 }
  other.closed = "server"
  pool.closePort(other)
  expect(forked.map(({ sent }) => sent)).toEqual([
    [],
    [["rollcall-workers", "close-port", { ...closed, closed: "server" }]],
  ])
  forked[0]?.end(1)
  timers.advance(FIRST_DELAY_MS)
  forked[2]?.emit("message", listens(4_001, 4_001, 0))
  pool.closePort(other)
  expect(forked[2]?.sent).toEqual([])
  forked[2]?.emit("message", listens(4_000, 4_000, 0))
  expect(forked[2]?.sent).toEqual([["rollcall-workers", "close-port", { ...closed, closed: "port" }]])
})

import { fork } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { afterEach, beforeEach, expect, test } from "vitest"
import { disconnectAll, officialSocket, reply } from "../../support/phoenix-client.ts"
import { scrape } from "../../support/scrape.ts"

// `listen({ workers: 2, operations })`: the primary, which serves no clients, reports on its workers.

let primary: ChildProcess
let url: string
let operations: string

beforeEach(async () => {
  primary = fork("test/support/workers-server.js")
  const listening = new Promise<{ url: string; operations: string }>((resolve, reject) => {
    primary.once("message", resolve)
    primary.once("exit", (code) => reject(new Error(`the primary ended with ${code} before it listened`)))
  })
  ;({ url, operations } = await listening)
})
afterEach(async () => {
  disconnectAll()
  const ended = once(primary, "exit")
  primary.kill("SIGTERM")
  await ended
})

/** Connects clients until both workers have one, and returns the process of each client. */
async function clientsOnBothWorkers(): Promise<number[]> {
  const pids: number[] = []
  while (new Set(pids).size < 2) {
    const channel = officialSocket(url, { name: `user${pids.length}` }).channel("rooms:1", {})
    pids.push((await reply(channel.join())).response.pid as number)
  }
  return pids
}

const ready = async (): Promise<[status: number, body: unknown]> => {
  const response = await fetch(`${operations}/ready`)
  return [response.status, await response.json()]
}

/** The values of a metric, by worker. */
async function byWorker(name: string): Promise<Record<string, number>> {
  const series = [...(await scrape(operations))].filter(([series]) => series.startsWith(`${name}{`))
  return Object.fromEntries(series.map(([series, value]) => [/worker="(\w+)"/.exec(series)?.[1], value]))
}

test("the metrics of each worker have its label, and the primary adds those of its own process", async () => {
  const clients = await clientsOnBothWorkers()
  // A worker whose event loop is late is left out of one report.
  await expect.poll(async () => Object.keys(await byWorker("rollcall_connections"))).toEqual(["1", "2"])
  await expect
    .poll(async () => Object.values(await byWorker("rollcall_connections")).reduce((sum, value) => sum + value, 0))
    .toBe(clients.length)
  await expect.poll(() => byWorker("rollcall_tracker_rows")).toEqual({ 1: clients.length, 2: clients.length })
  await expect
    .poll(async () => Object.keys(await byWorker("nodejs_eventloop_lag_p99_seconds")))
    .toEqual(["1", "2", "primary"])
})

test("the primary is ready only when both workers are; the metrics of one that is blocked are left out", async () => {
  const [pid] = (await clientsOnBothWorkers()) as [number]
  await expect.poll(ready).toEqual([200, { ready: true }])
  process.kill(pid, "SIGSTOP")
  const noAnswer = expect.stringMatching(/^worker \d: no answer$/)
  await expect.poll(ready).toEqual([503, { ready: false, reasons: [noAnswer] }])
  await expect.poll(async () => Object.keys(await byWorker("rollcall_connections"))).toHaveLength(1)
  process.kill(pid, "SIGCONT")
  await expect.poll(ready).toEqual([200, { ready: true }])
})

/** The connects of each worker, from one report with both: a worker whose event loop is late is left out of others. */
async function connectsOfBoth(): Promise<Record<string, number>> {
  let connects: Record<string, number> = {}
  await expect.poll(async () => Object.keys((connects = await byWorker("rollcall_connects_total")))).toHaveLength(2)
  return connects
}

test("the death of a worker is logged and counted by the primary, and the other worker's counters go on", async () => {
  const [pid] = (await clientsOnBothWorkers()) as [number]
  const before = await connectsOfBoth()
  const logged = once(primary, "message")
  process.kill(pid, "SIGKILL")
  const [log] = await logged
  expect(log).toMatchObject({
    message: "a worker process ended and will be started again",
    details: { pid, worker: expect.any(Number), code: null, signal: "SIGKILL", uptimeMs: expect.any(Number) },
  })
  await expect.poll(() => byWorker("rollcall_connects_total")).toHaveProperty("3")
  await expect.poll(ready).toEqual([200, { ready: true }])
  const after = await connectsOfBoth()
  const [survivor] = Object.keys(after) as [string]
  expect(after[survivor]).toBeGreaterThanOrEqual(before[survivor] as number)
  const deaths = 'rollcall_drops_total{reason="worker_deaths",worker="primary"}'
  expect((await scrape(operations)).get(deaths)).toBe(1)
})

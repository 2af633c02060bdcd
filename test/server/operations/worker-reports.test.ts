import { fork } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { afterEach, beforeEach, expect, test } from "vitest"
import { disconnectAll, officialSocket, reply } from "../../support/phoenix-client.ts"
import { scrape } from "../../support/scrape.ts"

// `listen({ workers: 2, operations })`: the primary, who serves nobody, answers for those who do.

/** A worker takes its time to start. */
const PATIENCE = { timeout: 20_000 }

let primary: ChildProcess
let url: string
let operations: string

beforeEach(async () => {
  primary = fork("test/support/workers-server.js")
  const told = new Promise<{ url: string; operations: string }>((resolve, reject) => {
    primary.once("message", resolve)
    primary.once("exit", (code) => reject(new Error(`the primary ended with ${code} before it listened`)))
  })
  ;({ url, operations } = await told)
})
afterEach(async () => {
  disconnectAll()
  const ended = new Promise((resolve) => primary.once("exit", resolve))
  primary.kill("SIGTERM")
  await ended
})

/** Members until both workers have one, and the processes that they came to. */
async function membersOfBoth(): Promise<number[]> {
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

/** A metric's values, by worker. */
async function byWorker(name: string): Promise<Record<string, number>> {
  const series = [...(await scrape(operations))].filter(([series]) => series.startsWith(`${name}{`))
  return Object.fromEntries(series.map(([series, value]) => [/worker="(\w+)"/.exec(series)?.[1], value]))
}

test("each worker's metrics are there, and add up; the primary has the process's alone", async () => {
  const members = await membersOfBoth()
  const connections = await byWorker("rollcall_connections")
  expect(Object.keys(connections)).toEqual(["1", "2"])
  expect(Object.values(connections).reduce((sum, value) => sum + value)).toBe(members.length)
  await expect.poll(() => byWorker("rollcall_tracker_rows"), PATIENCE).toEqual({ 1: members.length, 2: members.length })
  expect(Object.keys(await byWorker("nodejs_eventloop_lag_p99_seconds"))).toEqual(["1", "2", "primary"])
})

test("all are ready when each of them is; one that does not answer holds up nobody's metrics", async () => {
  const [pid] = (await membersOfBoth()) as [number]
  expect(await ready()).toEqual([200, { ready: true }])
  process.kill(pid, "SIGSTOP")
  const [status, body] = await ready()
  expect([status, body]).toEqual([503, { ready: false, reasons: [expect.stringMatching(/^worker \d: no answer$/)] }])
  expect(Object.keys(await byWorker("rollcall_connections"))).toHaveLength(1)
  process.kill(pid, "SIGCONT")
  await expect.poll(ready, PATIENCE).toEqual([200, { ready: true }])
})

test("a worker that dies is replaced, and the others' counters go on from where they were", async () => {
  const [pid, ...others] = (await membersOfBoth()) as [number, ...number[]]
  const before = await byWorker("rollcall_connects_total")
  process.kill(pid, "SIGKILL")
  await expect.poll(() => byWorker("rollcall_connects_total"), PATIENCE).toHaveProperty("3")
  const after = await byWorker("rollcall_connects_total")
  const [survivor] = Object.keys(after) as [string]
  expect(others.length).toBeGreaterThan(0)
  expect(after[survivor]).toBeGreaterThanOrEqual(before[survivor] as number)
  await expect.poll(ready, PATIENCE).toEqual([200, { ready: true }])
})

/** The demo's worker processes never outlive what needs them. */
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { expect, it, onTestFinished } from "vitest"
import { WebSocket } from "ws"
import { serveServices } from "../../demo/bundle/services/channel.js"
import { connect } from "../../src/client/index.ts"
import type { Connection, Transport } from "../../src/client/index.ts"
import { createServer } from "../../src/server/index.ts"
import { freePort } from "../support/free-port.js"
import { until } from "../support/until.ts"

/** Whether a process runs. One that has ended, and that nobody has waited for, does not. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}

/** Joins the services, which starts the processes, and returns the pids of the workers once all of them are up. */
async function workerPids(port: number): Promise<{ pids: number[]; connection: Connection }> {
  const connection = connect(`ws://localhost:${port}/socket`, { transport: WebSocket as unknown as Transport })
  onTestFinished(() => connection.disconnect())
  const room = connection.room<{ pid?: number; state?: string }>("services")
  const up = (): number[] => room.list().flatMap(({ metas: [{ pid, state }] }) => (state === "up" && pid ? [pid] : []))
  await until(() => up().length === 4)
  return { pids: up(), connection }
}

it.each(["SIGTERM", "SIGINT", "SIGKILL"] as const)("end with the demo's server, after %s", async (signal) => {
  const port = await freePort()
  const env = { ...process.env, PORT: String(port) }
  // The children inherit the standard error: it is closed once all of them have ended.
  const main = spawn(process.execPath, ["demo/bundle/server.js"], { env, stdio: ["ignore", "pipe", "pipe"] })
  onTestFinished(() => void main.kill("SIGKILL"))
  let errors = ""
  main.stderr.on("data", (text) => (errors += String(text)))
  await new Promise((resolve) => main.stdout.once("data", resolve))
  const { pids } = await workerPids(port)
  expect(pids.every(isRunning)).toBe(true)
  const closed = new Promise((resolve) => main.once("close", resolve))
  main.kill(signal)
  await closed
  expect(pids.filter(isRunning)).toEqual([])
  expect(errors).toBe("")
})

it("end after the last page has left, and start again with the next one", async () => {
  const server = createServer()
  onTestFinished(() => server.close())
  server.socket("/socket", { connect: () => ({}) })
  serveServices(server, 0)
  const { port } = await server.listen({ port: await freePort(), signals: false })
  const first = await workerPids(port)
  first.connection.disconnect()
  await until(() => !first.pids.some(isRunning))
  const second = await workerPids(port)
  expect(second.pids.filter((pid) => first.pids.includes(pid))).toEqual([])
  second.connection.disconnect()
  await until(() => !second.pids.some(isRunning))
})

it("stay while one page is left", async () => {
  const server = createServer()
  onTestFinished(() => server.close())
  server.socket("/socket", { connect: () => ({}) })
  serveServices(server, 0)
  const { port } = await server.listen({ port: await freePort(), signals: false })
  const [first, second] = [await workerPids(port), await workerPids(port)]
  expect(second.pids).toEqual(first.pids)
  const room = second.connection.room("services")
  const ticks = { count: 0 }
  room.on("tick", () => (ticks.count += 1))
  first.connection.disconnect()
  const before = ticks.count
  await until(() => ticks.count > before + 2)
  expect(first.pids.every(isRunning)).toBe(true)
})

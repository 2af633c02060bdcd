import { spawn } from "node:child_process"
import { describe, expect, it, onTestFinished, test } from "vitest"
import { createServer } from "../../../src/server/index.ts"
import { Client } from "../../support/serve.ts"
import { until } from "../../support/until.ts"
import { WireSocket } from "../../support/wire-socket.ts"

const closedWith = (code: number): unknown => ({ event: "close", code, reason: "" })
/** Limits with which a shutdown closes one connection at once, and the next one only after a minute. */
const SLOW_DRAIN = { drainBatch: 1, drainIntervalMs: 60_000, drainTimeoutMs: 60_000 }

/** A program's report about its workers: the process of a channel that left, or how a worker ended. */
interface WorkerReport {
  readonly left?: number
  readonly end?: number | string
}

/** Starts a server program in a process group of its own, as a terminal does. */
async function startProgram(options: object = {}) {
  const args = ["test/support/signals-server.js", JSON.stringify(options)]
  const child = spawn(process.execPath, args, { detached: true, stdio: ["ignore", "inherit", "inherit", "ipc"] })
  // Not at `exit`, which may come before the last reports have been read.
  const ended = new Promise<number | string>((resolve) => {
    child.once("close", (code, signal) => resolve(code ?? signal ?? "nothing"))
  })
  onTestFinished(() => void trySignal(-(child.pid as number), "SIGKILL"))
  const reports: WorkerReport[] = []
  child.on("message", (message: WorkerReport) => reports.push(message))
  const ports = await new Promise<number[]>((resolve, reject) => {
    child.once("message", ({ ports }: { ports: number[] }) => resolve(ports))
    child.once("exit", (code) => reject(new Error(`the program ended with ${code} before it listened`)))
  })
  async function client(port = ports[0]): Promise<Client> {
    const client = new Client(new WireSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`))
    onTestFinished(() => void client.socket.raw.destroy())
    await client.next()
    return client
  }
  return {
    ports,
    client,
    ended,
    /** The reports about its workers so far. */
    reports,
    /** Makes the program call `server.close()`, and then end by itself. */
    close: () => void child.send("close"),
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    /** Signals every process of the program, as Ctrl-C and an init system do. */
    killAll: (signal: NodeJS.Signals) => trySignal(-(child.pid as number), signal),
  }
}

/** Sends a signal, and returns whether there was a process to receive it. The signal 0 only checks that. */
function trySignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

describe("a program with a server that listens", () => {
  it.each(["SIGTERM", "SIGINT"] as const)("closes its server at %s, and then ends by that signal", async (signal) => {
    const { client, kill, ended } = await startProgram()
    const [one, two] = [await client(), await client()]
    kill(signal)
    for (const each of [one, two]) expect(await each.next()).toEqual(closedWith(1012))
    expect(await ended).toBe(signal)
  })

  it("ends at once by a second signal, even if connections are still being closed", async () => {
    const { client, kill, ended } = await startProgram(SLOW_DRAIN)
    const [one, two] = [await client(), await client()]
    kill("SIGTERM")
    expect(await one.next()).toEqual(closedWith(1012))
    kill("SIGINT")
    expect(await ended).toBe("SIGINT")
    expect(await two.next()).toEqual(closedWith(1006))
  })

  it("is not ended by the server if it listens to the signal itself", async () => {
    const { client, kill, ended } = await startProgram({ own: "SIGTERM" })
    const one = await client()
    kill("SIGTERM")
    expect(await one.next()).toEqual(closedWith(1012))
    expect(await ended).toBe(7)
  })

  it("ends when all of its servers have closed", async () => {
    const { ports, client, kill, ended } = await startProgram({ servers: 2, drainBatch: 1 })
    const clients = [await client(ports[0]), await client(ports[1]), await client(ports[1])]
    kill("SIGTERM")
    for (const each of clients) expect(await each.next()).toEqual(closedWith(1012))
    expect(await ended).toBe("SIGTERM")
  })

  it("ends without closing its server at a signal that the option does not name", async () => {
    for (const listen of [{ signals: false }, { signals: ["SIGINT"] }]) {
      const { client, kill, ended } = await startProgram({ listen })
      const one = await client()
      kill("SIGTERM")
      expect(await one.next()).toEqual(closedWith(1006))
      expect(await ended).toBe("SIGTERM")
    }
  })
})

test("a server that is only attached to an HTTP server does not listen to signals", async () => {
  const { client, kill, ended } = await startProgram({ attached: true })
  const one = await client()
  kill("SIGTERM")
  expect(await one.next()).toEqual(closedWith(1006))
  expect(await ended).toBe("SIGTERM")
})

test("a server that has closed does not listen to signals any more", async () => {
  const before = process.listenerCount("SIGTERM")
  const servers = [createServer(), createServer()]
  for (const server of servers) await server.listen({ port: 0, host: "127.0.0.1" })
  expect(process.listenerCount("SIGTERM")).toBe(before + 1)
  await servers[0]?.close()
  expect(process.listenerCount("SIGTERM")).toBe(before + 1)
  await servers[1]?.close()
  expect(process.listenerCount("SIGTERM")).toBe(before)
})

describe("workers", () => {
  it("serve the ports of all servers of their program, beside ports that it opens itself", async () => {
    const { ports, client, kill, ended } = await startProgram({ servers: 2, other: true, listen: { workers: 1 } })
    expect(new Set(ports).size).toBe(2)
    const clients = [await client(ports[0]), await client(ports[1])]
    for (const each of clients) expect(await each.join("rooms:1")).toMatchObject({ status: "ok" })
    kill("SIGTERM")
    for (const each of clients) expect(await each.next()).toEqual(closedWith(1012))
    expect(await ended).toBe("SIGTERM")
  })

  async function clientsOnBothWorkers(options: object = {}) {
    const started = await startProgram({ listen: { workers: 2 }, ...options })
    const clients: Client[] = []
    const pids = new Set<number>()
    // At least one client on each, and two on one of them.
    while (pids.size < 2 || clients.length < 3) {
      const client = await started.client()
      const { response } = (await client.join("rooms:1")) as { response: { pid: number } }
      clients.push(client)
      pids.add(response.pid)
    }
    return { ...started, clients, pids: [...pids] }
  }

  it.each([
    ["the primary gets SIGTERM", "kill", "SIGTERM"],
    ["all processes get SIGINT", "killAll", "SIGINT"],
    ["all processes get SIGTERM", "killAll", "SIGTERM"],
  ] as const)("drain, and end together with their primary, when %s", async (_when, how, signal) => {
    // At least two batches for one of them: the primary's request must not interrupt a worker that is draining already.
    const { clients, ended, pids, ...program } = await clientsOnBothWorkers({ drainBatch: 1 })
    program[how](signal)
    for (const each of clients) expect(await each.next()).toEqual(closedWith(1012))
    expect(await ended).toBe(signal)
    expect(pids.filter((pid) => trySignal(pid, 0))).toEqual([])
  })

  it("close when the program closes the primary's server, although they listen to no signal", async () => {
    const { clients, ended, reports, close } = await clientsOnBothWorkers({
      listen: { workers: 2, signals: false },
      drainBatch: 1,
    })
    close()
    for (const each of clients) expect(await each.next()).toEqual(closedWith(1012))
    expect(await ended).toBe(0)
    expect(reports.filter(({ left }) => left !== undefined)).toHaveLength(clients.length)
    expect(reports.flatMap(({ end }) => end ?? [])).toEqual(["SIGTERM", "SIGTERM"])
  })

  it.each([
    ["the primary", "kill"],
    ["all processes", "killAll"],
  ] as const)(
    "are not ended by their primary if they listen to the signal themselves, which is sent to %s",
    async (_receiver, how) => {
      const { clients, ended, reports, ...program } = await clientsOnBothWorkers({ own: "SIGTERM" })
      program[how]("SIGTERM")
      for (const each of clients) expect(await each.next()).toEqual(closedWith(1012))
      expect(await ended).toBe(7)
      expect(reports.flatMap(({ end }) => end ?? [])).toEqual([7, 7])
    },
  )

  it("end at once when their primary gets a second signal", async () => {
    const { clients, ended, killAll } = await clientsOnBothWorkers(SLOW_DRAIN)
    killAll("SIGINT")
    expect(await Promise.race(clients.map((each) => each.next()))).toEqual(closedWith(1012))
    // A worker may close before the primary has handled the first signal, and two pending signals of one kind count as
    // one.
    let isOver = false
    void ended.then(() => (isOver = true))
    await until(() => isOver || !killAll("SIGINT"))
    expect(await ended).toBe("SIGINT")
    await Promise.all(clients.map((each) => each.socket.inbox.count(3)))
    expect(clients.map((each) => each.socket.inbox.items[2])).toContainEqual(closedWith(1006))
  })
})

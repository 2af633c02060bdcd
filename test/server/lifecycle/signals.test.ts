import { spawn } from "node:child_process"
import { describe, expect, it, onTestFinished, test } from "vitest"
import { createServer } from "../../../src/server/index.ts"
import { Client } from "../../support/serve.ts"
import { until } from "../../support/until.ts"
import { WireSocket } from "../../support/wire-socket.ts"

const told = (code: number): unknown => ({ event: "close", code, reason: "" })
/** The first client goes at once, and the second only after a minute. */
const SLOW = { drainBatch: 1, drainIntervalMs: 60_000, drainTimeoutMs: 60_000 }

/** What a program tells of its workers. */
interface Said {
  readonly left?: number
  readonly end?: number | string
}

/** A program of its own, in a process group of its own, as a terminal starts it. */
async function program(options: object = {}) {
  const args = ["test/support/signals-server.js", JSON.stringify(options)]
  const child = spawn(process.execPath, args, { detached: true, stdio: ["ignore", "inherit", "inherit", "ipc"] })
  const ended = new Promise<number | string>((resolve) => {
    child.once("exit", (code, signal) => resolve(code ?? signal ?? "nothing"))
  })
  onTestFinished(() => void send(-(child.pid as number), "SIGKILL"))
  const said: Said[] = []
  child.on("message", (message: Said) => said.push(message))
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
    /** What its workers have told of who left, and how they ended. */
    said,
    /** Has the program close its server by itself, and end when nothing is left to do. */
    close: () => void child.send("close"),
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    /** As Ctrl-C does, and an init system that ends a service: every process of the program is told. */
    killAll: (signal: NodeJS.Signals) => send(-(child.pid as number), signal),
  }
}

/** Whether there was anybody to be told; 0 only asks. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

describe("a program that listens", () => {
  it.each(["SIGTERM", "SIGINT"] as const)("is closed by %s, and then ends by it", async (signal) => {
    const { client, kill, ended } = await program()
    const [one, two] = [await client(), await client()]
    kill(signal)
    for (const each of [one, two]) expect(await each.next()).toEqual(told(1012))
    expect(await ended).toBe(signal)
  })

  it("ends at once by a second signal, whatever is still to be drained", async () => {
    const { client, kill, ended } = await program(SLOW)
    const [one, two] = [await client(), await client()]
    kill("SIGTERM")
    expect(await one.next()).toEqual(told(1012))
    kill("SIGINT")
    expect(await ended).toBe("SIGINT")
    expect(await two.next()).toEqual(told(1006))
  })

  it("ends by itself where it listens to the signal, too", async () => {
    const { client, kill, ended } = await program({ own: "SIGTERM" })
    const one = await client()
    kill("SIGTERM")
    expect(await one.next()).toEqual(told(1012))
    expect(await ended).toBe(7)
  })

  it("ends once all of its servers are closed", async () => {
    const { ports, client, kill, ended } = await program({ servers: 2, drainBatch: 1 })
    const clients = [await client(ports[0]), await client(ports[1]), await client(ports[1])]
    kill("SIGTERM")
    for (const each of clients) expect(await each.next()).toEqual(told(1012))
    expect(await ended).toBe("SIGTERM")
  })

  it("is not closed by signals that it does not name", async () => {
    for (const listen of [{ signals: false }, { signals: ["SIGINT"] }]) {
      const { client, kill, ended } = await program({ listen })
      const one = await client()
      kill("SIGTERM")
      expect(await one.next()).toEqual(told(1006))
      expect(await ended).toBe("SIGTERM")
    }
  })
})

test("a server on an HTTP server of one's own leaves signals alone", async () => {
  const { client, kill, ended } = await program({ attached: true })
  const one = await client()
  kill("SIGTERM")
  expect(await one.next()).toEqual(told(1006))
  expect(await ended).toBe("SIGTERM")
})

test("a closed server listens to no signal any more", async () => {
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
  async function onBothWorkers(options: object = {}) {
    const running = await program({ listen: { workers: 2 }, ...options })
    const clients: Client[] = []
    const pids = new Set<number>()
    // Both have one, and one of them has another.
    while (pids.size < 2 || clients.length < 3) {
      const client = await running.client()
      const { response } = (await client.join("rooms:1")) as { response: { pid: number } }
      clients.push(client)
      pids.add(response.pid)
    }
    return { ...running, clients, pids: [...pids] }
  }

  it.each([
    ["by SIGTERM", "kill", "SIGTERM"],
    ["by SIGINT, as its workers are", "killAll", "SIGINT"],
    ["by SIGTERM, as its workers are", "killAll", "SIGTERM"],
  ] as const)("drain and end with their primary, which is told %s", async (_how, how, signal) => {
    // Two batches at least for one of them: what the primary says to a worker that drains already does not cut that short.
    const { clients, ended, pids, ...running } = await onBothWorkers({ drainBatch: 1 })
    running[how](signal)
    for (const each of clients) expect(await each.next()).toEqual(told(1012))
    expect(await ended).toBe(signal)
    expect(pids.filter((pid) => send(pid, 0))).toEqual([])
  })

  it("close with a server that their program closes by itself, though they listen to no signal", async () => {
    const { clients, ended, said, close } = await onBothWorkers({
      listen: { workers: 2, signals: false },
      drainBatch: 1,
    })
    close()
    for (const each of clients) expect(await each.next()).toEqual(told(1012))
    expect(await ended).toBe(0)
    expect(said.filter(({ left }) => left !== undefined)).toHaveLength(clients.length)
    expect(said.flatMap(({ end }) => end ?? [])).toEqual(["SIGTERM", "SIGTERM"])
  })

  it.each([
    ["alone", "kill"],
    ["as they are", "killAll"],
  ] as const)(
    "are left to end by themselves where they listen to the signal, and their primary is told %s",
    async (_how, how) => {
      const { clients, ended, said, ...running } = await onBothWorkers({ own: "SIGTERM" })
      running[how]("SIGTERM")
      for (const each of clients) expect(await each.next()).toEqual(told(1012))
      expect(await ended).toBe(7)
      expect(said.flatMap(({ end }) => end ?? [])).toEqual([7, 7])
    },
  )

  it("end at once with a primary that is told a second time", async () => {
    const { clients, ended, killAll } = await onBothWorkers(SLOW)
    killAll("SIGINT")
    expect(await Promise.race(clients.map((each) => each.next()))).toEqual(told(1012))
    // A worker may be told before the primary has got round to it, and two signals that wait are one.
    let isOver = false
    void ended.then(() => (isOver = true))
    await until(() => isOver || !killAll("SIGINT"))
    expect(await ended).toBe("SIGINT")
    await Promise.all(clients.map((each) => each.socket.inbox.count(3)))
    expect(clients.map((each) => each.socket.inbox.items[2])).toContainEqual(told(1006))
  })
})

import { fork } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { readdir, readlink } from "node:fs/promises"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { beforeEach, describe, expect, it, onTestFinished, test } from "vitest"
import { Client } from "../../support/serve.ts"
import { until } from "../../support/until.ts"
import { WireSocket } from "../../support/wire-socket.ts"
import { linked } from "../../support/linked.ts"

// `listen({ workers: 2 })`, whose workers are killed with SIGKILL while clients connect.
describe("when a worker is killed", () => {
  let primary: ChildProcess
  let url: string

  beforeEach(async () => {
    primary = fork("test/support/workers-server.js")
    const ended = once(primary, "exit")
    onTestFinished(async () => {
      primary.kill("SIGTERM")
      await ended
    })
    const [message] = (await once(primary, "message")) as [{ url: string }]
    url = message.url.replace("http", "ws")
  })

  /** Connects, and resolves to the worker's process id when the server has answered the join, or to "closed". */
  async function connect(): Promise<{ socket: WireSocket; answer: Promise<number | "closed"> }> {
    const socket = new WireSocket(`${url}/socket/websocket?vsn=2.0.0&name=ada`)
    onTestFinished(() => void socket.raw.destroy())
    const client = new Client(socket)
    const answer = (async () => {
      const beginning = (await client.next()) as { event: string }
      if (beginning.event !== "open") return "closed"
      const reply = (await client.join("rooms:1")) as { response?: { pid: number } } | { event: string }
      return "response" in reply ? (reply.response?.pid ?? "closed") : "closed"
    })()
    return { socket, answer }
  }

  /** Resolves to the process ids of both workers. */
  async function workers(): Promise<number[]> {
    const pids = new Set<number>()
    while (pids.size < 2) {
      const { socket, answer } = await connect()
      const pid = await answer
      if (pid !== "closed") pids.add(pid)
      socket.raw.destroy()
    }
    return [...pids]
  }

  /** Resolves to how many sockets the primary has open. */
  async function socketsOfPrimary(): Promise<number> {
    const directory = `/proc/${primary.pid}/fd`
    const targets = await Promise.all(
      (await readdir(directory)).map((fd) => readlink(`${directory}/${fd}`).catch(() => "")),
    )
    return targets.filter((target) => target.startsWith("socket:")).length
  }

  it("no connection that was on its way to it stays unanswered, and the others go on", async () => {
    const [stopped, running] = (await workers()) as [number, number]
    const before = await socketsOfPrimary()
    // A stopped worker accepts nothing: whatever it has been given before it is killed is on its way.
    process.kill(stopped, "SIGSTOP")
    const clients = await Promise.all(Array.from({ length: 20 }, connect))
    await Promise.race(clients.map(({ answer }) => answer))
    process.kill(stopped, "SIGKILL")
    const answers = await Promise.all(clients.map(({ answer }) => answer))
    expect(answers).toContain(running)
    for (const { socket } of clients) socket.raw.destroy()
    await until(async () => (await socketsOfPrimary()) === before)
  })

  it("again and again, each connection of many is answered or closed, and the primary keeps none", async () => {
    const before = await socketsOfPrimary()
    let answered = 0
    for (let round = 0; round < 4; round += 1) {
      const [killed] = (await workers()) as [number]
      const clients = Array.from({ length: 100 }, connect)
      process.kill(killed, "SIGKILL")
      for (const client of await Promise.all(clients)) {
        if ((await client.answer) !== "closed") answered += 1
        client.socket.raw.destroy()
      }
    }
    expect(answered).toBeGreaterThan(0)
    await workers()
    await until(async () => (await socketsOfPrimary()) === before)
  })

  it("together with all others, they open the same port again", async () => {
    for (let round = 0; round < 2; round += 1) {
      const pids = await workers()
      for (const pid of pids) process.kill(pid, "SIGKILL")
      const restarted = await workers()
      for (const pid of pids) expect(restarted).not.toContain(pid)
    }
  })
})

/** A port of this machine that a program listens on until the test ends. */
async function takenPort(): Promise<AddressInfo> {
  const blocker = createServer().listen(0, "127.0.0.1")
  await once(blocker, "listening")
  onTestFinished(() => void blocker.close())
  return blocker.address() as AddressInfo
}

/** Runs a program to its end, and resolves to what it has sent. */
async function outcomeOf(use: string, ...rest: string[]): Promise<unknown> {
  const program = fork("test/support/odd-workers-server.js", [use, ...rest])
  onTestFinished(() => void program.kill("SIGKILL"))
  const ended = once(program, "exit")
  const [message] = await once(program, "message")
  await ended
  return message
}

describe("two servers with workers in one program", () => {
  async function startBoth() {
    const program = fork("test/support/odd-workers-server.js", ["two"])
    onTestFinished(() => void program.kill("SIGKILL"))
    const [{ ports }] = (await once(program, "message")) as [{ ports: [number, number] }]
    /** Resolves to the client, and to its worker's process id if it was accepted. */
    const join = async (port: number): Promise<{ client: Client; pid: number | undefined }> => {
      const client = new Client(new WireSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`))
      onTestFinished(() => void client.socket.raw.destroy())
      if (((await client.next()) as { event: string }).event !== "open") return { client, pid: undefined }
      const reply = (await client.join("rooms:1")) as { response?: { pid: number } }
      return { client, pid: reply.response?.pid }
    }
    /** Resolves to a client on each of the two workers. */
    const onBothWorkers = async (port: number): Promise<Map<number, Client>> => {
      const clients = new Map<number, Client>()
      while (clients.size < 2) {
        const { client, pid } = await join(port)
        if (pid !== undefined) clients.set(pid, client)
      }
      return clients
    }
    const close = async (what: "port" | "server"): Promise<void> => {
      const closed = once(program, "message")
      program.send(what)
      await closed
    }
    const end = async (): Promise<void> => {
      const ended = once(program, "exit")
      program.send("end")
      await ended
    }
    return { ports, join, onBothWorkers, close, end }
  }

  it.each([
    ["server", 1012],
    ["port", expect.any(Number)],
  ] as const)("close what one of them closes, its %s, on the workers of the other one, too", async (what, code) => {
    const { ports, join, onBothWorkers, close, end } = await startBoth()
    const first = await onBothWorkers(ports[0])
    await close(what)
    for (const client of first.values()) expect(await client.next()).toMatchObject({ event: "close", code })
    expect((await join(ports[0])).pid).toBeUndefined()
    // The other server goes on. A worker that is started again runs the whole program, and closes that port again.
    const { pid: killed } = await join(ports[1])
    process.kill(killed as number, "SIGKILL")
    await until(async () => ![undefined, killed].includes((await join(ports[1])).pid))
    await until(async () => (await join(ports[0])).pid === undefined)
    await end()
  })
})

test("a server with workers may close its port and listen again", async () => {
  expect(await outcomeOf("again")).toBe(200)
})

test("workers that listen on another port than their primary are a ConfigError, not a start that never ends", async () => {
  const { port } = await takenPort()
  // The primary opens no port itself, so it does not matter that this one is in use.
  expect(await outcomeOf("other-port", String(port))).toEqual({
    code: "config",
    message: expect.stringContaining(`expected each worker to listen on port ${port}, as the primary does, got one`),
  })
})

test("workers that find their port in use are reported by the primary as address_in_use", async () => {
  const { port } = await takenPort()
  expect(await outcomeOf("taken", String(port))).toEqual({
    code: "address_in_use",
    message: linked(
      `expected port ${port} to be free, got one that is in use: end the program that listens on it, or choose another port`,
      "address_in_use",
    ),
  })
})

test("listen with workers in a cluster worker of another program is a ConfigError", async () => {
  expect(await outcomeOf("inside")).toMatchObject({
    listened: { code: "config", message: expect.stringContaining("got one that another program has forked") },
    role: "single",
  })
})

test("listen without workers in a cluster worker of another program serves, and warns that its users are apart", async () => {
  expect(await outcomeOf("alone")).toEqual({
    listened: { url: "http://127.0.0.1:" },
    role: "single",
    warned: [expect.stringContaining("this process is a cluster worker of another program")],
  })
})

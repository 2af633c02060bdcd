import { fork } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
// @ts-expect-error the package ships no types
import { LongPoll } from "phoenix"
import { afterEach, beforeEach, describe, expect, it, onTestFinished, test } from "vitest"
import { Presence, disconnectAll, officialSocket, reply } from "../../support/phoenix-client.ts"
import { linked } from "../../support/linked.ts"

// `listen({ workers: 2 })`: one port, served by two processes that are nodes of one cluster.
describe("two workers", () => {
  let primary: ChildProcess
  let url: string

  beforeEach(async () => {
    primary = fork("test/support/workers-server.js")
    url = await new Promise((resolve, reject) => {
      primary.once("message", (message: { url: string }) => resolve(message.url))
      primary.once("exit", (code) => reject(new Error(`the primary ended with ${code} before it listened`)))
    })
  })
  afterEach(async () => {
    disconnectAll()
    if (primary.exitCode !== null || primary.signalCode !== null) return
    const ended = once(primary, "exit")
    primary.kill("SIGTERM")
    await ended
  })

  async function join(name: string, options: object = {}) {
    const socket = officialSocket(url, { name }, options)
    const channel = socket.channel("rooms:1", {})
    const presence = new Presence(channel)
    const { response } = await reply(channel.join())
    const sees = (): string[] => presence.list((key: string) => key).sort()
    return { socket, channel, sees, pid: response.pid as number }
  }

  /** Joins users until both workers have one. The operating system chooses the worker of each connection. */
  async function usersOnBothWorkers() {
    const users = [await join("user0")]
    while (new Set(users.map((user) => user.pid)).size < 2) users.push(await join(`user${users.length}`))
    return users
  }

  it("serve one port, in processes other than the primary, and see the same users", async () => {
    const users = await usersOnBothWorkers()
    const names = users.map((_, i) => `user${i}`).sort()
    for (const user of users) await expect.poll(user.sees).toEqual(names)
    expect(users.map((user) => user.pid)).not.toContain(primary.pid)
  })

  it("do not pass their role or their secret to the programs that they start", async () => {
    const { channel } = await join("user0")
    const { response } = await reply(channel.push("roles", {}))
    expect(response).toEqual({ another: "worker", loadedAgain: true, offspring: "single undefined" })
  })

  it("deliver broadcasts and disconnects to the clients of the other process", async () => {
    const users = await usersOnBothWorkers()
    const [first, last] = [users[0]!, users.at(-1)!]
    const shout = new Promise((resolve) => last.channel.on("shout", resolve))
    first.channel.push("shout", { n: 1 })
    expect(await shout).toEqual({ n: 1 })
    const closed = new Promise((resolve) => last.socket.onClose(resolve))
    first.channel.push("kick", { id: `user${users.length - 1}` })
    expect(await closed).toMatchObject({ code: 1001 })
  })

  it("show at once that the users of a killed worker have left; the worker is started again, and its users return", async () => {
    const users = await usersOnBothWorkers()
    const names = users.map((_, i) => `user${i}`).sort()
    const [first, last] = [users[0]!, users.at(-1)!]
    for (const user of users) await expect.poll(user.sees).toEqual(names)
    const left: string[] = []
    const rejoined: string[] = []
    first.channel.on("presence_diff", ({ joins, leaves }: any) => {
      left.push(...Object.keys(leaves))
      rejoined.push(...Object.keys(joins))
    })
    process.kill(last.pid, "SIGKILL")
    const dead = users.filter((user) => user.pid === last.pid).map((user) => `user${users.indexOf(user)}`)
    await expect.poll(() => left.sort()).toEqual(dead.sort())
    await expect.poll(() => rejoined.sort()).toEqual(dead.sort())
    await expect.poll(first.sees).toEqual(names)
  })

  it("serve a long poll together, whichever process gets its requests", async () => {
    const poller = await join("poller", { transport: LongPoll })
    const users = await usersOnBothWorkers()
    const names = [...users.map((_, i) => `user${i}`), "poller"].sort()
    for (const user of [poller, ...users]) await expect.poll(user.sees).toEqual(names)
    const senders = new Set<number>()
    poller.channel.on("shout", ({ from }: { from: number }) => senders.add(from))
    for (const { channel, pid } of users) channel.push("shout", { from: pid })
    await expect.poll(() => senders).toEqual(new Set(users.map(({ pid }) => pid)))
    const counted = async ({ channel }: typeof poller): Promise<number> => {
      const { response } = await reply(channel.push("counted", {}))
      return (response["relayed_posts"] ?? 0) + (response["relayed_polls"] ?? 0)
    }
    // Requests travel on kept connections, which may all lead to one process. More pollers open more of them.
    const pollers = [poller]
    while (!(await Promise.all(pollers.map(counted))).some((relayed) => relayed > 0))
      pollers.push(await join(`poller${pollers.length}`, { transport: LongPoll }))
    for (const { socket } of pollers) expect(socket.isConnected()).toBe(true)
  })

  it("let a long poll whose process dies start again with the other one", async () => {
    const poller = await join("poller", { transport: LongPoll })
    const users = await usersOnBothWorkers()
    const watcher = users.find(({ pid }) => pid !== poller.pid)!
    await expect.poll(watcher.sees).toContain("poller")
    const gone = new Promise<void>((resolve) =>
      watcher.channel.on("presence_diff", ({ leaves }: any) => "poller" in leaves && resolve()),
    )
    process.kill(poller.pid, "SIGKILL")
    await gone
    await expect.poll(watcher.sees).toContain("poller")
  })
})

test.each([
  ["SIGKILL", "by SIGKILL"],
  ["3", "with code 3"],
])("listen rejects when a worker ends before it listens: %s", async (end, how) => {
  const doomed = fork("test/support/doomed-server.js", [end])
  const ended = once(doomed, "exit")
  const [error] = await once(doomed, "message")
  expect(error).toEqual({
    code: "config",
    message: linked(`expected each worker to listen, got one that ended ${how} before that`),
  })
  await ended
})

test("a server that closes ends workers that do not listen yet, and its listen rejects", async () => {
  const program = fork("test/support/doomed-server.js", ["hang"])
  onTestFinished(() => void program.kill("SIGKILL"))
  const ended = once(program, "exit")
  const messages = new Promise<unknown[]>((resolve) => {
    const received: unknown[] = []
    program.on("message", (message) => received.push(message) === 2 && resolve(received))
  })
  expect(await messages).toEqual([
    { code: "closed", message: expect.stringContaining("close() was called") },
    { alive: 0 },
  ])
  await ended
})

test.each([
  ["that closes", "close", { failed: false, ready: { ready: true } }],
  ["whose listen fails", "fail", { failed: true }],
])("a server %s does not end a cluster worker that its program has forked itself", async (_how, how, state) => {
  const program = fork("test/support/foreign-worker-server.js", [how])
  onTestFinished(() => void program.kill("SIGKILL"))
  const ended = once(program, "exit")
  const [report] = await once(program, "message")
  expect(report).toEqual({ foreign: "alive", ...state })
  await ended
})

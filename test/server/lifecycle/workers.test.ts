import { fork } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
// @ts-expect-error the package ships no types
import { LongPoll } from "phoenix"
import { afterEach, beforeEach, expect, test } from "vitest"
import { Presence, disconnectAll, officialSocket, reply } from "../../support/phoenix-client.ts"

// `listen({ workers: 2 })`: one port, served by two processes that are nodes of one cluster.
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
  const ended = new Promise((resolve) => primary.once("exit", resolve))
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

/** Members until both workers have one: which worker a connection gets is the operating system's to choose. */
async function onBothWorkers() {
  const members = [await join("user0")]
  while (new Set(members.map((member) => member.pid)).size < 2) members.push(await join(`user${members.length}`))
  return members
}

test("two processes serve one port, neither of them the primary, and agree on who is here", async () => {
  const members = await onBothWorkers()
  const names = members.map((_, i) => `user${i}`).sort()
  for (const member of members) await expect.poll(member.sees).toEqual(names)
  expect(members.map((member) => member.pid)).not.toContain(primary.pid)
})

test("a program that a worker starts is no worker itself, and does not know the secret of those", async () => {
  const { channel } = await join("user0")
  const { response } = await reply(channel.push("roles", {}))
  expect(response).toEqual({ another: "worker", loadedAgain: true, offspring: "single undefined" })
})

test.each([
  ["SIGKILL", "by SIGKILL"],
  ["3", "with code 3"],
])("a worker that ends before it listens is told of: %s", async (end, how) => {
  const doomed = fork("test/support/doomed-server.js", [end])
  const ended = once(doomed, "exit")
  const [said] = await once(doomed, "message")
  expect(said).toEqual({
    code: "config",
    message: `expected each worker to listen, but one ended ${how} before it did`,
  })
  await ended
})

test("a broadcast and a disconnect reach the clients of the other process", async () => {
  const members = await onBothWorkers()
  const [first, last] = [members[0]!, members.at(-1)!]
  const heard = new Promise((resolve) => last.channel.on("shout", resolve))
  first.channel.push("shout", { n: 1 })
  expect(await heard).toEqual({ n: 1 })
  const closed = new Promise((resolve) => last.socket.onClose(resolve))
  first.channel.push("kick", { id: `user${members.length - 1}` })
  expect(await closed).toMatchObject({ code: 1001 })
})

test("a worker that dies loses its people at once, is replaced, and they come back", async () => {
  const members = await onBothWorkers()
  const names = members.map((_, i) => `user${i}`).sort()
  const [first, last] = [members[0]!, members.at(-1)!]
  for (const member of members) await expect.poll(member.sees).toEqual(names)
  const left: string[] = []
  const rejoined: string[] = []
  first.channel.on("presence_diff", ({ joins, leaves }: any) => {
    left.push(...Object.keys(leaves))
    rejoined.push(...Object.keys(joins))
  })
  process.kill(last.pid, "SIGKILL")
  const dead = members.filter((member) => member.pid === last.pid).map((member) => `user${members.indexOf(member)}`)
  await expect.poll(() => left.sort(), { timeout: 5_000 }).toEqual(dead.sort())
  await expect.poll(() => rejoined.sort(), { timeout: 10_000 }).toEqual(dead.sort())
  await expect.poll(first.sees).toEqual(names)
})

test("a long poll is served by both processes, whichever its requests come to", async () => {
  const poller = await join("poller", { transport: LongPoll })
  const members = await onBothWorkers()
  const names = [...members.map((_, i) => `user${i}`), "poller"].sort()
  for (const member of [poller, ...members]) await expect.poll(member.sees).toEqual(names)
  const heard = new Set<number>()
  poller.channel.on("shout", ({ from }: { from: number }) => heard.add(from))
  for (const { channel, pid } of members) channel.push("shout", { from: pid })
  await expect.poll(() => heard).toEqual(new Set(members.map(({ pid }) => pid)))
  const relayed = async (): Promise<number> => {
    const { response } = await reply(poller.channel.push("counted", {}))
    return (response["relayed_posts"] ?? 0) + (response["relayed_polls"] ?? 0)
  }
  await expect.poll(relayed).toBeGreaterThan(0)
  expect(poller.socket.isConnected()).toBe(true)
})

test("a long poll whose process dies begins anew with another, and is there again", async () => {
  const poller = await join("poller", { transport: LongPoll })
  const members = await onBothWorkers()
  const watcher = members.find(({ pid }) => pid !== poller.pid)!
  await expect.poll(watcher.sees).toContain("poller")
  const gone = new Promise<void>((resolve) =>
    watcher.channel.on("presence_diff", ({ leaves }: any) => "poller" in leaves && resolve()),
  )
  process.kill(poller.pid, "SIGKILL")
  await gone
  await expect.poll(watcher.sees, { timeout: 10_000 }).toContain("poller")
})

test.each([
  ["that closes", "close", { failed: false, ready: { ready: true } }],
  ["whose listen fails", "fail", { failed: true }],
])("a server %s leaves alone a cluster worker that its program has forked itself", async (_how, how, state) => {
  const program = fork("test/support/foreign-worker-server.js", [how])
  const ended = once(program, "exit")
  const [report] = await once(program, "message")
  expect(report).toEqual({ foreign: "alive", ...state })
  await ended
})

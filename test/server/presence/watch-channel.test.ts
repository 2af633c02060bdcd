/** What `watchKeys` sends, and when: its grace, its pace, and what the clients of a node share. In virtual time. */
import { expect, test } from "vitest"
import { local, LocalBus } from "../../../src/pubsub/index.ts"
import { watchKeys, type Server, type WatchChannelOptions } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { serve } from "../../support/serve.ts"
import { until } from "../../support/until.ts"

const TOPIC = "presence:watch"

type Users = Record<string, { metas: [{ status: string; phx_ref: string; phx_ref_prev?: string }] }>

async function watched(options: Partial<WatchChannelOptions> = {}, bus?: LocalBus) {
  const timers = clock()
  const setUp = (server: Server): void => {
    server.socket("/socket", {})
    server.channel(TOPIC, watchKeys({ may: () => true, ...options }))
  }
  const { server, client } = await serve(setUp, { timers, ...(bus && { pubsub: local({ bus }) }) })
  const ask = async (...keys: string[]) => {
    const socket = await client()
    await socket.join(TOPIC, { keys })
    const next = async (): Promise<Record<string, string>> => {
      const [, , , event, payload] = (await socket.next()) as [unknown, unknown, unknown, string, object]
      const users = (event === "presence_state" ? payload : (payload as { joins: Users }).joins) as Users
      return Object.fromEntries(Object.entries(users).map(([key, { metas }]) => [key, metas[0].status]))
    }
    return {
      socket,
      next,
      /** Asks about other keys, and returns the diff that the server sends before its reply. */
      async change(keys: { add?: string[]; remove?: string[] }): Promise<Record<string, string>> {
        socket.push(TOPIC, "presence_watch", keys)
        const diff = await next()
        expect(await socket.next()).toMatchObject({ 3: "phx_reply", 4: { status: "ok" } })
        return diff
      },
      hasNothing: async () => expect(await socket.rest()).toEqual([]),
    }
  }
  return { server, timers, ask, track: (key: string, topic = "jobs") => server.presence.track({ topic, key }) }
}

test("a key is offline only after graceMs; one that returns in time, in any topic, was never away", async () => {
  const { timers, ask, track } = await watched({ graceMs: 1_000, paceMs: 0 })
  const first = track("ada")
  const page = await ask("ada")
  expect(await page.next()).toEqual({ ada: "online" })
  first.end()
  timers.advance(999)
  const second = track("ada", "elsewhere")
  timers.advance(10_000)
  await page.hasNothing()
  second.end()
  timers.advance(999)
  await page.hasNothing()
  timers.advance(1)
  expect(await page.next()).toEqual({ ada: "offline" })
  track("ada")
  timers.advance(0)
  expect(await page.next()).toEqual({ ada: "online" })
})

test("by default, a key is offline after 5 s, and changes are collected for 250 ms", async () => {
  const { timers, ask, track } = await watched()
  const ada = track("ada")
  const page = await ask("ada")
  expect(await page.next()).toEqual({ ada: "online" })
  ada.end()
  timers.advance(5_249)
  await page.hasNothing()
  timers.advance(1)
  expect(await page.next()).toEqual({ ada: "offline" })
})

test("the changes of one paceMs are one message; a key that is as before is not in it", async () => {
  const { timers, ask, track } = await watched({ graceMs: 0, paceMs: 250 })
  const page = await ask("ada", "bob", "cy", "dan")
  expect(await page.next()).toEqual({ ada: "offline", bob: "offline", cy: "offline", dan: "offline" })
  track("ada")
  timers.advance(200)
  track("bob")
  track("cy").end()
  await page.hasNothing()
  timers.advance(50)
  expect(await page.next()).toEqual({ ada: "online", bob: "online" })
  timers.advance(10_000)
  await page.hasNothing()
  // The next change begins a pace of its own.
  track("dan")
  timers.advance(249)
  await page.hasNothing()
  timers.advance(1)
  expect(await page.next()).toEqual({ dan: "online" })
})

test("all clients of a node share one grace: who asks in the middle of it sees what the others see, at the same time", async () => {
  const { timers, ask, track } = await watched({ graceMs: 1_000, paceMs: 0 })
  const ada = track("ada")
  const one = await ask("ada", "bob")
  expect(await one.next()).toEqual({ ada: "online", bob: "offline" })
  ada.end()
  timers.advance(600)
  const two = await ask("ada", "cy")
  expect(await two.next()).toEqual({ ada: "online", cy: "offline" })
  timers.advance(400)
  expect(await one.next()).toEqual({ ada: "offline" })
  expect(await two.next()).toEqual({ ada: "offline" })
})

test("a client that leaves, or removes a key, takes nothing from the others, and gets nothing more of it", async () => {
  const { server, timers, ask, track } = await watched({ graceMs: 0, paceMs: 100 })
  const [one, two, three] = [await ask("ada"), await ask("ada"), await ask("ada", "bob")]
  for (const page of [one, two, three]) expect(await page.next()).toMatchObject({ ada: "offline" })
  // In the pace of a change.
  track("ada")
  one.socket.socket.raw.destroy()
  await until(() => server.stats().connections === 2)
  expect(await three.change({ remove: ["ada"] })).toEqual({})
  timers.advance(100)
  expect(await two.next()).toEqual({ ada: "online" })
  await three.hasNothing()
})

test("maxKeys counts the keys of each client: what one asks about is no limit for another", async () => {
  const { ask } = await watched({ maxKeys: 2 })
  const one = await ask("a", "b", "c")
  expect(await one.next()).toEqual({ a: "offline", b: "offline", c: "refused" })
  const two = await ask("c", "d")
  expect(await two.next()).toEqual({ c: "offline", d: "offline" })
})

test("a user with presences on two nodes is online once, and offline with the last one", async () => {
  const bus = new LocalBus()
  const here = await watched({ graceMs: 0, paceMs: 0 }, bus)
  const there = await watched({ graceMs: 0, paceMs: 0 }, bus)
  const page = await here.ask("ada")
  expect(await page.next()).toEqual({ ada: "offline" })
  const agent = here.track("ada")
  here.timers.advance(0)
  expect(await page.next()).toEqual({ ada: "online" })
  const other = there.track("ada", "elsewhere")
  /** Lets both nodes exchange what has changed. */
  const exchange = (isDone: () => boolean): Promise<void> =>
    until(() => {
      for (const { timers } of [there, here]) timers.advance(100)
      return isDone()
    })
  await exchange(() => here.server.presence.get("elsewhere", "ada") !== undefined)
  agent.end()
  here.timers.advance(0)
  await page.hasNothing()
  other.end()
  await exchange(() => !here.server.presence.online("ada"))
  here.timers.advance(0)
  expect(await page.next()).toEqual({ ada: "offline" })
})

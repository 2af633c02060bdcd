// @ts-expect-error the package ships no types
import { LongPoll } from "phoenix"
import { afterEach, describe, expect, it, onTestFinished } from "vitest"
import { WebSocket } from "ws"
import { connect as connectRollcall } from "../../../src/client/index.ts"
import { Expiries } from "../../../src/server/admission/expiry.ts"
import { tokens } from "../../../src/server/index.ts"
import type { ServerOptions, SocketHandlers } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import type { Clock } from "../../support/clock.ts"
import { LongPollClient, requestLongPoll } from "../../support/longpoll-client.ts"
import { disconnectAll, officialSocket } from "../../support/phoenix-client.ts"
import { ok, serve } from "../../support/serve.ts"
import { linked } from "../../support/linked.ts"

afterEach(disconnectAll)

const HOUR_MS = 60 * 60 * 1_000
const DAY_MS = 24 * HOUR_MS

function serveSocket(connect: SocketHandlers["connect"], timers: Clock, options: ServerOptions = {}) {
  return serve(
    (server) => {
      server.socket("/socket", { ...(connect && { connect }) })
      server.channel("rooms:*", { join: (_topic, _params, { assigns }) => ({ ok: { token: assigns["token"] } }) })
    },
    { timers, idleTimeoutMs: 20 * HOUR_MS, longPollWindowMs: 20 * HOUR_MS, ...options },
  )
}

it("waits in steps for a time that is further away than a timer of Node can wait: a longer one fires at once", () => {
  const timers = clock()
  const steps: number[] = []
  const expired: string[] = []
  const set: Clock["set"] = (run, ms) => (steps.push(ms), timers.set(run, ms))
  const expiries = new Expiries<string>(
    () => ({ ...timers, set }),
    (connection) => expired.push(connection),
    () => DAY_MS,
  )
  expiries.add("ada", 61 * DAY_MS)
  expiries.add("bob", 61 * DAY_MS)
  timers.advance(30 * DAY_MS)
  expiries.delete("bob")
  timers.advance(30 * DAY_MS - 1)
  expect(expired).toEqual([])
  timers.advance(1)
  expect(expired).toEqual(["ada"])
  expect(Math.max(...steps)).toBeLessThan(2 ** 31)
  expect(timers.pending).toBe(0)
})

describe("a connection whose connect returned expiresAt", () => {
  it.each<[string, (time: number) => number | Date]>([
    ["a number of ms since 1970", (time) => time],
    ["a Date", (time) => new Date(time)],
  ])("is closed with 1001 at that time, given as %s, after what it has sent was handled", async (_form, form) => {
    const timers = clock()
    const { client, counted, reached } = await serveSocket(() => ({ expiresAt: form(Date.now() + HOUR_MS) }), timers)
    const ada = await client()
    timers.advance(HOUR_MS - 60_000)
    expect(await ada.join("rooms:1")).toEqual(ok({}))
    timers.advance(60_000)
    expect(await ada.next()).toEqual({ event: "close", code: 1001, reason: "" })
    await reached("disconnects", 1)
    expect(counted.get("expired_connections")).toBe(1)
  })

  it("leaves no timer behind when it ends earlier", async () => {
    const timers = clock()
    const { client, reached } = await serveSocket(() => ({ expiresAt: Date.now() + HOUR_MS }), timers)
    const ada = await client()
    const pending = timers.pending
    ada.socket.raw.destroy()
    await reached("disconnects", 1)
    expect(timers.pending).toBeLessThan(pending)
  })

  it.each([[undefined], [null], [Infinity]])("stays open with %s", async (expiresAt) => {
    const timers = clock()
    const { client } = await serveSocket(() => ({ expiresAt }), timers)
    const ada = await client()
    timers.advance(HOUR_MS)
    expect(await ada.join("rooms:1")).toEqual(ok({}))
  })

  it("is refused as token_expired when the time is over", async () => {
    const { client, server } = await serveSocket(() => ({ expiresAt: Date.now() - 1 }), clock())
    expect((await client()).beginning).toMatchObject({ status: 403 })
    expect(server.stats().refusals).toEqual({ token_expired: 1 })
  })

  it.each<[unknown, string]>([
    ["tomorrow", "a string"],
    [Number.NaN, "NaN"],
    [new Date("tomorrow"), "an invalid Date"],
    [Math.floor(Date.now() / 1_000) + 60, "seconds since 1970, it seems"],
  ])("is refused for %j, and the log says what was expected", async (expiresAt, got) => {
    const { client, logged, server } = await serveSocket((() => ({ expiresAt })) as () => object, clock())
    expect((await client()).beginning).toMatchObject({ status: 403 })
    const { error } = (logged[0] as { details: { error: Error } }).details
    expect(error.message).toBe(linked(`expected expiresAt to be ms since 1970 or a Date, got ${got}`))
    expect(server.stats().refusals).toEqual({ config: 1 })
  })

  it("over long poll, its session ends: the next poll is answered with 410", async () => {
    const timers = clock()
    const served = await serveSocket(() => ({ expiresAt: Date.now() + HOUR_MS }), timers)
    const address = `${served.url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0`
    const ada = await LongPollClient.open(address)
    timers.advance(HOUR_MS)
    await served.reached("disconnects", 1)
    expect(await ada.poll()).toMatchObject({ status: 410 })
  })
})

describe.each<[string, object]>([
  ["WebSocket", { transport: WebSocket }],
  ["long poll", { transport: LongPoll }],
])("over %s", (_name, options) => {
  it("phoenix.js asks its params for a new token when the old one has expired", async () => {
    const timers = clock()
    const { sign, verify } = await tokens({ secret: "x".repeat(32), maxAgeS: 3_600 })
    const { url } = await serveSocket(
      async ({ params }) => {
        const { exp, sub } = await verify(params["token"])
        return { token: sub, expiresAt: exp * 1_000 }
      },
      timers,
      { longPollWindowMs: 10_000, idleTimeoutMs: HOUR_MS },
    )
    let sub = "first"
    let token = await sign({ sub })
    const socket = officialSocket(url, () => ({ token }), options)
    const joined: unknown[] = []
    socket
      .channel("rooms:1")
      .join()
      .receive("ok", ({ token }: { token: string }) => joined.push(token))
    await expect.poll(() => joined).toEqual(["first"])
    sub = "second"
    token = await sign({ sub })
    timers.advance(3_600_000)
    await expect.poll(() => joined).toEqual(["first", "second"])
  })
})

it("a Rollcall room asks its params for a new token when the old one has expired", async () => {
  const timers = clock()
  const { url } = await serveSocket(({ params }) => ({ ...params, expiresAt: Date.now() + HOUR_MS }), timers)
  let asked = 0
  const connection = connectRollcall(`${url}/socket`, {
    transport: WebSocket,
    params: () => ({ token: `token ${(asked += 1)}` }),
    reconnectAfterMs: () => 1,
  })
  onTestFinished(() => connection.disconnect())
  const room = connection.room("rooms:1")
  expect(await room.joined).toEqual({ token: "token 1" })
  timers.advance(HOUR_MS)
  await expect.poll(() => asked).toBe(2)
})

it("a client that introduced itself gets 410 for its ended session, and connect is not called with its old params", async () => {
  const timers = clock()
  let calls = 0
  const served = await serveSocket(() => ({ calls: (calls += 1), expiresAt: Date.now() + HOUR_MS }), timers)
  const address = `${served.url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0&client=rollcall/1`
  const ada = await LongPollClient.open(address)
  timers.advance(HOUR_MS)
  await served.reached("disconnects", 1)
  expect(await ada.poll()).toEqual({ status: 410 })
  expect(calls).toBe(1)
  // Without a token that this server issued, the request opens a session.
  expect(await requestLongPoll(`${address}&token=undefined`)).toMatchObject({ status: 410, messages: [] })
  expect(calls).toBe(2)
})

import { describe, expect, it } from "vitest"
import { RollcallError, tokens } from "../../../src/server/index.ts"
import type { Handshake, ServerOptions, SocketHandlers } from "../../../src/server/index.ts"
import { metricsOf } from "../../../src/server/operations/exposition.ts"
import { LongPollClient, requestLongPoll } from "../../support/longpoll-client.ts"
import { ok, serve } from "../../support/serve.ts"
import type { Served } from "../../support/serve.ts"

/** The param with which Rollcall's client introduces itself. */
const INTRODUCED = "client=rollcall/1"
const LIMITS = { limits: { maxMessageBytes: 1_000, maxMessagesPerSecond: 70 } }

function serveSocket(handlers: SocketHandlers = {}, options: ServerOptions = {}) {
  return serve(
    (server) => {
      server.socket("/socket", handlers)
      server.channel("rooms:*", { join: () => ({ ok: {} }) })
    },
    { maxFrameBytes: 1_000, maxFramesPerSecond: 70, ...options },
  )
}

const pollAddress = ({ url }: Served<object>, query: string): string =>
  `${url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0&${query}`

describe("a client that introduces itself", () => {
  it.each([
    ["2.0.0", [null, null, "phoenix", "rollcall", LIMITS]],
    ["1.0.0", { event: "rollcall", payload: LIMITS, ref: null, topic: "phoenix" }],
  ])("gets the server's limits first, once, in version %s", async (vsn, message) => {
    const { client } = await serveSocket()
    const one = await client(`vsn=${vsn}&${INTRODUCED}`)
    expect(await one.next()).toEqual(message)
    expect(await one.rest()).toEqual([])
  })

  it("gets them with its first poll over long poll", async () => {
    const served = await serveSocket()
    const poll = await LongPollClient.open(pollAddress(served, INTRODUCED))
    expect(await poll.messages()).toEqual([[null, null, "phoenix", "rollcall", LIMITS]])
  })

  it("gets no limit that is infinite", async () => {
    const { client } = await serveSocket({}, { maxFramesPerSecond: Infinity, pauseAboveFramesPerSecond: Infinity })
    const one = await client(INTRODUCED)
    expect(await one.next()).toEqual([null, null, "phoenix", "rollcall", { limits: { maxMessageBytes: 1_000 } }])
  })

  it.each(["", "client=", "client=rollcall/2", "client=phoenix", "client=rollcall/1&client=my-app"])(
    "is one with the param client=rollcall/1, not one with %j",
    async (query) => {
      const { client } = await serveSocket()
      const one = await client(query)
      expect(await one.join("rooms:1")).toEqual(ok())
      expect(await one.rest()).toEqual([])
    },
  )
})

const refusals: [how: string, reason: string, connect: SocketHandlers["connect"]][] = [
  ["returns false", "refused", () => false],
  ["returns an error with a text", "signed out", () => ({ error: "signed out" })],
  ["returns an error with a reason", "denied", async () => ({ error: { reason: "denied", secret: 5 } })],
  ["returns an error of another form", "refused", () => ({ error: 5 })],
  [
    "throws",
    "refused",
    () => {
      throw new Error("a detail that is not for clients")
    },
  ],
  [
    "throws a RollcallError",
    "banned",
    () => {
      throw new RollcallError("banned", "a detail that is not for clients")
    },
  ],
  [
    "verifies no token",
    "token_missing",
    async ({ authToken }: Handshake) => (await tokens({ secret: "x".repeat(32) })).verify(authToken),
  ],
]

describe("when connect refuses a client that introduced itself", () => {
  it.each(refusals)("and %s, the client gets the reason %j, and is closed with 4403", async (_how, reason, connect) => {
    const { client, counted, server } = await serveSocket({ ...(connect && { connect }) })
    const one = await client(INTRODUCED)
    expect(one.beginning).toEqual({ event: "open" })
    expect(await one.next()).toEqual([null, null, "phoenix", "rollcall", { refused: reason }])
    expect(await one.next()).toEqual({ event: "close", code: 4403, reason: "" })
    expect([counted.get("refused_connects"), counted.get("connects")]).toEqual([1, undefined])
    expect(server.stats().connections).toBe(0)
  })

  it.each(refusals)("and %s, the reason %j is in the answer to its long poll", async (_how, reason, connect) => {
    const served = await serveSocket({ ...(connect && { connect }) })
    expect(await requestLongPoll(pollAddress(served, INTRODUCED))).toEqual({ status: 403, refused: reason })
  })

  it.each(refusals)("and %s, other clients get 403 without the reason %j", async (_how, _reason, connect) => {
    const served = await serveSocket({ ...(connect && { connect }) })
    expect((await served.client()).beginning).toEqual({ event: "http-refused", status: 403, body: "" })
    expect(await requestLongPoll(pollAddress(served, ""))).toEqual({ status: 403 })
  })

  it("it gets the reason in version 1, too", async () => {
    const { client } = await serveSocket({ connect: () => ({ error: "signed out" }) })
    const one = await client(`vsn=1.0.0&${INTRODUCED}`)
    expect(await one.next()).toMatchObject({ event: "rollcall", payload: { refused: "signed out" } })
  })

  it("what it still sends has no effect", async () => {
    const { client } = await serveSocket({ connect: () => false })
    const one = await client(INTRODUCED)
    one.push("rooms:1", "phx_join")
    expect(await one.next()).toEqual([null, null, "phoenix", "rollcall", { refused: "refused" }])
    expect(await one.next()).toEqual({ event: "close", code: 4403, reason: "" })
  })

  it("a request that is no WebSocket handshake gets 403, as from any client", async () => {
    const { url } = await serveSocket({ connect: () => false })
    const response = await fetch(`${url.replace("ws", "http")}/socket/websocket?vsn=2.0.0&${INTRODUCED}`)
    expect(response.status).toBe(403)
  })
})

it("a page of another host and an unknown version get 403, and no reason, also when they introduce themselves", async () => {
  const served = await serveSocket()
  const foreign = await served.client(INTRODUCED, { Origin: "http://evil.example" })
  expect(foreign.beginning).toEqual({ event: "http-refused", status: 403, body: "" })
  const unknown = await served.client(`vsn=9.0.0&${INTRODUCED}`)
  expect(unknown.beginning).toEqual({ event: "http-refused", status: 403, body: "" })
  const headers = { origin: "http://evil.example" }
  expect(await requestLongPoll(pollAddress(served, INTRODUCED), { headers })).toEqual({ status: 403 })
})

describe("refusals are counted by their reason", () => {
  it("in stats and metrics: the server's own reasons, those that connect gave, and the codes of its errors", async () => {
    const { client, server } = await serveSocket({
      connect: ({ params }) => {
        if (params["token"] === "old") throw new RollcallError("token_expired", "expected a new token")
        return { error: params["token"] ?? "" }
      },
    })
    await client("", { Origin: "http://evil.example" })
    await client("vsn=9.0.0")
    await client("token=old")
    await client("token=banned")
    await client("token=banned")
    expect(server.stats().refusals).toEqual({ origin: 1, version: 1, token_expired: 1, banned: 2 })
    expect(server.stats().counters["refused_connects"]).toBe(5)
    const metric = metricsOf(server.stats()).find(({ name }) => name === "rollcall_refusals_total")
    expect(metric?.values).toContainEqual({ labels: { reason: "banned" }, value: 2 })
  })

  it("with at most 100 different reasons; further ones are counted as other", async () => {
    let attempts = 0
    const { client, server } = await serveSocket({ connect: () => ({ error: `reason ${(attempts += 1)}` }) })
    for (let attempt = 0; attempt < 103; attempt += 1) await client()
    const { refusals } = server.stats()
    expect(Object.keys(refusals)).toHaveLength(101)
    expect(refusals["other"]).toBe(3)
  })

  it("a long reason is cut to 64 characters", async () => {
    const { client, server } = await serveSocket({ connect: () => ({ error: "x".repeat(1_000) }) })
    await client()
    expect(server.stats().refusals).toEqual({ ["x".repeat(64)]: 1 })
  })
})

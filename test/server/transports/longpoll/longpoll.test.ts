import { createServer as createHttpServer } from "node:http"
import { describe, expect, it } from "vitest"
import type { ServerOptions } from "../../../../src/server/index.ts"
import { attach } from "../../../../src/server/transports/attach.ts"
import { sessionTokens } from "../../../../src/server/transports/longpoll/session-token.ts"
import type { SessionTokens } from "../../../../src/server/transports/longpoll/session-token.ts"
import { transportContract } from "../../../contracts/transport.ts"
import { clock } from "../../../support/clock.ts"
import type { Clock } from "../../../support/clock.ts"
import { LongPollClient, requestLongPoll } from "../../../support/longpoll-client.ts"
import type { PollAnswer } from "../../../support/longpoll-client.ts"
import { GONE, PollingClient } from "../../../support/polling-client.ts"
import { error, ok, serve } from "../../../support/serve.ts"
import { until } from "../../../support/until.ts"

transportContract("longpoll", {
  connect: ({ url }, request) => new PollingClient(url.replace("ws", "http"), request),
  address: "127.0.0.1",
  refusal: (status) => (status === 429 ? 500 : status),
  closedWith: () => GONE,
  idleTimeoutMs: 15_000,
  // The clients have no connection that could break. The server notices an aborted client like one that has stopped polling.
  abortNoticedMs: 16_000,
  lacks: {
    binaryOut: "its messages are JSON strings (recorded case 10)",
    flushOnClose: "a poll after the end of a session finds no session (recorded case 10)",
  },
})

/** A server with rooms and a virtual clock, and functions that send requests to its long-poll transport. */
async function serveLongPoll(options: ServerOptions = {}) {
  const timers: Clock = clock()
  const served = await serve(
    (server) => {
      server.socket("/socket", {
        connect: ({ params }) => (params["refuse"] === "yes" ? false : {}),
        id: () => "user:1",
        origins: ["https://good.example"],
      })
      server.channel("rooms:*", {
        join: (_topic, { slow, ms }) =>
          slow === true
            ? new Promise(() => undefined)
            : typeof ms === "number"
              ? new Promise((resolve) => timers.set(() => resolve({ ok: {} }), ms))
              : { ok: {} },
        joined: (channel) => void server.presence.track(channel, "me"),
        on: {
          echo: (payload) => ({ ok: payload }),
          shout: (payload, channel) => channel.broadcast("shout", payload),
        },
      })
    },
    { timers, longPollWindowMs: 10_000, presenceWindowMs: false, ...options },
  )
  const address = `${served.url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0`
  const request = (query: string, init: RequestInit = {}): Promise<PollAnswer> =>
    requestLongPoll(`${address}${query}`, init)
  const open = (headers: Record<string, string> = {}): Promise<LongPollClient> => LongPollClient.open(address, headers)
  return { ...served, timers, address, request, open }
}

const JOIN = '["1","1","rooms:1","phx_join",{}]'
const ECHO = '["1","2","rooms:1","echo",{"n":1}]'
const HEARTBEAT = '[null,"7","phoenix","heartbeat",{}]'
const joined = ["1", "1", "rooms:1", "phx_reply", ok()]
const echoed = ["1", "2", "rooms:1", "phx_reply", ok({ n: 1 })]

describe("a session", () => {
  it("is opened by a GET without a token, with an invalid one, and with one that was tampered with (P21)", async () => {
    const { request, open } = await serveLongPoll()
    const { token } = await open()
    const [text, signature] = token.split(".") as [string, string]
    const forged = Buffer.from(Buffer.from(text, "base64url").toString().replace('["', '["x')).toString("base64url")
    for (const bad of [
      "",
      "&token=",
      "&token=rubbish",
      "&token=.",
      `&token=${forged}.${signature}`,
      `&token=${text}.`,
    ]) {
      const answer = await request(bad)
      expect(answer).toEqual({ status: 410, token: expect.any(String), messages: [] })
      expect(answer.token).not.toBe(token)
    }
  })

  it("is refused for its connect, version or origin with status 403 in an HTTP 200 (P3, P21)", async () => {
    const { request, address } = await serveLongPoll()
    expect(await request("&refuse=yes")).toEqual({ status: 403 })
    const foreign = await fetch(address, { headers: { origin: "https://evil.example" } })
    expect([foreign.status, await foreign.json()]).toEqual([200, { status: 403 }])
    const unversed = await fetch(address.replace("2.0.0", "9.0.0"))
    expect([unversed.status, await unversed.json()]).toEqual([200, { status: 403 }])
  })

  it("is identified by the token of the header, which precedes the one of the query", async () => {
    const { request, open } = await serveLongPoll()
    const [one, two] = [await open(), await open()]
    await one.post(JOIN)
    const answer = await request(`&token=${two.token}`, { headers: { "x-phoenix-longpoll-token": one.token } })
    expect(answer).toMatchObject({ status: 200, token: one.token })
  })

  it("answers a poll with the queued messages, oldest first, or with the next one that is sent (P22)", async () => {
    const { open } = await serveLongPoll()
    const session = await open()
    expect(await session.batch(JOIN, ECHO)).toEqual({ status: 200 })
    expect((await session.messages()).filter((message) => !String(message).includes("presence"))).toEqual([
      joined,
      echoed,
    ])
    const waiting = session.messages()
    await session.post(ECHO)
    expect(await waiting).toEqual([echoed])
  })

  it("answers a poll with 204 after a window without messages (P22)", async () => {
    const { open, timers, reached } = await serveLongPoll()
    const session = await open()
    const waiting = session.poll()
    await reached("polls", 1)
    timers.advance(10_000)
    expect(await waiting).toEqual({ status: 204, token: session.token, messages: [] })
  })

  it("ends when it was not polled for one and a half windows; posts do not count (P24)", async () => {
    const { open, server, timers } = await serveLongPoll()
    const session = await open()
    await session.post(JOIN)
    expect(Object.keys(server.presence.list("rooms:1"))).toEqual(["me"])
    timers.advance(14_000)
    await session.post(ECHO)
    expect(Object.keys(server.presence.list("rooms:1"))).toEqual(["me"])
    timers.advance(1_300)
    expect(Object.keys(server.presence.list("rooms:1"))).toEqual([])
    expect(await session.post(ECHO)).toEqual({ status: 410 })
    expect(await session.poll()).toMatchObject({ status: 410, token: expect.not.stringMatching(session.token) })
  })

  it("that the server ends answers its waiting poll with 204 at once, and the next request with 410", async () => {
    const { open, server, reached } = await serveLongPoll()
    const session = await open()
    const waiting = session.poll()
    await reached("polls", 1)
    server.disconnect("user:1")
    expect(await waiting).toEqual({ status: 204, token: session.token, messages: [] })
    expect(await session.post(ECHO)).toEqual({ status: 410 })
  })

  it("gives its messages to the later of two polls, and answers the first with 204 after its window (recorded case 10)", async () => {
    const { open, timers, reached } = await serveLongPoll()
    const session = await open()
    const first = session.poll()
    await reached("polls", 1)
    const second = session.poll()
    await reached("polls", 2)
    await session.post(HEARTBEAT)
    expect(await second).toMatchObject({ status: 200, messages: [expect.stringContaining("phx_reply")] })
    timers.advance(10_000)
    expect(await first).toMatchObject({ status: 204, messages: [] })
  })

  it("keeps messages for the next poll when the client has aborted a poll", async () => {
    const { open, reached, timers } = await serveLongPoll()
    const before = timers.pending
    const session = await open()
    const abort = new AbortController()
    const lost = session.poll({ signal: abort.signal })
    await reached("polls", 1)
    abort.abort()
    await expect(lost).rejects.toThrow("aborted")
    // The server has noticed the abort once only the timer for idle sessions is left, and no longer that of the poll's window.
    await until(() => timers.pending === before + 1)
    await session.post(HEARTBEAT)
    expect(await session.messages()).toHaveLength(1)
  })

  it("keeps messages for the next poll when a poll's window has just ended", async () => {
    const { open, reached, server, timers } = await serveLongPoll()
    const session = await open()
    await session.post(JOIN)
    await session.messages()
    const waiting = session.poll()
    await reached("polls", 2)
    timers.advance(10_000)
    server.broadcast("rooms:1", "shout", { n: 1 })
    expect(await waiting).toMatchObject({ status: 204, messages: [] })
    expect(await session.messages()).toEqual([[null, null, "rooms:1", "shout", { n: 1 }]])
  })

  it("is polled through any HTTP server of its node, and outlives each but the last", async () => {
    const { open, server, url } = await serveLongPoll()
    const first = await open()
    const { port, close } = await server.listen({ port: 0, host: "127.0.0.1" })
    const second = first.at(`http://127.0.0.1:${port}/socket/longpoll?vsn=2.0.0`)
    expect(await second.post(JOIN)).toEqual({ status: 200 })
    await close()
    expect(await first.messages()).toContainEqual(joined)
    expect(url).not.toContain(String(port))
  })

  it("outlives a second HTTP server of its node that is closed twice", async () => {
    const { open, server } = await serveLongPoll()
    const session = await open()
    const { close } = await server.listen({ port: 0, host: "127.0.0.1" })
    await close()
    await close()
    expect(await session.post(JOIN)).toEqual({ status: 200 })
  })

  it("outlives an `attach` whose undo is called twice", async () => {
    const { open, server } = await serveLongPoll()
    const session = await open()
    const detach = attach(server.endpoint, createHttpServer())
    await detach()
    await detach()
    expect(await session.post(JOIN)).toEqual({ status: 200 })
  })
})

describe("a post (P23)", () => {
  it("without a session is answered with 410", async () => {
    const { request } = await serveLongPoll()
    expect(await request("", { method: "POST", body: JOIN })).toEqual({ status: 410 })
    expect(await request("&token=rubbish", { method: "POST", body: JOIN })).toEqual({ status: 410 })
  })

  it("is answered with 200 if the socket can parse it; the reply to its message comes with the next poll", async () => {
    const { open } = await serveLongPoll()
    const session = await open()
    expect(await session.post('["1","2","nowhere","phx_join",{}]')).toEqual({ status: 200 })
    expect(await session.messages()).toEqual([
      [null, "2", "nowhere", "phx_reply", error({ reason: "unmatched topic" })],
    ])
  })

  it("in lines is a batch, of which the first hundred are read; a line that is not JSON is base64", async () => {
    const { open } = await serveLongPoll()
    const session = await open()
    const push = Buffer.concat([Buffer.from([0, 1, 1, 7, 4]), Buffer.from("12rooms:1echo"), Buffer.from([1, 2, 255])])
    await session.batch(JOIN, push.toString("base64"), ECHO)
    // Long poll cannot send binary messages: the reply to the binary push is dropped, and all others arrive (recorded case 10).
    expect((await session.messages()).filter((message) => !String(message).includes("presence"))).toEqual([
      joined,
      echoed,
    ])
    const heartbeats = Array.from({ length: 150 }, (_, i) => `[null,"${i}","phoenix","heartbeat",{}]`)
    expect(await session.batch(...heartbeats)).toEqual({ status: 200 })
    expect(await session.messages()).toHaveLength(100)
  })

  it("with a slow join is answered after the join, so that the next poll finds the join's reply", async () => {
    const { open, timers, reached } = await serveLongPoll()
    const session = await open()
    const posted = session.batch('["1","1","rooms:1","phx_join",{"ms":500}]', ECHO)
    await reached("joins", 1)
    timers.advance(500)
    expect(await posted).toEqual({ status: 200 })
    const kinds = (await session.messages()).map((message) => (message as unknown[])[3])
    expect(kinds).toEqual(["phx_reply", "presence_diff", "phx_reply"])
  })

  it("with an unreadable message behind a slow join is answered with 408 after the join (P23)", async () => {
    const { open, timers, reached } = await serveLongPoll()
    const session = await open()
    const posted = session.batch('["1","1","rooms:1","phx_join",{"ms":500}]', "[nope")
    await reached("bad_frames", 1)
    timers.advance(500)
    expect(await posted).toEqual({ status: 408 })
    expect(await session.post(ECHO)).toEqual({ status: 410 })
  })

  it("is answered with 408 when a join takes a whole window, and the session goes on", async () => {
    const { open, timers, reached } = await serveLongPoll()
    const session = await open()
    const posted = session.post('["1","1","rooms:1","phx_join",{"ms":12000}]')
    await reached("joins", 1)
    timers.advance(10_000)
    expect(await posted).toEqual({ status: 408 })
    const waiting = session.messages()
    await reached("polls", 1)
    timers.advance(2_000)
    expect(await waiting).toEqual([joined])
  })

  it.each([
    ["is not JSON", "{nope", "application/json"],
    ["is empty", "", "application/json"],
    ["is not UTF-8", Buffer.from('["1","2","rooms:1","echo","\xff"]', "latin1"), "application/json"],
    ["ends in a newline", '[null,"1","phoenix","heartbeat",{}]\n', "application/x-ndjson"],
    ["is a batch of bytes that are not a message", "//79", "application/x-ndjson"],
  ])("that %s ends the session: 408, then 410 (recorded case 10)", async (_what, body, type) => {
    const { open, counted } = await serveLongPoll()
    const session = await open()
    expect(await session.post(body, type)).toEqual({ status: 408 })
    expect(await session.post(ECHO)).toEqual({ status: 410 })
    expect(counted.get("bad_frames")).toBe(1)
  })

  it("with a line that is neither JSON nor base64 is refused as a whole with 400, and the session goes on", async () => {
    const { open } = await serveLongPoll()
    const session = await open()
    expect(await session.batch(JOIN, "@@@@")).toEqual({ status: 400 })
    await session.post('[null,"7","phoenix","heartbeat",{}]')
    expect(await session.messages()).toEqual([[null, "7", "phoenix", "phx_reply", ok()]])
  })

  it("is refused with 413 if its body or one of its messages is too large, and the session goes on", async () => {
    const { open, counted } = await serveLongPoll({ maxFrameBytes: 1_000, maxBufferedBytes: 100_000 })
    const session = await open()
    const long = `["1","2","rooms:1","echo","${"x".repeat(1_000)}"]`
    expect(await session.post(long)).toEqual({ status: 413 })
    expect(await session.batch(...Array.from({ length: 200 }, () => long))).toEqual({ status: 413 })
    expect(counted.get("oversized_frames")).toBe(2)
    expect(await session.post(JOIN)).toEqual({ status: 200 })
  })

  it("is measured in bytes, alone and as a line of a batch: maxFrameBytes is accepted, one byte more is refused", async () => {
    const { open } = await serveLongPoll({ maxFrameBytes: 1_000 })
    const session = await open()
    const [before, after] = ['["1","2","rooms:1","echo","', '"]']
    const message = (bytes: number): string => {
      const rest = bytes - Buffer.byteLength(before + after)
      return before + "é".repeat(rest >> 1) + "x".repeat(rest & 1) + after
    }
    expect([1_000, 1_001].map((bytes) => Buffer.byteLength(message(bytes)))).toEqual([1_000, 1_001])
    expect(await session.post(message(1_000))).toEqual({ status: 200 })
    expect(await session.post(message(1_001))).toEqual({ status: 413 })
    expect(await session.batch(JOIN, message(1_000))).toEqual({ status: 200 })
    expect(await session.batch(JOIN, message(1_001))).toEqual({ status: 413 })
  })
})

describe("the HTTP methods of long poll (P24)", () => {
  it("OPTIONS answers a CORS preflight", async () => {
    const { address } = await serveLongPoll()
    const headers = { "access-control-request-headers": "content-type,x-mine", origin: "https://good.example" }
    const response = await fetch(address, { method: "OPTIONS", headers })
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "access-control-allow-headers": "content-type,x-mine",
      "access-control-allow-methods": "get, post, options",
      "access-control-allow-origin": "*",
      "access-control-max-age": "3600",
    })
  })

  it("OPTIONS allows no page to send headers of proxies, which decide what its origin is compared with", async () => {
    const { address } = await serveLongPoll()
    const headers = {
      "access-control-request-headers": "content-type, X-Forwarded-Host",
      origin: "https://evil.example",
    }
    const response = await fetch(address, { method: "OPTIONS", headers })
    expect(response.headers.get("access-control-allow-headers")).toBe("")
  })

  it.each(["PUT", "HEAD", "DELETE", "PATCH"])("%s is answered with HTTP 400", async (method) => {
    const { address } = await serveLongPoll()
    expect((await fetch(address, { method })).status).toBe(400)
  })
})

const at = (now: number): SessionTokens => sessionTokens("secret", "n1", () => now)

describe("a session token", () => {
  const DAY = 24 * 60 * 60 * 1_000

  it("names node and session for 14 days (P21)", () => {
    const token = at(0).issue("s1")
    expect(at(14 * DAY).read(token)).toEqual({ node: "n1", session: "s1" })
    expect(at(14 * DAY + 1).read(token)).toBeUndefined()
  })

  it("is read by every node with the same secret, and by no other", () => {
    const token = at(0).issue("s1")
    expect(sessionTokens("secret", "n2", () => 0).read(token)).toEqual({ node: "n1", session: "s1" })
    expect(sessionTokens("other", "n1", () => 0).read(token)).toBeUndefined()
  })

  it("is refused when it was issued in the future, except for clocks that are apart by up to 30 s", () => {
    const token = at(30_001).issue("s1")
    expect(at(1).read(token)).toEqual({ node: "n1", session: "s1" })
    expect(at(0).read(token)).toBeUndefined()
  })

  it("is valid only at the path where its session was opened", async () => {
    const { url } = await serve((server) => {
      for (const path of ["/socket", "/admin"]) server.socket(path)
    })
    const [socket, admin] = ["socket", "admin"].map((path) => `${url.replace("ws", "http")}/${path}/longpoll?vsn=2.0.0`)
    const session = await LongPollClient.open(socket as string)
    expect(await session.at(admin as string).post(HEARTBEAT)).toEqual({ status: 410 })
    expect(await session.at(admin as string).poll()).toMatchObject({ status: 410 })
    expect(await session.post(HEARTBEAT)).toEqual({ status: 200 })
    expect(await session.messages()).toHaveLength(1)
  })

  it.each(["", ".", "a", "a.b", "..", "é.é", "a".repeat(100_000)])("is refused when it is malformed: %#", (token) => {
    expect(at(0).read(token)).toBeUndefined()
  })
})

it("passes the application's own token to connect, although phoenix.js appends its session's token under the same name", async () => {
  const seen: unknown[] = []
  const { url } = await serve((server) => {
    server.socket("/socket", {
      connect({ params, url: { search } }) {
        seen.push([params["token"], search])
        return {}
      },
    })
  })
  const address = `${url.replace("ws", "http")}/socket/longpoll?token=ada&vsn=2.0.0`
  const first = await requestLongPoll(`${address}&token=null`)
  expect(first).toMatchObject({ status: 410 })
  expect(seen).toEqual([["ada", "?vsn=2.0.0&token=ada"]])
  const session = new LongPollClient(address, first.token as string)
  expect(await session.post('["1","1","nowhere","phx_join",{}]')).toEqual({ status: 200 })
  expect(await session.messages()).toHaveLength(1)
  expect(seen).toHaveLength(1)
})

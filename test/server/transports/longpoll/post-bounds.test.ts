// @ts-expect-error the package ships no types
import { LongPoll } from "phoenix"
import { request as httpRequest } from "node:http"
import type { ClientRequest } from "node:http"
import { connect } from "node:net"
import { describe, expect, it, onTestFinished } from "vitest"
import type { ServerOptions } from "../../../../src/server/index.ts"
import { clock } from "../../../support/clock.ts"
import { LongPollClient } from "../../../support/longpoll-client.ts"
import { disconnectAll, officialSocket, reply } from "../../../support/phoenix-client.ts"
import { serve } from "../../../support/serve.ts"
import { until } from "../../../support/until.ts"

/** A post of which the test sends the body in parts. */
interface SlowPost {
  readonly request: ClientRequest
  /** Sends a part of the body, and resolves when this side's kernel has taken it. */
  send(part: string): Promise<void>
  /** Sends the last part. */
  end(part?: string): void
  /** Resolves to the status in the answer, or to `"closed"` when the server closes the connection without one. */
  readonly outcome: Promise<unknown>
  readonly isSettled: () => boolean
}

const JOIN = '["1","1","rooms:1","phx_join",{}]'
const echo = (n: number): string => `["1","${n}","rooms:1","echo",{"n":${n}}]`

async function serveRooms(options: ServerOptions = {}) {
  const handled: number[] = []
  const served = await serve((server) => {
    server.socket("/socket")
    server.channel("rooms:*", {
      join: () => ({ ok: {} }),
      on: {
        echo: (payload) => {
          handled.push((payload as { n: number }).n)
          return { ok: payload }
        },
      },
    })
  }, options)
  const http = served.url.replace("ws", "http")
  const address = `${http}/socket/longpoll?vsn=2.0.0`
  const open = () => LongPollClient.open(address)
  const begin = (path: string): SlowPost => {
    const request = httpRequest(`${http}${path}`, { method: "POST", agent: false })
    let settled = false
    const outcome = new Promise<unknown>((resolve) => {
      request.on("response", (response) => {
        const chunks: Buffer[] = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("error", () => undefined)
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString()
          resolve(text.startsWith("{") ? (JSON.parse(text) as { status: number }).status : response.statusCode)
        })
      })
      request.on("close", () => resolve("closed"))
    }).finally(() => (settled = true))
    request.on("error", () => undefined)
    onTestFinished(() => void request.destroy())
    return {
      request,
      send: (part) => new Promise((resolve) => request.write(part, () => resolve())),
      end: (part) => void request.end(part),
      outcome,
      isSettled: () => settled,
    }
  }
  const post = (session: LongPollClient) => begin(`/socket/longpoll?vsn=2.0.0&token=${session.token}`)
  return { ...served, open, begin, post, handled, http }
}

describe("the posts of one session", () => {
  it("are read one at a time, in order: the others wait, and none is lost", async () => {
    const { open, post, handled } = await serveRooms()
    const session = await open()
    await session.post(JOIN)
    const first = post(session)
    await first.send('["1","2","rooms:1",')
    const others = [2, 3, 4].map((n) => {
      const other = post(session)
      other.end(echo(n))
      return other
    })
    // A request of another session, sent later, is answered: the server has had time for the waiting ones.
    await (await open()).post('[null,"7","phoenix","heartbeat",{}]')
    expect(others.map(({ isSettled }) => isSettled())).toEqual([false, false, false])
    expect(handled).toEqual([])
    first.end('"echo",{"n":1}]')
    expect(await Promise.all([first, ...others].map(({ outcome }) => outcome))).toEqual([200, 200, 200, 200])
    expect(handled[0]).toBe(1)
    expect([...handled].sort((a, b) => a - b)).toEqual([1, 2, 3, 4])
  })

  it("are refused with 429 when 100 wait, and the next ones are served once there is room", async () => {
    const { open, post, counted, reached } = await serveRooms()
    const session = await open()
    await session.post(JOIN)
    const first = post(session)
    await first.send("[")
    const others = Array.from({ length: 101 }, () => {
      const other = post(session)
      other.end(echo(2))
      return other
    })
    await reached("post_floods", 1)
    const outcomes = others.map(({ outcome }) => outcome)
    expect(await Promise.race(outcomes)).toBe(429)
    first.end('"1","1","rooms:1","echo",{"n":1}]')
    expect((await Promise.all(outcomes)).sort()).toEqual([...Array.from({ length: 100 }, () => 200), 429])
    expect(counted.get("post_floods")).toBe(1)
    expect(await session.post(echo(3))).toEqual({ status: 200 })
  })

  it("go on with the next one when the first breaks off or takes too long", async () => {
    const timers = clock()
    // Long, because the time of the next post begins while this side does not see yet that the slow one has ended.
    const limits = { handshakeTimeoutMs: 10_000, longPollWindowMs: 600_000 }
    const { open, post, handled } = await serveRooms({ timers, ...limits })
    const session = await open()
    await session.post(JOIN)
    const [broken, slow, next] = [post(session), post(session), post(session)]
    await broken.send("[")
    await slow.send("[")
    next.end(echo(3))
    broken.request.destroy()
    const ended = slow.outcome
    await until(() => {
      timers.advance(100)
      return slow.isSettled()
    })
    expect(await ended).toBe("closed")
    expect(await next.outcome).toBe(200)
    expect(handled).toEqual([3])
  })
})

describe("the posts of all sessions together", () => {
  it("are bounded by maxBufferedPostBytes: the largest that is being read is refused with 503, and small ones pass", async () => {
    const { open, post, counted, handled } = await serveRooms({ maxBufferedPostBytes: 1_000 })
    const [big, small, other] = [await open(), await open(), await open()]
    await small.post(JOIN)
    const [first, second, third] = [post(big), post(small), post(other)]
    await first.send(`["1","2","rooms:1","echo","${"x".repeat(600)}`)
    await second.send('["1","2","rooms:1",')
    await third.send(`["1","2","rooms:1","echo","${"x".repeat(500)}`)
    expect(await first.outcome).toBe(503)
    expect(counted.get("post_overflows")).toBe(1)
    second.end('"echo",{"n":1}]')
    expect(await second.outcome).toBe(200)
    expect(handled).toEqual([1])
    expect(third.isSettled()).toBe(false)
    third.end('"]')
    expect(await third.outcome).toBe(200)
    // The refused session goes on, and its next post fits.
    expect(await big.post(JOIN)).toEqual({ status: 200 })
  })

  it("give their bytes back, whatever becomes of them", async () => {
    const { open, post, counted, reached } = await serveRooms({ maxBufferedPostBytes: 1_000, maxFrameBytes: 700 })
    const session = await open()
    const long = (length: number): string => JSON.stringify(["1", "2", "rooms:1", "echo", "x".repeat(length)])
    for (let round = 0; round < 5; round += 1) {
      expect(await session.post(long(600))).toEqual({ status: 200 })
      expect(await session.post(long(800))).toEqual({ status: 413 })
      expect(await session.post("no base64!".repeat(60), "application/x-ndjson")).toEqual({ status: 400 })
      const broken = post(session)
      await broken.send(long(600).slice(0, -1))
      broken.request.destroy()
      await broken.outcome
    }
    expect(await session.post(long(600))).toEqual({ status: 200 })
    await reached("oversized_frames", 5)
    expect(counted.get("post_overflows")).toBeUndefined()
  })

  it("a body that announces more than maxBufferedBytes is refused before it is read", async () => {
    const { open, post } = await serveRooms({ maxBufferedBytes: 1_000 })
    const slow = post(await open())
    slow.request.setHeader("content-length", 1_001)
    slow.request.flushHeaders()
    expect(await slow.outcome).toBe(413)
  })

  it("do not stop the official client: it connects again after a refused post", async () => {
    const { open, post, url, handled, counted } = await serveRooms({
      maxBufferedPostBytes: 2_000,
      // The other body stays until the end of the test.
      handshakeTimeoutMs: 600_000,
    })
    const attack = post(await open())
    await attack.send("x".repeat(1_000))
    const socket = officialSocket(url, {}, { transport: LongPoll })
    onTestFinished(disconnectAll)
    const channel = socket.channel("rooms:1")
    await reply(channel.join())
    const rejoined = new Promise((resolve) => socket.onOpen(resolve))
    // Larger than what is left, and than the other body: its own post is refused.
    channel.push("echo", { n: 4, text: "x".repeat(1_500) })
    await rejoined
    expect(counted.get("post_overflows")).toBe(1)
    await until(() => channel.state === "joined")
    expect((await reply(channel.push("echo", { n: 5 }))).status).toBe("ok")
    expect(handled).toEqual([5])
  })
})

describe("a body that does not end", () => {
  it.each(["/unknown", "/socket/unknown", "/socket/longpoll?vsn=2.0.0&token=none"])(
    "is ended after handshakeTimeoutMs when it is posted to %s, as one to a session",
    async (path) => {
      const timers = clock()
      const { http } = await serveRooms({ timers, handshakeTimeoutMs: 5_000 })
      // Not by a client that closes its connection itself when the answer comes before the end of its request.
      const raw = connect({ host: "127.0.0.1", port: Number(new URL(http).port) })
      onTestFinished(() => void raw.destroy())
      raw.on("error", () => undefined)
      raw.write(`POST ${path} HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000\r\n\r\n[`)
      await new Promise((answered) => raw.once("data", answered))
      const closed = new Promise((resolve) => raw.once("close", () => resolve("closed")))
      timers.advance(4_999)
      expect(await Promise.race([closed, fetch(`${http}/other`).then(({ status }) => status)])).toBe(404)
      timers.advance(1)
      expect(await closed).toBe("closed")
    },
  )
})

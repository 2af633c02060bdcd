import fc from "fast-check"
import { afterEach, describe, expect, it } from "vitest"
import type { ServerOptions } from "../../../src/server/index.ts"
import { RateLimiter } from "../../../src/server/rate-limit.ts"
import { clock } from "../../support/clock.ts"
import { LongPollClient } from "../../support/longpoll-client.ts"
import { disconnectAll, officialSocket, reply } from "../../support/phoenix-client.ts"
import { ok, serve } from "../../support/serve.ts"
import type { Client } from "../../support/serve.ts"
import { until } from "../../support/until.ts"

afterEach(disconnectAll)

/** The number of small frames that one read from the network may contain: 64 KiB of them. */
const MOST_IN_ONE_READ = 2_600

/** A server with a handler that waits until it is released. */
async function serveSlow(options: ServerOptions = {}) {
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => (release = resolve))
  const served = await serve((server) => {
    server.socket("/socket", { id: () => "user:1" })
    server.channel("rooms:*", {
      join: () => ({ ok: {} }),
      on: {
        slow: async () => {
          await released
          return { ok: {} }
        },
        echo: (payload) => ({ ok: (payload as { n: number }).n }),
      },
    })
  }, options)
  /** Joins, calls the slow handler, and sends echoes behind it, all in one write. */
  const burst = async (count: number, padding = ""): Promise<Client> => {
    const ada = await served.client()
    await ada.join("rooms:1")
    const echoes = Array.from({ length: count }, (_, n) =>
      JSON.stringify(["rooms:1", `${n}`, "rooms:1", "echo", { n, padding }]),
    )
    ada.socket.burst([JSON.stringify(["rooms:1", "slow", "rooms:1", "slow", {}]), ...echoes])
    return ada
  }
  const expectAllAnswered = async (ada: Client, count: number): Promise<void> => {
    expect(await ada.next()).toEqual(["rooms:1", "slow", "rooms:1", "phx_reply", ok()])
    for (let n = 0; n < count; n += 1)
      expect(await ada.next()).toEqual(["rooms:1", `${n}`, "rooms:1", "phx_reply", ok(n)])
  }
  return { ...served, release, burst, expectAllAnswered }
}

describe("a client that sends more than is handled", () => {
  it("is not closed for 1 400 pushes at once, as after an outage: each is answered, in order", async () => {
    const { burst, release, reached, expectAllAnswered, counted } = await serveSlow()
    const ada = await burst(1_400)
    await reached("pauses", 1)
    release()
    await expectAllAnswered(ada, 1_400)
    expect(counted.get("queue_overflows")).toBeUndefined()
  })

  it("is not read from while more than pauseAboveQueuedFrames wait, and then read to the end", async () => {
    const { burst, client, release, reached, expectAllAnswered, counted } = await serveSlow()
    const ada = await burst(12_000)
    await reached("pauses", 1)
    const bob = await client()
    await bob.join("rooms:2")
    expect(await bob.ask("rooms:2", "echo", { n: 1 })).toEqual(ok(1))
    expect(counted.get("frames_in")).toBeLessThan(1_000 + MOST_IN_ONE_READ + 10)
    release()
    await expectAllAnswered(ada, 12_000)
  })

  it("is not read from while messages of more than maxFrameBytes wait", async () => {
    const { burst, client, release, reached, expectAllAnswered, counted } = await serveSlow()
    const ada = await burst(20, "x".repeat(500_000))
    await reached("pauses", 1)
    const bob = await client()
    await bob.join("rooms:2")
    for (let n = 0; n < 20; n += 1) expect(await bob.ask("rooms:2", "echo", { n })).toEqual(ok(n))
    // Two joins, the slow message, the echoes of the other client, and three large messages.
    expect(counted.get("frames_in")).toBeLessThanOrEqual(2 + 1 + 20 + 3)
    release()
    await expectAllAnswered(ada, 20)
  })

  it("is not closed for silence while it is not read from", async () => {
    const timers = clock()
    const { burst, release, reached, expectAllAnswered } = await serveSlow({
      timers,
      idleTimeoutMs: 1_000,
      handlerTimeoutMs: 100_000,
      pauseAboveFramesPerSecond: Infinity,
      maxFramesPerSecond: Infinity,
    })
    const ada = await burst(4_000)
    await reached("pauses", 1)
    for (let ms = 0; ms < 5_000; ms += 100) timers.advance(100)
    release()
    await expectAllAnswered(ada, 4_000)
  })

  it("is closed by server.disconnect while it is not read from", async () => {
    const { burst, server, reached } = await serveSlow()
    const ada = await burst(4_000)
    await reached("pauses", 1)
    server.disconnect("user:1")
    expect(await ada.next()).toEqual({ event: "close", code: 1001, reason: "" })
    await reached("disconnects", 1)
  })

  it("holds the next long-poll post until fewer wait, and answers it then", async () => {
    const { url, release, reached } = await serveSlow({ pauseAboveQueuedFrames: 5 })
    const session = await LongPollClient.open(`${url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0`)
    const message = (event: string, n: number): string => JSON.stringify(["1", `${n}`, "rooms:1", event, { n }])
    expect(await session.batch('["1","1","rooms:1","phx_join",{}]', message("slow", 0))).toEqual({ status: 200 })
    expect(await session.batch(...[1, 2, 3, 4, 5, 6].map((n) => message("echo", n)))).toEqual({ status: 200 })
    await reached("pauses", 1)
    let isAnswered = false
    const next = session.batch(message("echo", 7)).finally(() => (isAnswered = true))
    for (let n = 0; n < 5; n += 1) await LongPollClient.open(`${url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0`)
    expect(isAnswered).toBe(false)
    release()
    expect(await next).toEqual({ status: 200 })
    const replies: unknown[] = []
    while (replies.length < 9) replies.push(...(await session.messages()))
    expect(replies.at(-1)).toEqual(["1", "7", "rooms:1", "phx_reply", ok(7)])
  })

  it("may be the official client, whose 1 400 pushes are all answered", async () => {
    const { url, release, reached } = await serveSlow()
    const channel = officialSocket(url).channel("rooms:1")
    await reply(channel.join())
    const slow = reply(channel.push("slow", {}))
    const echoes = Array.from({ length: 1_400 }, (_, n) => reply(channel.push("echo", { n })))
    await reached("pauses", 1)
    release()
    expect((await slow).status).toBe("ok")
    expect((await Promise.all(echoes)).map(({ response }) => response as number)).toEqual(echoes.map((_, n) => n))
  })
})

describe("a client that sends too fast", () => {
  it("is slowed down to pauseAboveFramesPerSecond, and nothing is lost", async () => {
    const timers = clock()
    const { client, counted, reached } = await serveSlow({ timers, pauseAboveFramesPerSecond: 100 })
    const ada = await client()
    await ada.join("rooms:1")
    const padding = "x".repeat(1_000)
    const frames = Array.from({ length: 2_000 }, (_, n) =>
      JSON.stringify(["rooms:1", `${n}`, "rooms:1", "echo", { n, padding }]),
    )
    ada.socket.burst(frames)
    await reached("pauses", 1)
    const bob = await client()
    expect(await bob.join("rooms:2")).toEqual(ok())
    expect(counted.get("frames_in")).toBeLessThan(100 + 64 + 10)
    const answers: unknown[] = []
    const reading = (async () => {
      while (answers.length < frames.length) answers.push(((await ada.next()) as unknown[])[4])
    })()
    let pauses = 0
    await until(() => {
      // The clock moves only while nothing is read. Otherwise a busy machine would read more frames in each of its seconds.
      const latest = counted.get("pauses")!
      if (latest > pauses) timers.advance(1_000)
      pauses = latest
      return answers.length === frames.length
    })
    await reading
    expect(answers).toEqual(frames.map((_, n) => ok(n)))
    expect(pauses).toBeGreaterThan(frames.length / (100 + 64 + 10) - 1)
    expect(counted.get("frame_floods")).toBeUndefined()
  })

  it("waits exactly until fewer than max events are less than a second old", () => {
    const gaps = fc.array(fc.nat(200), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 20 }), (times, max) => {
        const limiter = new RateLimiter()
        let now = 0
        for (const gap of times) limiter.exceeds(Infinity, (now += gap))
        const wait = limiter.msUntilBelow(max, now)
        if (wait === 0) return
        expect(limiter.msUntilBelow(max, now + wait - 0.5)).toBeGreaterThan(0)
        expect(limiter.msUntilBelow(max, now + wait)).toBe(0)
      }),
    )
  })
})

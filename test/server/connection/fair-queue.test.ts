import { describe, expect, it } from "vitest"
import { ConnectionQueue, FairQueue } from "../../../src/server/connection/fair-queue.ts"
import type { Timers } from "../../../src/timers.ts"
import { createServer } from "../../../src/server/index.ts"
import type { Server, Stats } from "../../../src/server/index.ts"
import { memoryTransport } from "../../../src/testing/index.ts"
import { clock } from "../../support/clock.ts"
import { serve } from "../../support/serve.ts"
import { until } from "../../support/until.ts"

/** FairQueue of an event loop that a test turns, with a clock that goes on by as much as it takes to take something. */
function loop(costMs: number) {
  let now = 0
  let due: (() => void)[] = []
  const timers: Timers = { now: () => now, set: () => undefined, clear: () => undefined, soon: (run) => due.push(run) }
  const turns = new FairQueue(timers)
  const taken: string[] = []
  const speaker = (name: string) => {
    const share = new ConnectionQueue<string>(turns, {
      take(item) {
        now += costMs
        taken.push(`${name}${item}`)
      },
    })
    const says = (...items: string[]): void => {
      for (const item of items) share.add(item, item.length)
    }
    return { share, says }
  }
  /** Goes on to the next turn, and tells what has been taken meanwhile. */
  const turn = async (): Promise<string[]> => {
    const runs = due
    due = []
    for (const run of runs) run()
    for (let i = 0; i < 200; i += 1) await undefined
    return taken.splice(0)
  }
  return { speaker, turn }
}

const numbers = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`)

describe("turns of the event loop", () => {
  it("go to who says a few small things at once, however much others say", async () => {
    const { speaker, turn } = loop(0.3)
    const [a, b, c] = [speaker("a"), speaker("b"), speaker("c")]
    a.says(...numbers(1, 50))
    b.says("1")
    c.says("1", "2")
    expect((await turn()).slice(0, 19)).toEqual([...numbers(1, 16).map((n) => `a${n}`), "b1", "c1", "c2"])
    b.says("2")
    expect(await turn()).toContain("b2")
  })

  it("give who says much a share, and the rest of it in the turns that follow, in order", async () => {
    const { speaker, turn } = loop(0)
    const { says, share } = speaker("a")
    says(...numbers(1, 20))
    expect(share.waiting).toBeInstanceOf(Promise)
    says("21")
    const all = [...(await turn()), ...(await turn())]
    expect(all).toEqual(numbers(1, 21).map((n) => `a${n}`))
    expect(share.waiting).toBeUndefined()
  })

  it("end when their time is used up, and hear those who wait in rounds", async () => {
    const { speaker, turn } = loop(0.5)
    const [a, b] = [speaker("a"), speaker("b")]
    a.says(...numbers(1, 20))
    b.says(...numbers(1, 20))
    const rounds = [await turn(), await turn(), await turn(), await turn()]
    expect(rounds.map((round) => round.length)).toEqual([34, 2, 2, 2])
    expect(rounds.map((round) => round.slice(-2))).toEqual([
      ["a17", "b17"],
      ["a18", "b18"],
      ["a19", "b19"],
      ["a20", "b20"],
    ])
  })

  it("have what is large wait when there is no time left, and hear one thing at least", async () => {
    const { speaker, turn } = loop(5)
    const [a, b] = [speaker("a"), speaker("b")]
    a.says("1")
    b.says("x".repeat(10_000))
    b.says("2")
    expect(b.share.waiting).toBeInstanceOf(Promise)
    expect([...(await turn()), ...(await turn()), ...(await turn())].map((item) => item.slice(0, 2))).toEqual([
      "a1",
      "bx",
      "b2",
    ])
  })

  it("forget what waits of a connection that has ended", async () => {
    const { speaker, turn } = loop(0)
    const { says, share } = speaker("a")
    says(...numbers(1, 20))
    const waiting = share.waiting
    share.drop()
    await waiting
    expect([...(await turn()), ...(await turn())]).toHaveLength(16)
  })
})

describe("a client that says much at once", () => {
  const echoing = () =>
    serve((server) => {
      server.socket("/socket")
      server.channel("rooms:*", { join: () => ({ ok: {} }), on: { echo: (payload) => ({ ok: payload }) } })
    })

  it("is answered all of it, in order, and its goodbye after that", async () => {
    const { client } = await echoing()
    const one = await client()
    await one.join("rooms:1")
    const count = 2_000
    for (let n = 0; n < count; n += 1) one.push("rooms:1", "echo", { n })
    one.socket.close(1000)
    for (let n = 0; n < count; n += 1) {
      expect(await one.next()).toEqual([
        "rooms:1",
        expect.anything(),
        "rooms:1",
        "phx_reply",
        { status: "ok", response: { n } },
      ])
    }
    expect(await one.next()).toMatchObject({ event: "close", code: 1000 })
  })
})

describe("a connection that ends with a hundred channels", () => {
  /** A server on which it takes half a millisecond to end a channel, and what it did, in order. */
  async function leaving(left: () => void | Promise<void> = () => undefined) {
    const timers = clock()
    const did: string[] = []
    const server: Server = createServer({ timers })
    server.socket("/socket")
    server.channel("rooms:*", {
      join: () => ({ ok: {} }),
      joined: (channel) => void server.presence.track(channel, "ada"),
      left(channel) {
        did.push(channel.topic)
        timers.advance(0.5)
        return left()
      },
    })
    server.channel("quick:*", { join: () => ({ ok: {} }), on: { echo: () => void did.push("echo") } })
    const memory = memoryTransport(server)
    const client = async (...topics: readonly string[]) => {
      const socket = new memory.WebSocket("ws://memory/socket/websocket?vsn=2.0.0")
      await until(() => socket.readyState === 1)
      const joined = server.stats().channels + topics.length
      for (const topic of topics) socket.send(JSON.stringify(["1", "1", topic, "phx_join", {}]))
      await until(() => server.stats().channels === joined)
      return socket
    }
    const topics = numbers(1, 100).map((n) => `rooms:${n}`)
    return { server, did, topics, client }
  }

  it("keeps nobody waiting for all of them to end", async () => {
    const asks: (() => void)[] = []
    const { server, did, topics, client } = await leaving(() => asks.pop()?.())
    const [many, one] = [await client(...topics), await client("quick:1")]
    asks.push(() => one.send(JSON.stringify(["1", "2", "quick:1", "echo", {}])))
    many.close()
    await until(() => did.length === 101)
    expect(did.indexOf("echo")).toBeLessThan(20)
    expect(did.filter((what) => what !== "echo")).toEqual(topics)
    expect(topics.flatMap((topic) => Object.keys(server.presence.list(topic)))).toEqual([])
    expect(server.stats()).toMatchObject({ connections: 1, channels: 1 })
  })

  it("is no longer counted as a connection while they do", async () => {
    const seen: Stats[] = []
    const { server, did, topics, client } = await leaving(() => void seen.push(server.stats()))
    const many = await client(...topics)
    many.close()
    await until(() => did.length === 100)
    expect(seen.at(-1)).toMatchObject({ connections: 0, channels: 0 })
    expect(seen.filter(({ connections }) => connections === 0).length).toBeGreaterThan(80)
  })

  it("is waited for by a server that closes, with what their `left` handlers do", async () => {
    let done = 0
    const { server, topics, client } = await leaving(() => Promise.resolve().then(() => void (done += 1)))
    await client(...topics)
    await server.close()
    expect(done).toBe(100)
  })
})

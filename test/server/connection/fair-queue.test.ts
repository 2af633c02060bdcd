import { describe, expect, it } from "vitest"
import { ConnectionQueue, FairQueue } from "../../../src/server/connection/fair-queue.ts"
import type { Timers } from "../../../src/timers.ts"
import { createServer } from "../../../src/server/index.ts"
import type { Server, Stats } from "../../../src/server/index.ts"
import { memoryTransport } from "../../../src/testing/index.ts"
import { clock } from "../../support/clock.ts"
import { serve } from "../../support/serve.ts"
import { until } from "../../support/until.ts"

/** A fair queue on an event loop that the test turns; its clock advances by `costMs` for each item that is taken. */
function eventLoop(costMs: number) {
  let now = 0
  let due: (() => void)[] = []
  const timers: Timers = { now: () => now, set: () => undefined, clear: () => undefined, soon: (run) => due.push(run) }
  const fairQueue = new FairQueue(timers)
  const taken: string[] = []
  const connection = (name: string) => {
    const queue = new ConnectionQueue<string>(fairQueue, {
      take(item) {
        now += costMs
        taken.push(`${name}${item}`)
      },
    })
    const send = (...items: string[]): void => {
      for (const item of items) queue.add(item, item.length)
    }
    return { queue, send }
  }
  /** Runs the next turn of the event loop, and returns the items taken since the last one. */
  const turn = async (): Promise<string[]> => {
    const runs = due
    due = []
    for (const run of runs) run()
    for (let i = 0; i < 200; i += 1) await undefined
    return taken.splice(0)
  }
  return { connection, turn }
}

const numbers = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`)

describe("a fair queue", () => {
  it("takes a few small items of a connection at once, however much others send", async () => {
    const { connection, turn } = eventLoop(0.3)
    const [a, b, c] = [connection("a"), connection("b"), connection("c")]
    a.send(...numbers(1, 50))
    b.send("1")
    c.send("1", "2")
    expect((await turn()).slice(0, 19)).toEqual([...numbers(1, 16).map((n) => `a${n}`), "b1", "c1", "c2"])
    b.send("2")
    expect(await turn()).toContain("b2")
  })

  it("takes a share of what a connection sends at once, and the rest in the following turns, in order", async () => {
    const { connection, turn } = eventLoop(0)
    const { send, queue } = connection("a")
    send(...numbers(1, 20))
    expect(queue.waiting).toBeInstanceOf(Promise)
    send("21")
    const all = [...(await turn()), ...(await turn())]
    expect(all).toEqual(numbers(1, 21).map((n) => `a${n}`))
    expect(queue.waiting).toBeUndefined()
  })

  it("takes waiting items in rounds, one of each connection, until the turn's time is used up", async () => {
    const { connection, turn } = eventLoop(0.5)
    const [a, b] = [connection("a"), connection("b")]
    a.send(...numbers(1, 20))
    b.send(...numbers(1, 20))
    const [first, ...others] = [await turn(), await turn(), await turn(), await turn()]
    // The shares of both, and one round.
    const share = numbers(1, 16)
    expect(first).toEqual([...share.map((n) => `a${n}`), ...share.map((n) => `b${n}`), "a17", "b17"])
    expect(others).toEqual([
      ["a18", "b18"],
      ["a19", "b19"],
      ["a20", "b20"],
    ])
  })

  it("makes a large item wait when the turn has no time left, and takes at least one item per turn", async () => {
    const { connection, turn } = eventLoop(5)
    const [a, b] = [connection("a"), connection("b")]
    a.send("1")
    b.send("x".repeat(10_000))
    b.send("2")
    expect(b.queue.waiting).toBeInstanceOf(Promise)
    expect([...(await turn()), ...(await turn()), ...(await turn())].map((item) => item.slice(0, 2))).toEqual([
      "a1",
      "bx",
      "b2",
    ])
  })

  it("drops the waiting items of a connection that has ended", async () => {
    const { connection, turn } = eventLoop(0)
    const { send, queue } = connection("a")
    send(...numbers(1, 20))
    const { waiting } = queue
    queue.drop()
    await waiting
    expect([...(await turn()), ...(await turn())]).toHaveLength(16)
  })
})

describe("a client that sends much at once", () => {
  const echoing = () =>
    serve((server) => {
      server.socket("/socket")
      server.channel("rooms:*", { join: () => ({ ok: {} }), on: { echo: (payload) => ({ ok: payload }) } })
    })

  it("gets all replies, in order, and then the close that it asked for", async () => {
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
  /** A server on which it takes half a millisecond to end a channel, and a list of what it did, in order. */
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

  it("delays no other client until all of them have ended", async () => {
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

  it("is not counted as a connection while its channels end", async () => {
    const seen: Stats[] = []
    const { server, did, topics, client } = await leaving(() => void seen.push(server.stats()))
    const many = await client(...topics)
    many.close()
    await until(() => did.length === 100)
    expect(seen.at(-1)).toMatchObject({ connections: 0, channels: 0 })
    expect(seen.filter(({ connections }) => connections === 0).length).toBeGreaterThan(80)
  })

  it("delays the end of server.close() until its channels have ended and their `left` handlers have run", async () => {
    let done = 0
    const { server, topics, client } = await leaving(() => Promise.resolve().then(() => void (done += 1)))
    await client(...topics)
    await server.close()
    expect(done).toBe(100)
  })
})

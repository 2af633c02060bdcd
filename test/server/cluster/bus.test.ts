import { afterEach, expect, test } from "vitest"
import { LocalBus } from "../../../src/pubsub/local.ts"
import type { PubSub } from "../../../src/pubsub/pubsub.ts"
import { ConfigError, RollcallError, createServer } from "../../../src/server/index.ts"
import type { Server, ServerOptions } from "../../../src/server/index.ts"
import { decodeMessage, encodeBroadcast, encodeDisconnect } from "../../../src/server/cluster/cluster-messages.ts"
import { Payload } from "../../../src/wire/payload.ts"
import { memoryTransport } from "../../../src/testing/index.ts"
import { disconnectAll, officialSocket, reply } from "../../support/phoenix-client.ts"
import { proxied } from "../../support/proxied-pubsub.ts"

const servers: Server<{ name: string }>[] = []

afterEach(async () => {
  disconnectAll()
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

/** One node: a server on a bus, a way to join it, and its counters. */
function node(pubsub: PubSub, options: ServerOptions = {}) {
  const counts = new Map<string, number>()
  const quiet = { warn: () => undefined, error: () => undefined }
  const meter = { count: (name: string, by: number) => void counts.set(name, (counts.get(name) ?? 0) + by) }
  const defaults = { subscribeTimeoutMs: 60_000, logger: quiet }
  const server = createServer<{ name: string }>({ pubsub, meter, ...defaults, ...options })
  servers.push(server)
  server.socket("/socket", {
    connect: ({ params }) => ({ name: params["name"] ?? "nobody" }),
    id: ({ assigns }) => `users:${assigns.name}`,
  })
  server.channel("rooms:*", {
    join: () => ({ ok: {} }),
    on: {
      shout: (payload, channel) => channel.broadcast("shout", payload),
      whisper: (payload, channel) => channel.broadcastFrom("whisper", payload),
      echo: (payload) => ({ ok: payload }),
    },
    out: {
      secret: (payload: { text: string }, channel) => channel.push("secret", { text: payload.text.length }),
    },
  })
  const memory = memoryTransport(server)
  async function join(name: string, topic = "rooms:1") {
    const socket = officialSocket("ws://memory", { name }, { transport: memory.WebSocket })
    const channel = socket.channel(topic, {})
    const received: unknown[] = []
    for (const event of ["shout", "whisper", "secret", "news"]) {
      channel.on(event, (payload: unknown) =>
        received.push([event, payload instanceof ArrayBuffer ? new Uint8Array(payload) : payload]),
      )
    }
    return { socket, channel, received, joined: await reply(channel.join()) }
  }
  return { server, join, counts }
}

/** Waits until everything that was sent before has arrived. */
async function settled(...members: { channel: any }[]): Promise<void> {
  for (const { channel } of [...members, ...members]) await reply(channel.push("echo", {}))
}

test("a broadcast reaches the clients of every node, once, in the sender's order", async () => {
  const bus = new LocalBus()
  const [one, two] = [node(bus.join()), node(bus.join())]
  const [ada, bob, eve] = [await one.join("ada"), await two.join("bob"), await two.join("eve", "rooms:2")]
  for (const n of [1, 2, 3]) ada.channel.push("shout", { n })
  await settled(ada, bob, eve)
  const shouts = [1, 2, 3].map((n) => ["shout", { n }])
  expect([ada.received, bob.received, eve.received]).toEqual([shouts, shouts, []])
})

test("broadcastFrom skips its sender, and reaches all others on every node", async () => {
  const bus = new LocalBus()
  const [one, two] = [node(bus.join()), node(bus.join())]
  const [ada, ann, bob] = [await one.join("ada"), await one.join("ann"), await two.join("bob")]
  ada.channel.push("whisper", { n: 1 })
  await settled(ada, ann, bob)
  expect([ada.received, ann.received, bob.received]).toEqual([[], [["whisper", { n: 1 }]], [["whisper", { n: 1 }]]])
})

test("the server's own broadcasts reach all nodes, as JSON, as bytes, and through out handlers", async () => {
  const bus = new LocalBus()
  const [one, two] = [node(bus.join()), node(bus.join())]
  const bob = await two.join("bob")
  one.server.broadcast("rooms:1", "news", { text: "é" })
  one.server.broadcast("rooms:1", "news", new Uint8Array([0, 255]))
  one.server.broadcast("rooms:1", "secret", { text: "four" })
  await settled(bob)
  expect(bob.received).toEqual([
    ["news", { text: "é" }],
    ["news", new Uint8Array([0, 255])],
    ["secret", { text: 4 }],
  ])
})

test("disconnect closes the connections with an id on every node", async () => {
  const bus = new LocalBus()
  const [one, two] = [node(bus.join()), node(bus.join())]
  const [ada, bob] = [await one.join("ada"), await two.join("bob")]
  const closed = new Promise((resolve) => bob.socket.onClose(resolve))
  one.server.disconnect("users:bob")
  expect(await closed).toMatchObject({ code: 1001 })
  expect(ada.socket.isConnected()).toBe(true)
})

test("a topic is subscribed while it has a channel, and no longer", async () => {
  const bus = new LocalBus()
  const subscribed: string[] = []
  const inner = bus.join()
  const counting: PubSub = {
    ...proxied(inner),
    async subscribe(topic, receive) {
      subscribed.push(`+${topic}`)
      const undo = await inner.subscribe(topic, receive)
      return () => {
        subscribed.push(`-${topic}`)
        undo()
      }
    },
  }
  const one = node(counting)
  const [ada, ann] = [await one.join("ada"), await one.join("ann")]
  await reply(ada.channel.leave())
  await reply(ann.channel.leave())
  await reply((await one.join("ada", "rooms:2")).channel.push("echo", {}))
  expect(subscribed.filter((entry) => entry.includes("rooms:"))).toEqual([
    "+broadcast:rooms:1",
    "-broadcast:rooms:1",
    "+broadcast:rooms:2",
  ])
})

test("a join is not answered before the bus has confirmed its topic", async () => {
  const inner = new LocalBus().join()
  let confirm!: () => void
  const confirmed = new Promise<void>((resolve) => (confirm = resolve))
  const slow: PubSub = {
    ...proxied(inner),
    subscribe: async (topic, receive) => {
      if (topic.includes("rooms:")) await confirmed
      return inner.subscribe(topic, receive)
    },
  }
  const one = node(slow)
  const joining = one.join("ada")
  let joined = false
  void joining.then(() => (joined = true))
  await expect.poll(() => one.counts.get("joins")).toBe(1)
  expect(joined).toBe(false)
  confirm()
  expect((await joining).joined.status).toBe("ok")
})

test("a bus that does not confirm in time refuses the join, and a later one may succeed", async () => {
  const inner = new LocalBus().join()
  let confirms = false
  const silent: PubSub = {
    ...proxied(inner),
    subscribe: (topic, receive) =>
      topic.includes("rooms:") && !confirms ? new Promise(() => undefined) : inner.subscribe(topic, receive),
  }
  const one = node(silent, { subscribeTimeoutMs: 5 })
  const refused = await one.join("ada")
  expect(refused.joined).toEqual({ status: "error", response: { reason: "subscribe timeout" } })
  refused.channel.leave()
  confirms = true
  expect((await one.join("ada")).joined.status).toBe("ok")
})

/** A bus that calls `subscribe` for the subscriptions of rooms, and counts them. */
function roomBus(subscribe: PubSub["subscribe"]) {
  const inner = new LocalBus().join()
  const asked: string[] = []
  const pubsub: PubSub = {
    ...proxied(inner),
    subscribe(topic, receive) {
      if (!topic.includes("rooms:")) return inner.subscribe(topic, receive)
      asked.push(topic)
      return subscribe(topic, receive)
    },
  }
  return { inner, pubsub, asked }
}

const refused = (): RollcallError => new RollcallError("subscribe_refused", "no permission")

test("a bus that refuses a topic refuses the join with a final reason, and is asked again by each join", async () => {
  let isAllowed = false
  const bus = roomBus(async (topic, receive) => {
    if (!isAllowed) throw refused()
    return bus.inner.subscribe(topic, receive)
  })
  const logged: string[] = []
  const logger = { warn: (message: string) => logged.push(message), error: (message: string) => logged.push(message) }
  const one = node(bus.pubsub, { logger })
  for (const joins of [1, 2]) {
    const { joined, channel } = await one.join("ada")
    expect(joined).toEqual({ status: "error", response: { reason: "subscribe refused" } })
    channel.leave()
    expect(bus.asked).toHaveLength(joins)
  }
  expect([one.counts.get("subscribe_refusals"), one.counts.get("subscribe_timeouts")]).toEqual([2, undefined])
  expect(one.counts.get("bus_drops")).toBeUndefined()
  expect(logged).toEqual(["the bus refused a topic", "the bus refused a topic"])
  isAllowed = true
  expect((await one.join("ada")).joined.status).toBe("ok")
})

test("joins that wait for the same refused topic are all refused, and leave a later subscription alone", async () => {
  const refuse: (() => void)[] = []
  const bus = roomBus((topic, receive) =>
    bus.asked.length > 1
      ? bus.inner.subscribe(topic, receive)
      : new Promise((_, reject) => refuse.push(() => reject(refused()))),
  )
  const [one, joins] = [node(bus.pubsub), ["ada", "bob", "cy"]]
  const joining = joins.map((name) => one.join(name))
  await expect.poll(() => one.counts.get("joins")).toBe(3)
  expect(bus.asked).toHaveLength(1)
  refuse[0]?.()
  for (const { joined, channel } of await Promise.all(joining)) {
    expect(joined.response).toEqual({ reason: "subscribe refused" })
    channel.leave()
  }
  const eve = await one.join("eve")
  expect(eve.joined.status).toBe("ok")
  expect(bus.asked).toHaveLength(2)
})

test("a bus that throws instead of rejecting refuses the join, and harms no other", async () => {
  const bus = roomBus(() => {
    throw refused()
  })
  const one = node(bus.pubsub)
  const ada = await one.join("ada")
  expect(ada.joined.response).toEqual({ reason: "subscribe refused" })
  expect(ada.socket.isConnected()).toBe(true)
})

test("a bus that is closed answers a join like a timeout, so that the client tries again, perhaps at another node", async () => {
  const bus = roomBus(async () => {
    throw new RollcallError("closed", "the bus is closed")
  })
  const one = node(bus.pubsub)
  expect((await one.join("ada")).joined.response).toEqual({ reason: "subscribe timeout" })
  expect(one.counts.get("subscribe_timeouts")).toBe(1)
})

/** A bus without a connection to its engine, which keeps each subscription waiting and counts them. */
function awayBus(): { pubsub: PubSub; readonly asked: number; connect(): void } {
  const inner = new LocalBus().join()
  const waiting: (() => void)[] = []
  const listeners = new Set<(status: PubSub["status"]) => void>()
  let status: PubSub["status"] = "disconnected"
  let asked = 0
  return {
    pubsub: {
      ...proxied(inner),
      get status() {
        return status
      },
      onStatus(listener) {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
      async subscribe(topic, receive) {
        if (topic.includes("rooms:")) asked += 1
        if (status !== "connected") await new Promise<void>((resolve) => waiting.push(resolve))
        return inner.subscribe(topic, receive)
      },
    },
    get asked() {
      return asked
    },
    connect() {
      status = "connected"
      for (const listener of listeners) listener(status)
      for (const resolve of waiting) resolve()
    },
  }
}

test("when the bus has been away for longer than a join may wait, joins are refused at once and leave nothing waiting", async () => {
  const bus = awayBus()
  const logged: string[] = []
  const logger = { warn: (text: string) => void logged.push(text), error: (text: string) => void logged.push(text) }
  const one = node(bus.pubsub, { subscribeTimeoutMs: 5, logger })
  await expect.poll(() => one.server.stats().busAwayMs).toBeGreaterThan(5)
  for (let n = 0; n < 20; n += 1) {
    const { joined } = await one.join("ada", `rooms:${n}`)
    expect(joined).toEqual({ status: "error", response: { reason: "subscribe timeout" } })
  }
  expect(bus.asked).toBe(0)
  expect(one.counts.get("subscribe_timeouts")).toBe(20)
  expect(logged).toEqual(["joins of new topics are refused until the bus is connected"])
  bus.connect()
  expect((await one.join("ada")).joined.status).toBe("ok")
})

test("a join that is made early in an outage waits for the bus", async () => {
  const bus = awayBus()
  const one = node(bus.pubsub, { subscribeTimeoutMs: 60_000 })
  const joining = one.join("ada")
  await expect.poll(() => bus.asked).toBe(1)
  bus.connect()
  expect((await joining).joined.status).toBe("ok")
})

test("a broadcast from another node is parsed only for out handlers", () => {
  const message = decodeMessage(encodeBroadcast("e", Payload.fromJson('{"a":}')))
  if (message.kind !== "broadcast") throw new Error("expected a broadcast")
  expect(message.payload.json).toBe('{"a":}')
  expect(() => message.payload.value).toThrow(SyntaxError)
})

test.each(["", "{", "[", '"', '{"a":1', "[1,2", "}", "nope", "1 2", "{]", '"text'])(
  "a broadcast whose text is %j, which is cut off or is not JSON, is refused",
  (json) => {
    expect(() => decodeMessage(encodeBroadcast("e", Payload.fromJson(json)))).toThrow(
      expect.objectContaining({ code: "bad_message" }),
    )
  },
)

test.each(["{}", "[]", '""', '{"a":[1]}', "1", "-2.5e3", "true", "null"])("a broadcast of %s arrives", (json) => {
  expect(decodeMessage(encodeBroadcast("e", Payload.fromJson(json)))).toMatchObject({
    event: "e",
    payload: { json, value: JSON.parse(json) },
  })
})

test("malformed JSON that only an out handler would read is dropped and counted, and ends no channel", async () => {
  const bus = new LocalBus()
  const [one, stranger] = [node(bus.join()), bus.join()]
  const ada = await one.join("ada")
  stranger.publish("broadcast:rooms:1", encodeBroadcast("secret", Payload.fromJson('{"text":}')))
  stranger.publish("broadcast:rooms:1", encodeBroadcast("secret", Payload.of({ text: "four" })))
  await settled(ada)
  expect(ada.received).toEqual([["secret", { text: 4 }]])
  expect([one.counts.get("bus_drops"), one.counts.get("channel_crashes")]).toEqual([1, undefined])
})

test("an event or an id that is too long for a message between nodes is refused, with its length", () => {
  const long = "é".repeat(32_768)
  expect(() => encodeBroadcast(long, Payload.of({}))).toThrow("expected an event of at most 65535 bytes, got 65536")
  expect(() => encodeDisconnect(long)).toThrow("expected an id of at most 65535 bytes, got 65536")
  expect(decodeMessage(encodeDisconnect(long.slice(1)))).toEqual({ kind: "disconnect", id: long.slice(1) })
  const { server } = node(new LocalBus().join())
  expect(() => server.broadcast("rooms:1", long, {})).toThrow(ConfigError)
  expect(() => server.disconnect(long)).toThrow(ConfigError)
})

test("a byte order mark at the beginning of an event or an id reaches the other nodes", () => {
  const name = "\uFEFFada"
  expect(decodeMessage(encodeDisconnect(name))).toEqual({ kind: "disconnect", id: name })
  expect(decodeMessage(encodeBroadcast(name, Payload.of({})))).toMatchObject({ event: name })
})

test("an event that is too long for the bus reaches no client of this node either, and such an id closes no connection", async () => {
  const one = node(new LocalBus().join())
  const name = "e".repeat(65_536)
  const ada = await one.join(name.slice(6))
  const received: unknown[] = []
  ada.channel.on(name, (payload: unknown) => void received.push(payload))
  expect(() => one.server.broadcast("rooms:1", name, {})).toThrow(ConfigError)
  expect(() => one.server.disconnect(`users:${name.slice(6)}`)).toThrow(ConfigError)
  await settled(ada)
  expect([received, ada.socket.isConnected()]).toEqual([[], true])
})

test("a malformed message on the bus is dropped and counted", async () => {
  const bus = new LocalBus()
  const [one, stranger] = [node(bus.join()), bus.join()]
  const ada = await one.join("ada")
  const nonsense = [[], [9, 1, 0, 0], [1, 9, 0, 0], [1, 1, 255, 255], [1, 1, 0, 0, 123], [1, 1, 0, 1, 255], [1, 1]]
  for (const bytes of nonsense) stranger.publish("broadcast:rooms:1", new Uint8Array(bytes))
  await settled(ada)
  expect(one.counts.get("bus_drops")).toBe(nonsense.length)
  expect(ada.received).toEqual([])
})

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import type { DropReason, PubSub, PubSubOptions, PubSubStatus, Receive } from "../../src/pubsub/pubsub.ts"
import { until } from "../support/until.ts"

/** A node as the contract uses it. All methods return promises, since the node may run in another process. */
export interface TestNode {
  readonly node: string
  readonly statuses: readonly PubSubStatus[]
  readonly drops: readonly DropReason[]
  readonly errors: readonly string[]
  /** @param throws whether the receiver throws after it has recorded the message */
  subscribe(topic: string, receive: Receive, throws?: boolean): Promise<() => Promise<void>>
  publish(topic: string, bytes: Uint8Array): Promise<void>
  send(node: string, topic: string, bytes: Uint8Array): Promise<void>
  close(): Promise<void>
}

export type TestNodeOptions = Pick<PubSubOptions, "node" | "namespace" | "maxBufferedBytes">

/** Topics and nodes that a restricted user of an engine may subscribe to; all others are refused. */
export const ALLOWED = { node: "allowed-node", topic: "allowed-topic" }

/**
 * Options of nodes in tests that suspend no engine. On a busy machine, a ping behind thousands of messages may take longer than
 * 3 s. Then the node would be disconnected, and would drop messages.
 */
export const PATIENT = { pingTimeoutMs: 60_000 }

/** What an engine's test file provides. */
export interface EngineUnderTest {
  start(): Promise<void>
  stop(): Promise<void>
  join(options?: TestNodeOptions): Promise<TestNode>
  /** Publishes raw bytes to the subscribers of a topic, without encoding them as an envelope. */
  inject?(namespace: string, topic: string, bytes: Uint8Array): Promise<void>
  /** Kills the engine, and starts it again at the same address. */
  outage?: { kill(): Promise<void>; restart(): Promise<void> }
  /** Joins as a user that may subscribe to what `ALLOWED` names, and publish anything. Only for engines that can refuse. */
  joinRestricted?(options: TestNodeOptions): Promise<TestNode>
}

/** Wraps a node of this process as a `TestNode`. */
export async function testNode(
  join: (options: PubSubOptions) => PubSub | Promise<PubSub>,
  options: TestNodeOptions = {},
): Promise<TestNode> {
  const drops: DropReason[] = []
  const errors: string[] = []
  const statuses: PubSubStatus[] = []
  const pubsub = await join({
    ...options,
    onError: (error) => void errors.push(String(error)),
  })
  pubsub.onStatus((status) => void statuses.push(status))
  pubsub.onDrop?.((reason) => void drops.push(reason))
  return {
    node: pubsub.node,
    statuses,
    drops,
    errors,
    async subscribe(topic, receive, throws = false) {
      const undo = await pubsub.subscribe(topic, (bytes, from) => {
        receive(bytes, from)
        if (throws) throw new Error("the receiver failed")
      })
      return async () => undo()
    },
    async publish(topic, bytes) {
      pubsub.publish(topic, bytes)
    },
    async send(node, topic, bytes) {
      pubsub.send(node, topic, bytes)
    },
    close: () => pubsub.close(),
  }
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** Subscribes, and returns the growing list of received messages, each as `"sender: text"`. */
async function receivedOn(node: TestNode, topic: string): Promise<string[]> {
  const received: string[] = []
  await node.subscribe(topic, (bytes, from) => void received.push(`${from}: ${decode(bytes)}`))
  return received
}

const HOSTILE_TOPICS = [
  "",
  " ",
  ".",
  "*",
  ">",
  "a",
  "a.b",
  "a.*",
  "a.>",
  "*.b",
  "a b",
  "a\tb",
  "a\r\nPUB b 1",
  "\0",
  "%",
  "%002e",
  "a%002eb",
  "#",
  "[ab]",
  "a?",
  "A",
  "ä",
  "🙂",
  "\ud800",
  "\ud801",
  "\ufffd",
  "__proto__",
  "constructor",
  "x".repeat(10_000),
  `${"x".repeat(10_000)}y`,
]

/** The behaviour of every engine that the tracker and the server rely on. */
export function pubsubContract(name: string, engine: EngineUnderTest): void {
  describe(`${name} as a pubsub engine`, () => {
    const joined: TestNode[] = []
    const join = async (options?: TestNodeOptions): Promise<TestNode> => {
      const node = await engine.join(options)
      joined.push(node)
      return node
    }
    beforeAll(() => engine.start())
    afterAll(() => engine.stop())
    afterEach(async () => {
      await Promise.all(joined.splice(0).map((node) => node.close()))
    })

    test("delivers to the subscribers on all other nodes, and not to the sender", async () => {
      const [a, b, c] = [await join({ node: "a" }), await join({ node: "b" }), await join({ node: "c" })]
      const received = await Promise.all([a, b, c].map((node) => receivedOn(node, "room")))
      await a.publish("room", encode("hello"))
      await b.publish("room", encode("hi"))
      await until(() => received[2]!.length === 2 && received[0]!.length === 1 && received[1]!.length === 1)
      expect(received.slice(0, 2)).toEqual([["b: hi"], ["a: hello"]])
      expect(new Set(received[2])).toEqual(new Set(["a: hello", "b: hi"]))
    })

    test("sends to one node only, and there only to the subscribers of the topic", async () => {
      const [a, b, c] = [await join({ node: "a" }), await join({ node: "b" }), await join({ node: "c" })]
      const [room, other, elsewhere] = [
        await receivedOn(b, "room"),
        await receivedOn(b, "other"),
        await receivedOn(c, "room"),
      ]
      await a.send("b", "room", encode("for you"))
      await a.send("absent", "room", encode("lost"))
      await a.send("b", "room", encode("last"))
      await a.publish("room", encode("for all"))
      await until(() => room.length === 3 && elsewhere.length === 1)
      expect(room).toEqual(["a: for you", "a: last", "a: for all"])
      expect(elsewhere).toEqual(["a: for all"])
      expect(other).toEqual([])
    })

    test("does not deliver to a node what it sends itself", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const [own, others] = [await receivedOn(a, "room"), await receivedOn(b, "room")]
      await a.send("a", "room", encode("me"))
      await a.publish("room", encode("you"))
      await b.publish("room", encode("after"))
      await until(() => own.length === 1 && others.length === 1)
      expect(own).toEqual(["b: after"])
      expect(a.drops).toContain("echo")
    })

    test("keeps the order of a sender through a burst of 10 000, direct messages among them", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const received = await receivedOn(b, "room")
      await Promise.all(
        Array.from({ length: 10_000 }, (_, i) =>
          i % 10 === 0 ? a.send("b", "room", encode(`${i}`)) : a.publish("room", encode(`${i}`)),
        ),
      )
      await until(() => received.length === 10_000)
      expect(received).toEqual(Array.from({ length: 10_000 }, (_, i) => `a: ${i}`))
    })

    test("accepts any string as a topic, and delivers to no other topic", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const received = new Map<string, string[]>()
      for (const topic of HOSTILE_TOPICS) received.set(topic, await receivedOn(b, topic))
      for (const [i, topic] of HOSTILE_TOPICS.entries()) await a.publish(topic, encode(`${i}`))
      const count = (): number => [...received.values()].reduce((sum, each) => sum + each.length, 0)
      await until(() => count() >= HOSTILE_TOPICS.length)
      expect([...received.values()]).toEqual(HOSTILE_TOPICS.map((_, i) => [`a: ${i}`]))
    })

    test("delivers to two subscribers of one topic, and still to the second after the first has unsubscribed", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const first: string[] = []
      const undo = await b.subscribe("room", (bytes) => void first.push(decode(bytes)))
      const second = await receivedOn(b, "room")
      await a.publish("room", encode("1"))
      await until(() => second.length === 1)
      await undo()
      await undo()
      await a.publish("room", encode("2"))
      await until(() => second.length === 2)
      expect(first).toEqual(["1"])
      expect(second).toEqual(["a: 1", "a: 2"])
    })

    test("delivers nothing after unsubscribing, not even messages that are being delivered", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const received: string[] = []
      const undo = await b.subscribe("room", (bytes) => void received.push(decode(bytes)))
      const fence = await receivedOn(b, "fence")
      const sent = [a.publish("room", encode("1")), a.publish("room", encode("2"))]
      await undo()
      const before = received.length
      await Promise.all(sent)
      await a.publish("fence", encode("end"))
      await until(() => fence.length === 1)
      expect(received.length).toBe(before)
    })

    test("stays subscribed exactly while a subscription remains, for any race of subscribing and unsubscribing", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const fence = await receivedOn(b, "fence")
      const received: string[] = []
      for (let round = 0; round < 20; round += 1) {
        const first = await b.subscribe("room", () => {})
        const [, second, third] = await Promise.all([
          first(),
          b.subscribe("room", () => {}),
          b.subscribe("room", (bytes) => void received.push(decode(bytes))),
        ])
        const ending = second()
        await a.publish("room", encode(`${round}`))
        await until(() => received.length === round + 1)
        await Promise.all([ending, third()])
      }
      expect(received).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`))
      await a.publish("room", encode("no subscriber"))
      await a.publish("fence", encode("end"))
      await until(() => fence.length === 1)
      expect(received.length).toBe(20)
    })

    test("delivers nothing to another namespace, not even to a node with the same name", async () => {
      const [a, b] = [await join({ node: "a", namespace: "one" }), await join({ node: "b", namespace: "one" })]
      const [otherA, otherB] = [
        await join({ node: "a", namespace: "one.*" }),
        await join({ node: "b", namespace: "one.*" }),
      ]
      const [received, otherReceived] = [await receivedOn(b, "room"), await receivedOn(otherB, "room")]
      await a.publish("room", encode("one"))
      await a.send("b", "room", encode("one, direct"))
      await otherA.publish("room", encode("two"))
      await otherA.send("b", "room", encode("two, direct"))
      await until(() => received.length === 2 && otherReceived.length === 2)
      expect(received).toEqual(["a: one", "a: one, direct"])
      expect(otherReceived).toEqual(["a: two", "a: two, direct"])
    })

    test("delivers payloads unchanged: all 256 byte values, an empty payload, and 1.5 MB", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const received: Uint8Array[] = []
      await b.subscribe("room", (bytes) => void received.push(Uint8Array.from(bytes)))
      const large = Uint8Array.from({ length: 1_500_000 }, (_, i) => (i * 31) % 251)
      const sent = [Uint8Array.from({ length: 256 }, (_, i) => i), new Uint8Array(), large, encode("after it")]
      for (const bytes of sent) await a.publish("room", bytes)
      await until(() => received.length === 4)
      for (const [i, bytes] of sent.entries()) expect(Buffer.compare(bytes, received[i]!)).toBe(0)
    })

    test("sends the bytes as they were at the call, whatever the publisher writes into its buffer afterwards", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const received = await receivedOn(b, "room")
      const buffer = encode("before")
      const sent = a.publish("room", buffer)
      buffer.fill(0)
      await sent
      await until(() => received.length === 1)
      expect(received).toEqual(["a: before"])
    })

    test("reports each error of a receiver that throws, and delivers to the other receivers", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      await b.subscribe("room", () => {}, true)
      const received = await receivedOn(b, "room")
      await a.publish("room", encode("1"))
      await a.publish("room", encode("2"))
      await until(() => received.length === 2 && b.errors.length === 2)
      expect(b.errors).toEqual(["Error: the receiver failed", "Error: the receiver failed"])
    })

    test("throws `payload_too_large` for a payload larger than maxBufferedBytes", async () => {
      const a = await join({ maxBufferedBytes: 1000 })
      await a.publish("room", new Uint8Array(1000))
      await expect(a.publish("room", new Uint8Array(1001))).rejects.toMatchObject({ code: "payload_too_large" })
    })

    test("stays closed: a closed node receives nothing, rejects all calls, and its name is free again", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const [received, fence] = [await receivedOn(a, "room"), await receivedOn(b, "fence")]
      await Promise.all([a.close(), a.close()])
      await a.close()
      await b.publish("room", encode("too late"))
      expect(a.statuses).toEqual(["closed"])
      await expect(a.publish("room", encode("x"))).rejects.toMatchObject({ code: "closed" })
      await expect(a.send("b", "room", encode("x"))).rejects.toMatchObject({ code: "closed" })
      await expect(a.subscribe("room", () => {})).rejects.toMatchObject({ code: "closed" })
      const again = await join({ node: "a" })
      await again.publish("fence", encode("the name is free"))
      await until(() => fence.length === 1)
      expect(received).toEqual([])
    })

    test("sends all published messages before it closes", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const received = await receivedOn(b, "room")
      const sent = Array.from({ length: 100 }, (_, i) => a.publish("room", encode(`${i}`)))
      await Promise.all([...sent, a.close()])
      await until(() => received.length === 100)
    })

    test("settles a subscription that races with a close: confirmed, or rejected with `closed`", async () => {
      const a = await join()
      const outcome = a
        .subscribe("room", () => {})
        .then(
          () => "confirmed before",
          (error: { code: string }) => error.code,
        )
      await a.close()
      expect(["closed", "confirmed before"]).toContain(await outcome)
    })

    const { inject, joinRestricted, outage } = engine
    if (inject !== undefined) {
      test("drops and counts received bytes that are not a message of its cluster", async () => {
        const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
        const received = await receivedOn(b, "room")
        const garbage = [[], [0], [0x52], [0x52, 1, 255, 255, 255, 255, 255, 255], [0x50, 1, 0], Array(5000).fill(0x50)]
        for (const bytes of garbage) await inject("rollcall", "room", Uint8Array.from(bytes))
        await inject("rollcall", "room", Uint8Array.from([0x52, 2, 0, 0, 0, 0, 0, 0]))
        await inject("rollcall", "room", Uint8Array.from([0x52, 1, 1, 1, 0, 0, 0, 0, 0x78, 0, 0x79, 0]))
        await until(() => b.drops.length === garbage.length + 2)
        expect(b.drops.filter((reason) => reason === "version").length).toBe(1)
        expect(b.drops.filter((reason) => reason === "foreign").length).toBe(1)
        await a.publish("room", encode("still here"))
        await until(() => received.length === 1)
        expect(b.errors).toEqual([])
      })
    }

    if (joinRestricted !== undefined) {
      const restricted = async (options: TestNodeOptions): Promise<TestNode> => {
        const node = await joinRestricted(options)
        joined.push(node)
        return node
      }

      test("rejects a topic that the engine refuses, with its reason, and serves the topics that it allows", async () => {
        const [a, b] = [await join({ node: "a" }), await restricted({ node: ALLOWED.node })]
        for (let attempt = 0; attempt < 2; attempt += 1) {
          const refused = b.subscribe("room", () => {})
          await expect(refused).rejects.toMatchObject({
            code: "subscribe_refused",
            message: expect.stringMatching(/"room".*permission/i),
          })
        }
        const received = await receivedOn(b, ALLOWED.topic)
        await a.publish("room", encode("refused"))
        await a.publish(ALLOWED.topic, encode("allowed"))
        await a.send(ALLOWED.node, ALLOWED.topic, encode("direct"))
        await b.publish("room", encode("b may publish"))
        await until(() => received.length === 2)
        expect(received).toEqual(["a: allowed", "a: direct"])
        expect(b.statuses).toEqual([])
      })

      test("rejects all subscriptions that wait for a topic that the engine refuses", async () => {
        const node = await restricted({ node: ALLOWED.node })
        const outcomes = await Promise.allSettled([
          node.subscribe("room", () => {}),
          node.subscribe("room", () => {}),
          node.subscribe(ALLOWED.topic, () => {}),
        ])
        expect(outcomes).toMatchObject([
          { status: "rejected", reason: { code: "subscribe_refused" } },
          { status: "rejected", reason: { code: "subscribe_refused" } },
          { status: "fulfilled" },
        ])
      })

      test("rejects a node that the engine does not let subscribe to the messages for itself", async () => {
        await expect(restricted({ node: "other-node" })).rejects.toMatchObject({
          code: "engine_unreachable",
          message: expect.stringMatching(/permission/i),
        })
      })
    }

    if (outage !== undefined) {
      test("survives an outage of the engine: drops messages meanwhile, and receives again once it is connected", async () => {
        const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
        const received = await receivedOn(b, "room")
        await outage.kill()
        await until(() => a.statuses.length > 0 && b.statuses.length > 0)
        for (let i = 0; i < 1000; i += 1) await a.publish("room", new Uint8Array(100_000))
        expect(a.drops.filter((reason) => reason === "offline").length).toBe(1000)
        const meanwhile: string[] = []
        const subscribed = b.subscribe("new", (bytes) => void meanwhile.push(decode(bytes)))
        await outage.restart()
        await until(() => a.statuses.at(-1) === "connected" && b.statuses.at(-1) === "connected")
        expect(a.statuses).toEqual(["disconnected", "connected"])
        await a.publish("room", encode("again"))
        await until(() => received.length === 1)
        await subscribed
        await a.publish("new", encode("and this"))
        await a.send("b", "room", encode("and me"))
        await until(() => meanwhile.length === 1 && received.length === 2)
        expect(received).toEqual(["a: again", "a: and me"])
      })

      test("can be closed while the engine is disconnected", async () => {
        const a = await join()
        await outage.kill()
        await until(() => a.statuses.at(-1) === "disconnected")
        const waiting = expect(a.subscribe("room", () => {})).rejects.toMatchObject({ code: "closed" })
        await a.close()
        await waiting
        await outage.restart()
        expect(a.statuses).toEqual(["disconnected", "closed"])
      })

      test("has the right subscriptions after an outage during many calls that subscribe and unsubscribe", async () => {
        const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
        const received: string[] = []
        const churn: Promise<unknown>[] = []
        for (let i = 0; i < 50; i += 1) {
          churn.push(b.subscribe(`t${i}`, () => {}).then((undo) => undo()))
          churn.push(b.subscribe(`t${i}`, (bytes) => void received.push(decode(bytes))))
          if (i === 25) await outage.kill()
        }
        await outage.restart()
        await Promise.all(churn)
        await until(() => a.statuses.at(-1) === "connected" && b.statuses.at(-1) === "connected")
        for (let i = 0; i < 50; i += 1) await a.publish(`t${i}`, encode(`${i}`))
        await until(() => received.length === 50)
        expect(new Set(received)).toEqual(new Set(Array.from({ length: 50 }, (_, i) => `${i}`)))
      })
    }
  })
}

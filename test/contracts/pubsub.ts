import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import type { DropReason, PubSub, PubSubOptions, PubSubStatus, Receive } from "../../src/pubsub/pubsub.ts"
import { until } from "../support/until.ts"

/** A node as the contract sees it: all by promises, since it may sit in a process of its own. */
export interface TestNode {
  readonly node: string
  readonly statuses: readonly PubSubStatus[]
  readonly drops: readonly DropReason[]
  readonly errors: readonly string[]
  /** With `throws`, the receiver throws after it has taken the message. */
  subscribe(topic: string, receive: Receive, throws?: boolean): Promise<() => Promise<void>>
  publish(topic: string, bytes: Uint8Array): Promise<void>
  send(node: string, topic: string, bytes: Uint8Array): Promise<void>
  close(): Promise<void>
}

export type TestNodeOptions = Pick<PubSubOptions, "node" | "namespace" | "maxBufferedBytes">

/** One engine, as its test file brings it. */
export interface EngineUnderTest {
  start(): Promise<void>
  stop(): Promise<void>
  join(options?: TestNodeOptions): Promise<TestNode>
  /** Puts bytes that no node has sealed on the channel of a topic, past all of our code. */
  inject?(namespace: string, topic: string, bytes: Uint8Array): Promise<void>
  /** Kills the engine, and starts it again where it was. */
  outage?: { kill(): Promise<void>; restart(): Promise<void> }
}

/** A node of this process as a `TestNode`. */
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
        if (throws) throw new Error("the receiver broke")
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

/** All that a node hears of a topic, as `"sender: text"`. */
async function hear(node: TestNode, topic: string): Promise<string[]> {
  const heard: string[] = []
  await node.subscribe(topic, (bytes, from) => void heard.push(`${from}: ${decode(bytes)}`))
  return heard
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

/** What every engine owes to the tracker and the server. */
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

    test("delivers to all other subscribers of the topic, and not to oneself", async () => {
      const [a, b, c] = [await join({ node: "a" }), await join({ node: "b" }), await join({ node: "c" })]
      const heard = await Promise.all([a, b, c].map((node) => hear(node, "room")))
      await a.publish("room", encode("hello"))
      await b.publish("room", encode("hi"))
      await until(() => heard[2]!.length === 2 && heard[0]!.length === 1 && heard[1]!.length === 1)
      expect(heard.slice(0, 2)).toEqual([["b: hi"], ["a: hello"]])
      expect(new Set(heard[2])).toEqual(new Set(["a: hello", "b: hi"]))
    })

    test("sends to one node alone, and there to the topic alone", async () => {
      const [a, b, c] = [await join({ node: "a" }), await join({ node: "b" }), await join({ node: "c" })]
      const [room, other, elsewhere] = [await hear(b, "room"), await hear(b, "other"), await hear(c, "room")]
      await a.send("b", "room", encode("for you"))
      await a.send("nobody", "room", encode("lost"))
      await a.send("b", "room", encode("last"))
      await a.publish("room", encode("for all"))
      await until(() => room.length === 3 && elsewhere.length === 1)
      expect(room).toEqual(["a: for you", "a: last", "a: for all"])
      expect(elsewhere).toEqual(["a: for all"])
      expect(other).toEqual([])
    })

    test("does not deliver what a node sends to itself", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const [own, others] = [await hear(a, "room"), await hear(b, "room")]
      await a.send("a", "room", encode("me"))
      await a.publish("room", encode("you"))
      await b.publish("room", encode("after"))
      await until(() => own.length === 1 && others.length === 1)
      expect(own).toEqual(["b: after"])
      expect(a.drops).toContain("echo")
    })

    test("keeps the order of a sender through a burst of 10 000, direct messages among them", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const heard = await hear(b, "room")
      await Promise.all(
        Array.from({ length: 10_000 }, (_, i) =>
          i % 10 === 0 ? a.send("b", "room", encode(`${i}`)) : a.publish("room", encode(`${i}`)),
        ),
      )
      await until(() => heard.length === 10_000)
      expect(heard).toEqual(Array.from({ length: 10_000 }, (_, i) => `a: ${i}`))
    })

    test("takes any string for a topic, and confuses no two of them", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const heard = new Map<string, string[]>()
      for (const topic of HOSTILE_TOPICS) heard.set(topic, await hear(b, topic))
      for (const [i, topic] of HOSTILE_TOPICS.entries()) await a.publish(topic, encode(`${i}`))
      const count = (): number => [...heard.values()].reduce((sum, each) => sum + each.length, 0)
      await until(() => count() >= HOSTILE_TOPICS.length)
      expect([...heard.values()]).toEqual(HOSTILE_TOPICS.map((_, i) => [`a: ${i}`]))
    })

    test("serves two subscribers of one topic, and goes on serving the one when the other is gone", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const gone: string[] = []
      const undo = await b.subscribe("room", (bytes) => void gone.push(decode(bytes)))
      const stays = await hear(b, "room")
      await a.publish("room", encode("1"))
      await until(() => stays.length === 1)
      await undo()
      await undo()
      await a.publish("room", encode("2"))
      await until(() => stays.length === 2)
      expect(gone).toEqual(["1"])
      expect(stays).toEqual(["a: 1", "a: 2"])
    })

    test("delivers nothing after the undo, even of what is under way", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const heard: string[] = []
      const undo = await b.subscribe("room", (bytes) => void heard.push(decode(bytes)))
      const fence = await hear(b, "fence")
      const sent = [a.publish("room", encode("1")), a.publish("room", encode("2"))]
      await undo()
      const before = heard.length
      await Promise.all(sent)
      await a.publish("fence", encode("end"))
      await until(() => fence.length === 1)
      expect(heard.length).toBe(before)
    })

    test("lets the last wish win when subscribing and undoing race", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const fence = await hear(b, "fence")
      const heard: string[] = []
      for (let round = 0; round < 20; round += 1) {
        const first = await b.subscribe("room", () => {})
        const [, second, third] = await Promise.all([
          first(),
          b.subscribe("room", () => {}),
          b.subscribe("room", (bytes) => void heard.push(decode(bytes))),
        ])
        const ending = second()
        await a.publish("room", encode(`${round}`))
        await until(() => heard.length === round + 1)
        await Promise.all([ending, third()])
      }
      expect(heard).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`))
      await a.publish("room", encode("nobody listens"))
      await a.publish("fence", encode("end"))
      await until(() => fence.length === 1)
      expect(heard.length).toBe(20)
    })

    test("leaks nothing between namespaces, not even for one name of a node", async () => {
      const [a, b] = [await join({ node: "a", namespace: "one" }), await join({ node: "b", namespace: "one" })]
      const [otherA, otherB] = [
        await join({ node: "a", namespace: "one.*" }),
        await join({ node: "b", namespace: "one.*" }),
      ]
      const [heard, otherHeard] = [await hear(b, "room"), await hear(otherB, "room")]
      await a.publish("room", encode("one"))
      await a.send("b", "room", encode("one, direct"))
      await otherA.publish("room", encode("two"))
      await otherA.send("b", "room", encode("two, direct"))
      await until(() => heard.length === 2 && otherHeard.length === 2)
      expect(heard).toEqual(["a: one", "a: one, direct"])
      expect(otherHeard).toEqual(["a: two", "a: two, direct"])
    })

    test("carries bytes as they are: all 256 values, none at all, and one and a half megabytes", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const heard: Uint8Array[] = []
      await b.subscribe("room", (bytes) => void heard.push(Uint8Array.from(bytes)))
      const large = Uint8Array.from({ length: 1_500_000 }, (_, i) => (i * 31) % 251)
      const sent = [Uint8Array.from({ length: 256 }, (_, i) => i), new Uint8Array(), large, encode("after it")]
      for (const bytes of sent) await a.publish("room", bytes)
      await until(() => heard.length === 4)
      for (const [i, bytes] of sent.entries()) expect(Buffer.compare(bytes, heard[i]!)).toBe(0)
    })

    test("does not send what the publisher writes into its buffer afterwards", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const heard = await hear(b, "room")
      const buffer = encode("before")
      const sent = a.publish("room", buffer)
      buffer.fill(0)
      await sent
      await until(() => heard.length === 1)
      expect(heard).toEqual(["a: before"])
    })

    test("reports a receiver that throws, and harms no other by it", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      await b.subscribe("room", () => {}, true)
      const heard = await hear(b, "room")
      await a.publish("room", encode("1"))
      await a.publish("room", encode("2"))
      await until(() => heard.length === 2 && b.errors.length === 2)
      expect(b.errors).toEqual(["Error: the receiver broke", "Error: the receiver broke"])
    })

    test("refuses a payload that is larger than all that may wait", async () => {
      const a = await join({ maxBufferedBytes: 1000 })
      await a.publish("room", new Uint8Array(1000))
      await expect(a.publish("room", new Uint8Array(1001))).rejects.toMatchObject({ code: "payload_too_large" })
    })

    test("is closed once and for all", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const [heard, fence] = [await hear(a, "room"), await hear(b, "fence")]
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
      expect(heard).toEqual([])
    })

    test("lets what was published leave before it closes", async () => {
      const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
      const heard = await hear(b, "room")
      const sent = Array.from({ length: 100 }, (_, i) => a.publish("room", encode(`${i}`)))
      await Promise.all([...sent, a.close()])
      await until(() => heard.length === 100)
    })

    test("rejects a subscription that the close overtakes", async () => {
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

    const { inject, outage } = engine
    if (inject !== undefined) {
      test("ignores and counts what is no message of this cluster", async () => {
        const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
        const heard = await hear(b, "room")
        const garbage = [[], [0], [0x52], [0x52, 1, 255, 255, 255, 255, 255, 255], [0x50, 1, 0], Array(5000).fill(0x50)]
        for (const bytes of garbage) await inject("rollcall", "room", Uint8Array.from(bytes))
        await inject("rollcall", "room", Uint8Array.from([0x52, 2, 0, 0, 0, 0, 0, 0]))
        await inject("rollcall", "room", Uint8Array.from([0x52, 1, 1, 1, 0, 0, 0, 0, 0x78, 0, 0x79, 0]))
        await until(() => b.drops.length === garbage.length + 2)
        expect(b.drops.filter((reason) => reason === "version").length).toBe(1)
        expect(b.drops.filter((reason) => reason === "foreign").length).toBe(1)
        await a.publish("room", encode("still here"))
        await until(() => heard.length === 1)
        expect(b.errors).toEqual([])
      })
    }

    if (outage !== undefined) {
      test("survives the engine's death: drops meanwhile, and hears again when it is told connected (25)", async () => {
        const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
        const heard = await hear(b, "room")
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
        await until(() => heard.length === 1)
        await subscribed
        await a.publish("new", encode("and this"))
        await a.send("b", "room", encode("and me"))
        await until(() => meanwhile.length === 1 && heard.length === 2)
        expect(heard).toEqual(["a: again", "a: and me"])
      })

      test("closes while the engine is away", async () => {
        const a = await join()
        await outage.kill()
        await until(() => a.statuses.at(-1) === "disconnected")
        const waiting = expect(a.subscribe("room", () => {})).rejects.toMatchObject({ code: "closed" })
        await a.close()
        await waiting
        await outage.restart()
        expect(a.statuses).toEqual(["disconnected", "closed"])
      })

      test("closes what was subscribed and undone under churn to the last wish (25)", async () => {
        const [a, b] = [await join({ node: "a" }), await join({ node: "b" })]
        const heard: string[] = []
        const churn: Promise<unknown>[] = []
        for (let i = 0; i < 50; i += 1) {
          churn.push(b.subscribe(`t${i}`, () => {}).then((undo) => undo()))
          churn.push(b.subscribe(`t${i}`, (bytes) => void heard.push(decode(bytes))))
          if (i === 25) await outage.kill()
        }
        await outage.restart()
        await Promise.all(churn)
        await until(() => a.statuses.at(-1) === "connected" && b.statuses.at(-1) === "connected")
        for (let i = 0; i < 50; i += 1) await a.publish(`t${i}`, encode(`${i}`))
        await until(() => heard.length === 50)
        expect(new Set(heard)).toEqual(new Set(Array.from({ length: 50 }, (_, i) => `${i}`)))
      })
    }
  })
}

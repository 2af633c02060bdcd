import { expect, test } from "vitest"
import { ConfigError } from "../../src/error.ts"
import { SeededNetwork, type SeededNetworkOptions } from "../../src/testing/seeded-network.ts"
import type { SeededNode } from "../../src/testing/seeded-node.ts"
import { mulberry32 } from "../../src/testing/prng.ts"

const bytes = (n: number): Uint8Array => Uint8Array.of(n)

interface Receiver {
  readonly node: SeededNode
  /** "sender number at time" for each message. */
  readonly received: string[]
}

/** Creates nodes that record what they receive on topic "t". Resolves when they have subscribed. */
async function receivers(network: SeededNetwork, ...names: string[]): Promise<Receiver[]> {
  const all = names.map((name) => ({ node: network.node(name), received: [] as string[] }))
  for (const { node, received } of all) {
    void node.pubsub.subscribe("t", ([n], from) => void received.push(`${from} ${n} at ${network.now.toFixed(3)}`))
  }
  await network.run(100)
  return all
}

const numberOf = (line: string): number => Number(line.split(" ")[1])
const numbers = ({ received }: Receiver): number[] => received.map(numberOf)

async function run(options: SeededNetworkOptions): Promise<readonly string[]> {
  const network = new SeededNetwork(options)
  const [a, b] = (await receivers(network, "a", "b")) as [Receiver, Receiver]
  for (let n = 0; n < 50; n += 1) {
    a.node.pubsub.publish("t", bytes(n))
    await network.run(1)
  }
  await network.run(1000)
  return b.received
}

const BAD = { loss: 0.3, duplication: 0.3, reordering: 0.5, delayMs: [1, 50] } as const

test("the same seed and calls give the same run, and another seed gives another run", async () => {
  const first = await run({ seed: 1, ...BAD })
  expect(await run({ seed: 1, ...BAD })).toEqual(first)
  expect(await run({ seed: 2, ...BAD })).not.toEqual(first)
})

test("by default each message arrives once and in order at all other nodes, and not at the sender", async () => {
  const network = new SeededNetwork({ seed: 3 })
  const [a, b, c] = (await receivers(network, "a", "b", "c")) as [Receiver, Receiver, Receiver]
  for (let n = 0; n < 20; n += 1) a.node.pubsub.publish("t", bytes(n))
  a.node.pubsub.send("c", "t", bytes(99))
  a.node.pubsub.publish("another topic", bytes(100))
  await network.run(100)
  const all = Array.from({ length: 20 }, (_, n) => n)
  expect([numbers(a), numbers(b), numbers(c)]).toEqual([[], all, [...all, 99]])
})

const shares = async (conditions: object): Promise<readonly number[]> =>
  (await run({ seed: 4, ...conditions })).map(numberOf)

test("loss, duplication and reordering happen as often as the options say", async () => {
  expect(await shares({ loss: 1 })).toEqual([])
  const halfLost = await shares({ loss: 0.5 })
  expect(halfLost.length).toBeGreaterThan(10)
  expect(halfLost.length).toBeLessThan(40)
  expect(await shares({ duplication: 1 })).toHaveLength(100)
  const shuffled = await shares({ reordering: 1, delayMs: [1, 50] })
  expect(shuffled).toHaveLength(50)
  expect(shuffled.some((n, i) => i > 0 && n < shuffled[i - 1]!)).toBe(true)
  const kept = await shares({ delayMs: [1, 50] })
  expect(kept).toHaveLength(50)
  expect(kept.every((n, i) => i === 0 || n > kept[i - 1]!)).toBe(true)
})

test("a split separates its sides until it is healed, also for messages that were sent before it", async () => {
  const network = new SeededNetwork({ seed: 5, delayMs: [10, 10] })
  const [a, b, c] = (await receivers(network, "a", "b", "c")) as [Receiver, Receiver, Receiver]
  a.node.pubsub.publish("t", bytes(1))
  network.split(["a"], ["b", "c"])
  await network.run(50)
  c.node.pubsub.publish("t", bytes(2))
  await network.run(50)
  network.heal()
  a.node.pubsub.publish("t", bytes(3))
  await network.run(50)
  expect([numbers(a), numbers(b), numbers(c)]).toEqual([[], [2, 3], [3]])
})

test("the timers of a crashed node do not fire, and the messages that it has sent arrive", async () => {
  const network = new SeededNetwork({ seed: 6, delayMs: [10, 10] })
  const [a, b] = (await receivers(network, "a", "b")) as [Receiver, Receiver]
  let fired = 0
  a.node.timers.set(() => (fired += 1), 5)
  a.node.pubsub.publish("t", bytes(1))
  b.node.pubsub.publish("t", bytes(2))
  a.node.crash()
  await network.run(100)
  expect([fired, numbers(a), numbers(b)]).toEqual([0, [], [1]])
  expect(() => a.node.pubsub.publish("t", bytes(3))).toThrow("closed")
  expect([a.node.alive, b.node.alive]).toEqual([false, true])
  const [again] = (await receivers(network, "a")) as [Receiver]
  b.node.pubsub.publish("t", bytes(4))
  await network.run(100)
  expect(numbers(again)).toEqual([4])
})

test("with seesNodesDie the bus reports a node's crash to the others, but not its close", async () => {
  const network = new SeededNetwork({ seed: 7, seesNodesDie: true })
  const [a, b, c] = (await receivers(network, "a", "b", "c")) as [Receiver, Receiver, Receiver]
  const ended: string[] = []
  a.node.pubsub.onNodeDown?.((node) => void ended.push(node))
  b.node.crash()
  await c.node.pubsub.close()
  await network.run(100)
  expect(ended).toEqual(["b"])
  expect(new SeededNetwork({ seed: 7 }).node("a").pubsub.onNodeDown).toBeUndefined()
})

test("status changes arrive in order: those of a pause before those after it", async () => {
  const network = new SeededNetwork({ seed: 1 })
  const node = network.node("a")
  const statuses: string[] = []
  node.pubsub.onStatus((status) => void statuses.push(status))
  node.pause()
  node.disconnect()
  node.resume()
  node.reconnect()
  await network.run(1)
  expect(statuses).toEqual(["disconnected", "connected"])
  node.disconnect()
  expect(statuses).toEqual(["disconnected", "connected", "disconnected"])
})

test("the clock of a paused node goes on, and its timers and messages are delivered in order when it resumes", async () => {
  const network = new SeededNetwork({ seed: 8 })
  const [a, b] = (await receivers(network, "a", "b")) as [Receiver, Receiver]
  const fired: [name: string, at: number][] = []
  const cleared = a.node.timers.set(() => void fired.push(["cleared", network.now]), 20)
  a.node.timers.set(() => {
    fired.push(["first", Math.floor(a.node.timers.now())])
    a.node.timers.clear(cleared)
  }, 10)
  a.node.timers.set(() => void fired.push(["second", Math.floor(a.node.timers.now())]), 30)
  a.node.pause()
  b.node.pubsub.publish("t", bytes(1))
  await network.run(1000)
  expect([fired, numbers(a)]).toEqual([[], []])
  a.node.resume()
  await network.run(1)
  expect(fired).toEqual([
    ["first", 1100],
    ["second", 1100],
  ])
  expect(numbers(a)).toEqual([1])
})

test("a disconnected node neither sends nor receives, and its status listeners are called", async () => {
  const network = new SeededNetwork({ seed: 9 })
  const [a, b] = (await receivers(network, "a", "b")) as [Receiver, Receiver]
  const statuses: string[] = []
  a.node.pubsub.onStatus((status) => void statuses.push(status))
  a.node.disconnect()
  a.node.pubsub.publish("t", bytes(1))
  b.node.pubsub.publish("t", bytes(2))
  await network.run(100)
  a.node.reconnect()
  a.node.pubsub.publish("t", bytes(3))
  b.node.pubsub.publish("t", bytes(4))
  await network.run(100)
  expect([statuses, numbers(a), numbers(b)]).toEqual([["disconnected", "connected"], [4], [3]])
})

test("closing a node's bus changes its status once, and a later subscription is rejected", async () => {
  const { pubsub } = new SeededNetwork({ seed: 14 }).node("a")
  const statuses: string[] = []
  pubsub.onStatus((status) => void statuses.push(status))
  await pubsub.close()
  await pubsub.close()
  expect(statuses).toEqual(["closed"])
  await expect(pubsub.subscribe("t", () => undefined)).rejects.toMatchObject({ code: "closed" })
})

test("a subscription receives nothing after its undo was called", async () => {
  const network = new SeededNetwork({ seed: 10 })
  const [a, b] = [network.node("a"), network.node("b")]
  const received: number[] = []
  const subscription = b.pubsub.subscribe("t", ([n]) => void received.push(n!))
  await network.run(100)
  const undo = await subscription
  a.pubsub.publish("t", bytes(1))
  await network.run(100)
  undo()
  a.pubsub.publish("t", bytes(2))
  await network.run(100)
  expect(received).toEqual([1])
})

test("two living nodes with the same name both receive what is sent to it, but not each other's messages", async () => {
  const network = new SeededNetwork({ seed: 11 })
  const [a, first, second] = (await receivers(network, "a", "b", "b")) as [Receiver, Receiver, Receiver]
  a.node.pubsub.send("b", "t", bytes(1))
  first.node.pubsub.publish("t", bytes(2))
  await network.run(100)
  expect([numbers(a), numbers(first), numbers(second)]).toEqual([[2], [1], [1]])
})

test("a node's clock increases with every reading", async () => {
  const network = new SeededNetwork({ seed: 13 })
  const { timers } = network.node("a")
  const readings = [timers.now(), timers.now()]
  await network.run(5)
  readings.push(timers.now(), timers.now())
  expect(new Set(readings).size).toBe(4)
  expect(readings.every((reading, i) => i === 0 || reading > readings[i - 1]!)).toBe(true)
  expect(Math.floor(readings[3]!)).toBe(5)
})

test("timers of the same time fire in the order in which they were set, and run ends at its end time", async () => {
  const network = new SeededNetwork({ seed: 12 })
  const { timers } = network.node("a")
  const fired: number[] = []
  for (let n = 0; n < 20; n += 1) timers.set(() => void fired.push(n), 10)
  timers.set(() => void fired.push(-1), 5)
  timers.set(() => timers.soon(() => void fired.push(99)), 10)
  timers.set(() => void fired.push(100), 10.001)
  await network.run(10)
  expect(fired).toEqual([-1, ...Array.from({ length: 20 }, (_, n) => n), 99])
  expect(network.now).toBe(10)
})

test("a seed that is not a whole number is refused with an error that names it", () => {
  expect(() => new SeededNetwork({ seed: 0.5 })).toThrow(new ConfigError("expected seed to be a whole number, got 0.5"))
})

test("mulberry32 returns the published numbers, all in [0, 1)", () => {
  const random = mulberry32(42)
  const first = Array.from({ length: 3 }, () => Math.floor(random() * 2 ** 32))
  expect(first).toEqual([2581720956, 1925393290, 3661312704])
  for (let i = 0; i < 10_000; i += 1) {
    const number = random()
    if (number < 0 || number >= 1) expect.unreachable(`got ${number}`)
  }
})

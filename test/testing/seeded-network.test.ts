import { expect, test } from "vitest"
import { ConfigError } from "../../src/error.ts"
import { SeededNetwork, type SeededNetworkOptions } from "../../src/testing/seeded-network.ts"
import type { SeededNode } from "../../src/testing/seeded-node.ts"
import { mulberry32 } from "../../src/testing/prng.ts"

const bytes = (n: number): Uint8Array => Uint8Array.of(n)

interface Ear {
  readonly node: SeededNode
  readonly heard: string[]
}

/** Nodes that note what they hear on "t", once their subscriptions stand. */
async function ears(network: SeededNetwork, ...names: string[]): Promise<Ear[]> {
  const all = names.map((name) => ({ node: network.node(name), heard: [] as string[] }))
  for (const { node, heard } of all) {
    void node.pubsub.subscribe("t", ([n], from) => void heard.push(`${from} ${n} at ${network.now.toFixed(3)}`))
  }
  await network.run(100)
  return all
}

const numberOf = (line: string): number => Number(line.split(" ")[1])
const numbers = ({ heard }: Ear): number[] => heard.map(numberOf)

async function run(options: SeededNetworkOptions): Promise<readonly string[]> {
  const network = new SeededNetwork(options)
  const [a, b] = (await ears(network, "a", "b")) as [Ear, Ear]
  for (let n = 0; n < 50; n += 1) {
    a.node.pubsub.publish("t", bytes(n))
    await network.run(1)
  }
  await network.run(1000)
  return b.heard
}

const BAD = { loss: 0.3, duplication: 0.3, reordering: 0.5, delayMs: [1, 50] } as const

test("the same seed and calls give the same run, and another seed another", async () => {
  const first = await run({ seed: 1, ...BAD })
  expect(await run({ seed: 1, ...BAD })).toEqual(first)
  expect(await run({ seed: 2, ...BAD })).not.toEqual(first)
})

test("by default all that is sent arrives once and in order, at everybody else and never at the sender", async () => {
  const network = new SeededNetwork({ seed: 3 })
  const [a, b, c] = (await ears(network, "a", "b", "c")) as [Ear, Ear, Ear]
  for (let n = 0; n < 20; n += 1) a.node.pubsub.publish("t", bytes(n))
  a.node.pubsub.send("c", "t", bytes(99))
  a.node.pubsub.publish("another topic", bytes(100))
  await network.run(100)
  const all = Array.from({ length: 20 }, (_, n) => n)
  expect([numbers(a), numbers(b), numbers(c)]).toEqual([[], all, [...all, 99]])
})

const shares = async (conditions: object): Promise<readonly number[]> =>
  (await run({ seed: 4, ...conditions })).map(numberOf)

test("the shares of loss, duplication and reordering are what was asked for", async () => {
  expect(await shares({ loss: 1 })).toEqual([])
  expect(await shares({ duplication: 1 })).toHaveLength(100)
  const shuffled = await shares({ reordering: 1, delayMs: [1, 50] })
  expect(shuffled).toHaveLength(50)
  expect(shuffled.some((n, i) => i > 0 && n < shuffled[i - 1]!)).toBe(true)
  const kept = await shares({ delayMs: [1, 50] })
  expect(kept.every((n, i) => i === 0 || n > kept[i - 1]!)).toBe(true)
})

test("a split keeps its sides apart, also for what is under way, until it is healed", async () => {
  const network = new SeededNetwork({ seed: 5, delayMs: [10, 10] })
  const [a, b, c] = (await ears(network, "a", "b", "c")) as [Ear, Ear, Ear]
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

test("a node that crashed runs no more, and what it had sent arrives", async () => {
  const network = new SeededNetwork({ seed: 6, delayMs: [10, 10] })
  const [a, b] = (await ears(network, "a", "b")) as [Ear, Ear]
  let fired = 0
  a.node.timers.set(() => (fired += 1), 5)
  a.node.pubsub.publish("t", bytes(1))
  b.node.pubsub.publish("t", bytes(2))
  a.node.crash()
  await network.run(100)
  expect([fired, numbers(a), numbers(b)]).toEqual([0, [], [1]])
  expect(() => a.node.pubsub.publish("t", bytes(3))).toThrow("closed")
  expect([a.node.alive, b.node.alive]).toEqual([false, true])
  const [again] = (await ears(network, "a")) as [Ear]
  b.node.pubsub.publish("t", bytes(4))
  await network.run(100)
  expect(numbers(again)).toEqual([4])
})

test("a node's crash is told to the others where the bus sees its nodes die, and its close is not", async () => {
  const network = new SeededNetwork({ seed: 7, seesNodesDie: true })
  const [a, b, c] = (await ears(network, "a", "b", "c")) as [Ear, Ear, Ear]
  const gone: string[] = []
  a.node.pubsub.onNodeDown?.((node) => void gone.push(node))
  b.node.crash()
  await c.node.pubsub.close()
  await network.run(100)
  expect(gone).toEqual(["b"])
  expect(new SeededNetwork({ seed: 7 }).node("a").pubsub.onNodeDown).toBeUndefined()
})

test("a stopped node's clock goes on, and what became due meanwhile happens late, in order", async () => {
  const network = new SeededNetwork({ seed: 8 })
  const [a, b] = (await ears(network, "a", "b")) as [Ear, Ear]
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

test("a node without its engine neither sends nor hears, and both it and its listeners know", async () => {
  const network = new SeededNetwork({ seed: 9 })
  const [a, b] = (await ears(network, "a", "b")) as [Ear, Ear]
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

test("a node that is closed says so, and rejects who subscribes", async () => {
  const { pubsub } = new SeededNetwork({ seed: 14 }).node("a")
  const statuses: string[] = []
  pubsub.onStatus((status) => void statuses.push(status))
  await pubsub.close()
  await pubsub.close()
  expect(statuses).toEqual(["closed"])
  await expect(pubsub.subscribe("t", () => undefined)).rejects.toMatchObject({ code: "closed" })
})

test("a subscription's undo ends it", async () => {
  const network = new SeededNetwork({ seed: 10 })
  const [a, b] = [network.node("a"), network.node("b")]
  const heard: number[] = []
  const subscription = b.pubsub.subscribe("t", ([n]) => void heard.push(n!))
  await network.run(100)
  const undo = await subscription
  a.pubsub.publish("t", bytes(1))
  await network.run(100)
  undo()
  a.pubsub.publish("t", bytes(2))
  await network.run(100)
  expect(heard).toEqual([1])
})

test("two living nodes of one name both hear what is sent to it, and not each other", async () => {
  const network = new SeededNetwork({ seed: 11 })
  const [a, first, second] = (await ears(network, "a", "b", "b")) as [Ear, Ear, Ear]
  a.node.pubsub.send("b", "t", bytes(1))
  first.node.pubsub.publish("t", bytes(2))
  await network.run(100)
  expect([numbers(a), numbers(first), numbers(second)]).toEqual([[2], [1], [1]])
})

test("a node's clock moves on between two readings, and never goes back", async () => {
  const network = new SeededNetwork({ seed: 13 })
  const { timers } = network.node("a")
  const readings = [timers.now(), timers.now()]
  await network.run(5)
  readings.push(timers.now(), timers.now())
  expect(new Set(readings).size).toBe(4)
  expect(readings.every((reading, i) => i === 0 || reading > readings[i - 1]!)).toBe(true)
  expect(Math.floor(readings[3]!)).toBe(5)
})

test("timers of one instant fire in the order in which they were set, and time ends where it was told to", async () => {
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

test("a seed that is no whole number is refused", () => {
  expect(() => new SeededNetwork({ seed: 0.5 })).toThrow(ConfigError)
})

test("mulberry32 gives the published numbers, in [0, 1)", () => {
  const random = mulberry32(42)
  const first = Array.from({ length: 3 }, () => Math.floor(random() * 2 ** 32))
  expect(first).toEqual([2581720956, 1925393290, 3661312704])
  for (let i = 0; i < 10_000; i += 1) {
    const number = random()
    if (number < 0 || number >= 1) expect.unreachable(`got ${number}`)
  }
})

/** The messages of a seeded network, one by one: what is seen of them, and what a test can do to them. */
import { expect, test } from "vitest"
import { SeededNetwork } from "../../src/testing/seeded-network.ts"
import type { SeededNetworkOptions } from "../../src/testing/seeded-network.ts"
import type { NetworkMessage } from "../../src/testing/network-message.ts"
import { readTrackerMessage } from "../../src/testing/tracker-message.ts"
import { createTracker } from "../../src/tracker/index.ts"

async function start(options: Partial<SeededNetworkOptions> = {}) {
  const log: string[] = []
  const sent: NetworkMessage[] = []
  const received: string[] = []
  const network = new SeededNetwork({
    seed: 1,
    delayMs: [10, 10],
    onMessage(message) {
      const { id, from, to, state } = message
      log.push(`${id} ${from}>${to} ${state}`)
      if (!sent.includes(message)) sent.push(message)
    },
    ...options,
  })
  const nodes = ["a", "b", "c"].map((name) => network.node(name))
  for (const { name, pubsub } of nodes) {
    void pubsub.subscribe("t", ([n]) => void received.push(`${n} at ${name} after ${network.now - 100}`))
  }
  await network.run(100)
  return {
    network,
    nodes,
    log,
    sent,
    received,
    publish: (n: number) => nodes[0]!.pubsub.publish("t", Uint8Array.of(n)),
  }
}

test("each message is reported when it is sent, and when it arrives, once for each receiver", async () => {
  const { network, log, sent, publish } = await start()
  publish(1)
  expect(log.splice(0)).toEqual(["1 a>b underway", "2 a>c underway"])
  expect(sent[0]).toMatchObject({ topic: "t", bytes: Uint8Array.of(1), sentAt: 100, arrivesAt: 110 })
  await network.run(100)
  expect(log).toEqual(["1 a>b arrived", "2 a>c arrived"])
})

test("a lost message is reported once, a doubled one as two, and one that a split meets on its way as lost", async () => {
  const { network, log, publish } = await start()
  network.set({ loss: 1 })
  publish(1)
  network.set({ loss: 0, duplication: 1 })
  publish(2)
  expect(log.splice(0)).toEqual([
    "1 a>b lost",
    "2 a>c lost",
    ...[3, 4].map((id) => `${id} a>b underway`),
    "5 a>c underway",
    "6 a>c underway",
  ])
  network.split(["a", "b"])
  await network.run(100)
  expect(log).toEqual(["3 a>b arrived", "4 a>b arrived", "5 a>c lost", "6 a>c lost"])
})

test("a message that is lost, hurried or repeated by hand does not touch the others", async () => {
  const { network, log, sent, received, publish } = await start()
  publish(1)
  publish(2)
  publish(3)
  const toB = sent.filter(({ to }) => to === "b")
  toB[0]!.lose()
  toB[1]!.repeat(5)
  toB[2]!.hurry()
  await network.run(100)
  expect(received.filter((line) => line.includes("at b"))).toEqual([
    "3 at b after 0",
    "2 at b after 10",
    "2 at b after 15",
  ])
  expect(received.filter((line) => line.includes("at c"))).toEqual([1, 2, 3].map((n) => `${n} at c after 10`))
  log.splice(0)
  for (const message of sent) {
    message.lose()
    message.hurry()
    message.repeat(1)
  }
  await network.run(100)
  expect(log).toEqual([])
})

test("to watch the messages changes nothing of a run", async () => {
  const runOf = async (options: Partial<SeededNetworkOptions>): Promise<string[]> => {
    const { network, received, publish } = await start({
      ...options,
      loss: 0.3,
      duplication: 0.3,
      reordering: 0.5,
      delayMs: [1, 50],
    })
    for (let n = 0; n < 50; n += 1) {
      publish(n)
      await network.run(1)
    }
    await network.run(1000)
    return received
  }
  expect(await runOf({ onMessage: () => {} })).toEqual(await runOf({}))
})

test("a tracker's message can be read: who sent it, how far it has seen, and which changes it carries", async () => {
  const read: ReturnType<typeof readTrackerMessage>[] = []
  const network = new SeededNetwork({ seed: 1, onMessage: ({ bytes }) => void read.push(readTrackerMessage(bytes)) })
  const [a, b] = ["a", "b"].map((name) => {
    const { pubsub, timers } = network.node(name)
    return createTracker({ pubsub, timers, random: network.random })
  })
  await network.run(1000)
  a!.track("1", "t", "ada", { name: "Ada" })
  a!.track("2", "t", "ben", {})
  a!.untrack("2")
  read.splice(0)
  await network.run(60)
  const [{ ref } = { ref: "" }] = a!.seen!()
  expect(read[0]).toMatchObject({
    type: "heartbeat",
    node: "a",
    ref,
    clocks: [{ ref, node: "a", clock: 3 }],
    requests: "nothing",
  })
  expect(read[0]!.parts).toMatchObject([
    { node: "a", seen: [1, 3], rows: [{ key: "ada", clock: 1, meta: { name: "Ada" } }] },
  ])
  expect(b!.seen!().map(({ node, seen, rows }) => [node, seen, rows.length])).toEqual([
    ["b", [], 0],
    ["a", [1, 3], 1],
  ])
  expect(readTrackerMessage(Uint8Array.of(1, 2, 3))).toBeUndefined()
})

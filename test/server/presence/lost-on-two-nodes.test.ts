import { onTestFinished, describe, expect, test } from "vitest"
import { local, LocalBus } from "../../../src/pubsub/index.ts"
import { KeptPresences } from "../../../src/server/presence/kept-presences.ts"
import { createTracker } from "../../../src/tracker/index.ts"
import { clock } from "../../support/clock.ts"

const TOPIC = "rooms:1"
const KEY = "ada"
const GRACE_MS = 60_000

/** Two nodes with a clock of their own. A change reaches the other node in `exchange`. */
async function cluster() {
  const timers = clock()
  const bus = new LocalBus()
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
  }
  const exchange = async (ms = 100): Promise<void> => {
    await turns()
    timers.advance(ms)
    await turns()
  }
  const [one, two] = ["one", "two"].map((node) => {
    const pubsub = local({ bus, node })
    const tracker = createTracker({ timers, pubsub, downPeriodMs: 1e9, permdownPeriodMs: 2e9 })
    const keeper = new KeptPresences({
      tracker,
      timers,
      untrack: ({ pid, topic }, key) => tracker.untrack(pid, topic, key),
    })
    onTestFinished(async () => {
      keeper.close()
      await tracker.close()
      await pubsub.close()
    })
    return {
      join: (pid: string) => tracker.track(pid, TOPIC, KEY, {}),
      lose: (pid: string) => keeper.ended({ pid, topic: TOPIC, handlers: { presenceGraceMs: GRACE_MS } }, true),
      shown: () => tracker.getByKey(TOPIC, KEY).map((row) => row.pid),
    }
  }) as [Node, Node]
  for (let round = 0; round < 50; round += 1) await exchange()
  return { one, two, exchange }
}
interface Node {
  join(pid: string): string
  lose(pid: string): void
  shown(): string[]
}

describe("a user with a connection to each of two nodes", () => {
  test("who joined both at once, and loses both at once, is still shown: neither node relies on the other", async () => {
    const { one, two, exchange } = await cluster()
    one.join("a")
    two.join("b")
    await exchange()
    // Each node has received the other's presence after its own.
    expect([one.shown(), two.shown()]).toEqual([
      ["a@one", "b@two"],
      ["b@two", "a@one"],
    ])
    one.lose("a")
    two.lose("b")
    for (let round = 0; round < 50; round += 1) {
      expect(one.shown()).not.toEqual([])
      expect(two.shown()).not.toEqual([])
      await exchange()
    }
    expect([one.shown(), two.shown()]).toEqual([["b@two"], ["b@two"]])
    await exchange(GRACE_MS)
    await exchange()
    expect([one.shown(), two.shown()]).toEqual([[], []])
  })

  test.each(["one", "two"])(
    "who loses the older one, on node %s, is soon shown by the newer one alone",
    async (older) => {
      const nodes = await cluster()
      const { exchange } = nodes
      const [first, second] = older === "one" ? [nodes.one, nodes.two] : [nodes.two, nodes.one]
      first.join("a")
      await exchange()
      second.join("b")
      await exchange()
      first.lose("a")
      for (let round = 0; round < 50; round += 1) await exchange()
      for (const { shown } of [first, second]) expect(shown()).toEqual([older === "one" ? "b@two" : "b@one"])
      second.lose("b")
      await exchange()
      for (const { shown } of [first, second]) expect(shown()).toHaveLength(1)
      await exchange(GRACE_MS)
      await exchange()
      for (const { shown } of [first, second]) expect(shown()).toEqual([])
    },
  )
})

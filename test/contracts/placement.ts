import { os } from "@orpc/server"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import type { PubSub } from "../../src/pubsub/pubsub.ts"
import { createServices, type Placement, type Services } from "../../src/services/index.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import { until } from "../support/until.ts"

/** What a bus's test file provides. */
export interface PlacementBus {
  start?(): Promise<void>
  stop?(): Promise<void>
  /** Returns a node on the bus: `one` or `two`. */
  join(node: string): Promise<PubSub>
}

interface Counter {
  count: number
}

interface Peer {
  readonly services: Services
  readonly counters: Placement
  close(): Promise<void>
}

const context = os.$context<{ id: string; process: Counter }>()
const ids = Array.from({ length: 40 }, (_, n) => `counter-${n}`)

/** The behaviour of placement that is the same on every bus. */
export function placementContract(name: string, bus: PlacementBus): void {
  describe(`placement ${name}`, () => {
    const closing: (() => Promise<unknown>)[] = []
    beforeAll(() => bus.start?.())
    afterAll(() => bus.stop?.())
    afterEach(async () => {
      for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close()
    })

    async function peer(node: string): Promise<Peer> {
      const pubsub = await bus.join(node)
      const tracker = createTracker({ pubsub })
      const services = createServices({ tracker, pubsub })
      const counters = services.place<Counter, Counter>("counter", {
        start: (_id, state = { count: 0 }) => ({ ...state }),
        stop: (_id, _reason, process) => process,
        router: {
          add: context.handler(({ context: { process }, input }) => (process.count += Number(input))),
          upTo: context.handler(async function* ({ context: { process } }) {
            for (let n = 1; n <= process.count; n += 1) yield n
          }),
        },
      })
      let closed: Promise<void> | undefined
      const close = async (): Promise<void> => {
        await services.close({ drainMs: 60_000 })
        await tracker.close()
        await pubsub.close()
      }
      const once = (): Promise<void> => (closed ??= close())
      closing.push(once)
      await counters.ready
      return { services, counters, close: once }
    }

    const members = (peers: readonly Peer[]): Promise<void> =>
      until(() => peers.every(({ services }) => services.list("place:counter").length === peers.length))
    const options = { timeoutMs: 60_000 }

    test("each process runs once, on its owner, and is found and called from both nodes", async () => {
      const peers = [await peer("one"), await peer("two")]
      await members(peers)
      const found = await Promise.all(
        ids.map((id) => Promise.all(peers.map(({ counters }) => counters.ensure(id, options)))),
      )
      for (const [one, two] of found) expect(one!.instance).toBe(two!.instance)
      for (const id of ids) for (const { counters } of peers) await counters.call(id, "add", 2, options)
      for (const id of ids) expect(await peers[0]!.counters.call(id, "add", 0, options)).toBe(4)
      const running = peers.map(({ counters }) => counters.local())
      expect(running.flat().sort()).toEqual([...ids].sort())
      expect(running.every((each) => each.length > 0)).toBe(true)
      const items: number[] = []
      for await (const n of await peers[0]!.counters.call<AsyncIterable<number>>(
        running[1]![0]!,
        "upTo",
        undefined,
        options,
      )) {
        items.push(n)
      }
      expect(items).toEqual([1, 2, 3, 4])
      expect(await peers[0]!.counters.stop(running[1]![0]!, options)).toBe(true)
      await until(() => peers.every(({ counters }) => counters.whereis(running[1]![0]!) === undefined))
    })

    test("processes move to a node that comes, and back when it closes, with their states, while they are called", async () => {
      const one = await peer("one")
      for (const [n, id] of ids.entries()) await one.counters.call(id, "add", n * 1_000, options)
      const two = await peer("two")
      const calls = Array.from({ length: 5 }, () => ids.map((id) => one.counters.call(id, "add", 1, options)))
      await until(() => two.counters.local().length > 0)
      await Promise.all(calls.flat())
      await until(() => one.counters.local().length + two.counters.local().length === ids.length)
      const closed = two.close()
      await Promise.all(ids.map((id) => one.counters.call(id, "add", 1, options)))
      await closed
      await until(() => one.counters.local().length === ids.length)
      for (const [n, id] of ids.entries()) expect(await one.counters.call(id, "add", 0, options)).toBe(n * 1_000 + 6)
    })
  })
}

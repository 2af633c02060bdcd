import { os } from "@orpc/server"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import type { PubSub } from "../../src/pubsub/pubsub.ts"
import { createServices, type Placement, type Services } from "../../src/services/index.ts"
import { createTracker, type TrackerOptions } from "../../src/tracker/tracker.ts"
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
  /** Cuts the node off from the others, or ends that. */
  readonly cut: (isCut: boolean) => void
  readonly services: Services
  readonly counters: Placement
  close(): Promise<void>
}

const context = os.$context<{ id: string; process: Counter }>()
const ids = Array.from({ length: 40 }, (_, n) => `counter-${n}`)

/** A node that is silent for so long counts as gone. The default would take 9 s. */
const QUICK: TrackerOptions = { broadcastPeriodMs: 200, downPeriodMs: 2_000 }

/** Returns a bus that can be cut off: what it sends and receives meanwhile is lost. */
function severable(bus: PubSub): { readonly pubsub: PubSub; cut(isCut: boolean): void } {
  let isLost = false
  const pubsub: PubSub = {
    node: bus.node,
    get status() {
      return bus.status
    },
    subscribe: (topic, receive) => bus.subscribe(topic, (bytes, from) => (isLost ? undefined : receive(bytes, from))),
    publish: (topic, bytes) => (isLost ? undefined : bus.publish(topic, bytes)),
    send: (node, topic, bytes) => (isLost ? undefined : bus.send(node, topic, bytes)),
    onStatus: (listener) => bus.onStatus(listener),
    close: () => bus.close(),
  }
  return { pubsub, cut: (isCut) => void (isLost = isCut) }
}

/** The behaviour of placement that is the same on every bus. */
export function placementContract(name: string, bus: PlacementBus): void {
  describe(`placement ${name}`, () => {
    const closing: (() => Promise<unknown>)[] = []
    beforeAll(() => bus.start?.())
    afterAll(() => bus.stop?.())
    afterEach(async () => {
      for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close()
    })

    async function peer(node: string, tracking: TrackerOptions = {}): Promise<Peer> {
      const { pubsub, cut } = severable(await bus.join(node))
      const tracker = createTracker({ ...tracking, pubsub })
      const services = createServices({ tracker, pubsub })
      const counters = services.place<Counter, Counter>("counter", {
        start: (_id, state = { count: 0 }) => ({ ...state }),
        stop: (_id, _reason, process) => process,
        merge: (_id, { count }, process) => void (process.count += count),
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
      return { services, counters, close: once, cut }
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

    test("after a split one of two processes stays, with the state of both; those of a node that is gone for good run again", async () => {
      const few = ids.slice(0, 10)
      const peers = [await peer("one", QUICK), await peer("two", QUICK)] as const
      const [one, two] = peers
      await members(peers)
      for (const id of few) await one.counters.ensure(id, options)
      await until(() => few.every((id) => peers.every(({ counters }) => counters.whereis(id) !== undefined)))
      two.cut(true)
      await until(() => peers.every(({ counters }) => counters.local().length === few.length))
      for (const id of few) await one.counters.call(id, "add", 10, options)
      for (const id of few) await two.counters.call(id, "add", 100, options)
      two.cut(false)
      await until(() => {
        const running = peers.flatMap(({ counters }) => counters.local())
        const isAgreed = (id: string): boolean =>
          one.counters.whereis(id)?.instance === two.counters.whereis(id)?.instance
        return running.length === few.length && new Set(running).size === few.length && few.every(isAgreed)
      })
      // A node that is slow may count as gone, and its calls fail. To read twice does no harm.
      const count = (id: string): Promise<unknown> => one.counters.call(id, "add", 0, options).catch(() => undefined)
      for (const id of few) await until(async () => (await count(id)) === 110)
      two.cut(true)
      await until(() => one.counters.local().length === few.length)
    })
  })
}

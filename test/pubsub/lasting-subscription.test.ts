import { expect, test } from "vitest"
import { RollcallError } from "../../src/error.ts"
import { subscribeForGood } from "../../src/pubsub/lasting-subscription.ts"
import { LocalBus } from "../../src/pubsub/local.ts"
import type { PubSub } from "../../src/pubsub/pubsub.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import { clock } from "../support/clock.ts"
import { proxied } from "../support/proxied-pubsub.ts"
import { until } from "../support/until.ts"

/** A node whose engine allows no topic until `allow` is called. */
function guest(bus: LocalBus): { pubsub: PubSub; readonly asked: number; allow(): void } {
  const inner = bus.join({ node: "guest" })
  let isAllowed = false
  let asked = 0
  return {
    pubsub: {
      ...proxied(inner),
      async subscribe(topic, receive) {
        asked += 1
        if (isAllowed) return inner.subscribe(topic, receive)
        throw new RollcallError("subscribe_refused", "no permission")
      },
    },
    get asked() {
      return asked
    },
    allow: () => (isAllowed = true),
  }
}

test("a tracker whose topic was refused at first sees the other nodes once it is allowed, without a restart", async () => {
  const bus = new LocalBus()
  const timers = clock()
  const node = guest(bus)
  const errors: unknown[] = []
  const onError = (error: unknown): void => void errors.push(error)
  const trackers = [
    createTracker({ pubsub: node.pubsub, timers, onError }),
    createTracker({ pubsub: bus.join({ node: "other" }), timers }),
  ] as const
  trackers[1].track("1", "room", "ada", {})
  await until(() => errors.length > 0)
  node.allow()
  await until(() => {
    timers.advance(1_000)
    return trackers[0].list("room").length === 1
  })
  expect(errors).toEqual([expect.objectContaining({ code: "subscribe_refused" })])
  for (const tracker of trackers) await tracker.close()
})

test("a lasting subscription that has ended is not asked for again", async () => {
  const timers = clock()
  const node = guest(new LocalBus())
  const errors: unknown[] = []
  const options = { timers, onError: (error: unknown) => void errors.push(error) }
  const end = subscribeForGood(node.pubsub, "room", () => undefined, options)
  await until(() => errors.length === 1)
  timers.advance(10_000)
  expect(node.asked).toBe(2)
  end()
  timers.advance(100_000)
  expect([node.asked, timers.pending]).toEqual([2, 0])
})

/**
 * A view that nobody has read builds no entries, and takes over the map of its first users. It must nevertheless have the same users
 * as one that is read, in the same order.
 */
import fc from "fast-check"
import { expect, it } from "vitest"
import { createGrace } from "../../src/client/grace.ts"
import { createStore } from "../../src/client/store.ts"
import { createSync } from "../../src/client/sync.ts"
import { clock } from "../support/clock.ts"
import { FakeChannel } from "../support/fake-channel.ts"
import { user } from "../support/presences.ts"

const KEYS = ["a", "b", "c"]

/** The users of one frame: of each key the refs of its devices. */
const users = fc
  .tuple(...KEYS.map(() => fc.subarray(["1", "2"])))
  .map((devices) =>
    Object.fromEntries(devices.flatMap((refs, at) => (refs.length ? [[KEYS[at]!, user(...refs)]] : []))),
  )

const step = fc.oneof(
  fc.record({ state: users }),
  fc.record({ joins: users, leaves: users }),
  // The next join: diffs wait for its state.
  fc.record({ join: fc.constant(true) }),
  fc.record({ waitMs: fc.integer({ min: 1, max: 4 }) }),
)

function view(graceMs: number, keepLeftMs: number, isRead: boolean) {
  const failed = (cause: unknown): void => {
    throw cause
  }
  const channel = new FakeChannel("0")
  const timers = clock()
  const store = createStore(failed)
  const grace = createGrace(store, { graceMs, keepLeftMs }, timers, timers.now)
  createSync(channel, grace, {}, { applied: () => store.notify(), failed }, timers.now)
  let calls = 0
  store.subscribe(() => (calls += 1))
  if (isRead) store.getSnapshot()
  return {
    take(each: { state?: object; joins?: object; leaves?: object; join?: boolean; waitMs?: number }): void {
      if (each.state) channel.state(structuredClone(each.state))
      else if (each.joins) channel.diff(structuredClone(each.joins), structuredClone(each.leaves))
      else if (each.join) channel.join = `${Number(channel.join) + 1}`
      else timers.advance(each.waitMs!)
    },
    shown: () => structuredClone([[...store.keys()], [...store.values()], [...store.left], store.size, calls]),
    users: () => store.getSnapshot().users,
  }
}

it.each([
  [0, 0],
  [2, 0],
  [0, 3],
  [2, 3],
])("has the users of one that is read, in the same order, graceMs %d, keepLeftMs %d", (graceMs, keepLeftMs) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12, size: "max" }), (steps) => {
      const [unread, read] = [view(graceMs, keepLeftMs, false), view(graceMs, keepLeftMs, true)]
      for (const each of steps) {
        unread.take(each)
        read.take(each)
        expect(unread.shown()).toEqual(read.shown())
      }
      expect(unread.users()).toEqual(read.users())
    }),
    { numRuns: Number(process.env["RUNS"] ?? 200) },
  )
})

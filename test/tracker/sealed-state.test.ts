import fc from "fast-check"
import { expect, test } from "vitest"
import { Orswot } from "../../src/crdt/orswot.ts"
import { isSealed } from "../../src/crdt/sealed-row.ts"
import type { SetDiff } from "../../src/crdt/set-diff.ts"
import type { Payload } from "../../src/tracker/tracked-payload.ts"
import { topicDiffs, type Diff, type TrackedMeta } from "../../src/tracker/topic-diff.ts"
import { decodeMessage, encodeMessage } from "../../src/tracker/tracker-messages.ts"

const OWNERS = ["a", "b"].map((name) => `${name}0123456789`)
const TOPICS = ["large", "small", "tiny"]
const KEYS = 20

const place = fc.record({
  owner: fc.constantFrom(0, 1),
  pid: fc.constantFrom("1", "2", "x"),
  topic: fc.constantFrom(...TOPICS),
  key: fc.nat({ max: KEYS }).map((n) => `user${n}`),
})
const owner = fc.constantFrom(0, 1)
const step = fc.oneof(
  fc.record({ does: fc.constant("join" as const), place }),
  fc.record({ does: fc.constant("leave" as const), place }),
  fc.record({ does: fc.constant("state" as const), owner }),
  fc.record({ does: fc.constant("delta" as const), owner, isLost: fc.boolean() }),
  fc.record({ does: fc.constantFrom("down" as const, "up" as const, "remove" as const), owner }),
  fc.record({ does: fc.constant("read" as const), topic: fc.constantFrom(...TOPICS) }),
  fc.record({ does: fc.constant("readUser" as const), place }),
)

type Set = Orswot<TrackedMeta>

/** Returns a payload as it arrives in a transfer response. */
function sent(payload: Payload, isPacked: boolean): Payload {
  const sender = { ref: OWNERS[0]!, shards: 1, hasMore: false, index: 0 }
  const message = decodeMessage(encodeMessage({ type: "transferResponse", ...sender, payload, isPacked }))
  if (typeof message === "string" || message.type !== "transferResponse") throw new Error(`expected a response`)
  return message.payload
}

/** Two owners, and two nodes that get the same of them: one in sealed rows, the other in opened ones. */
class Pair {
  readonly owners = OWNERS.map((ref) => new Orswot<TrackedMeta>(ref))
  readonly sealed: Set = new Orswot("sealed0123456789")
  readonly plain: Set = new Orswot("plain0123456789")
  #refs = 0

  constructor() {
    for (const ref of OWNERS) this.change((set) => set.replicaUp(ref))
    // So many rows that those of one shape are sealed. Each user of the large topic has two devices.
    for (const [at] of this.owners.entries()) {
      for (let n = 0; n < 2 * KEYS; n += 1) this.join(at, n % 2 === 0 ? "1" : "x", "large", `user${n >> 1}`)
      for (let n = 0; n < KEYS; n += 1) this.join(at, "1", n % 4 === 0 ? "tiny" : "small", `user${n}`)
    }
  }

  join(at: number, pid: string, topic: string, key: string): void {
    const fields = { status: this.#refs % 3 === 0 ? "away" : "here", phx_ref: `r${(this.#refs += 1)}` }
    const from = this.owners[at]!
    const holder = `${pid}@${"ab"[at]}`
    const before = from.find(holder, topic, key)
    const meta = before === undefined ? fields : { ...fields, phx_ref_prev: before.meta.phx_ref }
    from.join(holder, topic, key, Object.freeze(meta))
  }

  /** Changes both nodes alike. Returns what their listeners get. */
  change(operate: (set: Set, isPacked: boolean) => SetDiff<TrackedMeta>): readonly [Diff, Diff] {
    return [topicDiffs([operate(this.sealed, true)]), topicDiffs([operate(this.plain, false)])]
  }

  receive(payload: Payload): readonly [Diff, Diff] {
    return this.change((set, isPacked) => set.merge(sent(payload, isPacked)))
  }
}

const stateOf = (set: Set): Payload => set.extract("other", new Map(OWNERS.map((ref) => [ref, 0])))
const text = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => (inner instanceof Map ? [...inner] : inner))

function sealedCount(set: Set): number {
  return [...set.parts().values()].flatMap(({ rows }) => rows.filter(isSealed)).length
}

test("a node whose rows are sealed shows, reports and passes on the same as one whose rows are not", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 30 }), fc.boolean(), (steps, readsStates) => {
      const pair = new Pair()
      let isDiffRead = readsStates
      const compare = (diffs: readonly [Diff, Diff]): void => {
        if (isDiffRead) expect(text(diffs[0])).toBe(text(diffs[1]))
      }
      for (const from of pair.owners) compare(pair.receive(stateOf(from)))
      expect(sealedCount(pair.sealed) > 50).toBe(!readsStates)
      for (const [{ does, ...of }, isRead] of steps) {
        isDiffRead = isRead
        const { place, owner, topic } = of as {
          place: { owner: number; pid: string; topic: string; key: string }
          owner: number
          topic: string
        }
        const ref = OWNERS[owner]!
        if (does === "join") pair.join(place.owner, place.pid, place.topic, place.key)
        else if (does === "leave") {
          pair.owners[place.owner]!.leave(`${place.pid}@${"ab"[place.owner]}`, place.topic, place.key)
        } else if (does === "state") compare(pair.receive(stateOf(pair.owners[owner]!)))
        else if (does === "delta") {
          const delta = pair.owners[owner]!.takeDelta()
          if (delta !== undefined && !("isLost" in of && of.isLost)) compare(pair.receive(delta))
        } else if (does === "down") compare(pair.change((set) => set.replicaDown(ref)))
        else if (does === "up") compare(pair.change((set) => set.replicaUp(ref)))
        else if (does === "remove") compare(pair.change((set) => set.removeReplica(ref)))
        else if (does === "read") expect(text(pair.sealed.list(topic))).toBe(text(pair.plain.list(topic)))
        else {
          const user = (set: Set): unknown => [
            set.countByKey(place.topic, place.key),
            set.getByKey(place.topic, place.key),
          ]
          expect(text(user(pair.sealed))).toBe(text(user(pair.plain)))
        }
        expect(pair.sealed.size).toBe(pair.plain.size)
      }
      // A third node gets the rows from the sealed one, packed and not, and sees what the plain one has.
      for (const isPacked of [true, false]) {
        const third: Set = new Orswot("third0123456789")
        for (const ref of OWNERS) third.replicaUp(ref)
        third.merge(sent(stateOf(pair.sealed), isPacked))
        const all: Set = new Orswot("all0123456789")
        for (const ref of OWNERS) all.replicaUp(ref)
        all.merge(stateOf(pair.plain))
        expect(text(third.online())).toBe(text(all.online()))
      }
      expect(text(pair.sealed.online())).toBe(text(pair.plain.online()))
    }),
    { numRuns: 150 },
  )
})

test("a listener that reads one topic of a diff opens the rows of that topic only, and every list has the same row", () => {
  const pair = new Pair()
  const [diff] = pair.receive(stateOf(pair.owners[0]!))
  const before = sealedCount(pair.sealed)
  const { joins } = diff.get("small")!
  expect(joins.map(({ pid }) => pid)).toContain("1@a")
  expect(before - sealedCount(pair.sealed)).toBeLessThanOrEqual(joins.length)
  expect(sealedCount(pair.sealed)).toBeGreaterThan(20)
  expect(diff.get("small")!.joins).toBe(joins)
  const [row] = pair.sealed.getByKey("small", joins[0]!.key)
  expect(joins).toContain(row)
  expect(pair.sealed.list("small")).toContain(row)
  expect(pair.sealed.getByKey("small", joins[0]!.key)[0]!.meta).toBe(row!.meta)
})

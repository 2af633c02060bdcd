import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { dominates } from "../../src/crdt/clock.ts"
import { Generation } from "../../src/crdt/generation.ts"
import { Orswot, type FullState } from "../../src/crdt/orswot.ts"
import type { Delta } from "../../src/crdt/delta.ts"
import type { Row } from "../../src/crdt/row.ts"
import { elementOf } from "./model-checked-set.ts"

type Payload = Delta | FullState

const refs = ["r0", "r1", "r2"]

/** One event at one of three replicas. `merge` merges one of the payloads that have been sent so far. */
interface Event {
  readonly kind: "join" | "update" | "leave" | "leaveAll" | "delta" | "full" | "merge"
  readonly at: number
  readonly place: number
  readonly pick: number
}

const events = fc.array(
  fc.record<Event>({
    kind: fc.constantFrom("join", "join", "update", "leave", "leaveAll", "delta", "delta", "full", "merge", "merge"),
    at: fc.integer({ min: 0, max: 2 }),
    place: fc.integer({ min: 0, max: 5 }),
    pick: fc.nat(),
  }),
  { minLength: 5, maxLength: 40 },
)

function setKnowingAll(ref: string): Orswot {
  const set = new Orswot(ref)
  for (const other of refs) set.replicaUp(other)
  return set
}

/** Returns all payloads that three replicas send during the events; `check` is called after each event. */
function payloadsOf(history: readonly Event[], check: (set: Orswot) => void = () => {}): Payload[] {
  const sets = refs.map(setKnowingAll)
  const payloads: Payload[] = []
  for (const [n, { kind, at, place, pick }] of history.entries()) {
    const set = sets[at]!
    const [pid, key] = [`p${place % 3}`, `u${place % 2}`]
    if (kind === "join") set.join(pid, "t", key, { n })
    else if (kind === "update") set.update(pid, "t", key, { n })
    else if (kind === "leave") set.leave(pid, "t", key)
    else if (kind === "leaveAll") set.leaveAll(pid)
    else if (kind === "merge") {
      if (payloads.length > 0) set.merge(payloads[pick % payloads.length]!)
    } else {
      const payload = kind === "delta" ? set.takeDelta() : set.extract("observer", set.clocks())
      if (payload !== undefined) payloads.push(payload)
    }
    check(set)
  }
  for (const set of sets) payloads.push(set.extract("observer", set.clocks()))
  return payloads
}

function merged(payloads: readonly Payload[]): Orswot {
  const set = setKnowingAll("observer")
  for (const payload of payloads) set.merge(payload)
  return set
}

/** Returns everything that a set knows, in a form that is equal for two sets that know the same. */
function knowledge(set: Orswot) {
  const { parts } = set.extract("requester", new Map(refs.map((ref) => [ref, 0])))
  return {
    parts: refs.map((ref) => ({ ref, seen: parts.get(ref)!.seen, rows: new Set(parts.get(ref)!.rows.map(elementOf)) })),
    online: new Set(set.online().map(elementOf)),
  }
}

const shuffled = fc.tuple(events, fc.infiniteStream(fc.nat())).map(([history, stream]) => {
  const payloads = payloadsOf(history)
  const order = payloads.map((payload) => ({ payload, rank: stream.next().value! }))
  order.sort((a, b) => a.rank - b.rank)
  return { payloads, other: order.map(({ payload }) => payload) }
})

describe("merging", () => {
  it("is commutative: the order of payloads does not matter (law 1)", () => {
    fc.assert(
      fc.property(shuffled, ({ payloads, other }) => {
        expect(knowledge(merged(other))).toEqual(knowledge(merged(payloads)))
      }),
    )
  })

  it("is idempotent: a payload that is merged again changes nothing (law 1)", () => {
    fc.assert(
      fc.property(shuffled, ({ payloads, other }) => {
        const set = merged(payloads)
        const before = knowledge(set)
        for (const payload of other) expect(set.merge(payload)).toEqual({ joins: [], leaves: [] })
        expect(knowledge(set)).toEqual(before)
      }),
    )
  })

  it("is associative: payloads can be merged elsewhere first and arrive as one (law 1)", () => {
    fc.assert(
      fc.property(shuffled, fc.nat(), ({ payloads }, cut) => {
        const at = cut % (payloads.length + 1)
        const elsewhere = merged(payloads.slice(at))
        const set = merged(payloads.slice(0, at))
        set.merge(elsewhere.extract("observer2", set.clocks()))
        expect(knowledge(set)).toEqual(knowledge(merged(payloads)))
      }),
    )
  })

  it("changes nothing when a set merges its own state (law 2)", () => {
    fc.assert(
      fc.property(events, (history) => {
        const set = merged(payloadsOf(history))
        expect(set.merge(set.extract("requester", set.clocks()))).toEqual({ joins: [], leaves: [] })
      }),
    )
  })

  it("never decreases a clock (law 3)", () => {
    fc.assert(
      fc.property(shuffled, ({ other }) => {
        const set = setKnowingAll("observer")
        for (const payload of other) {
          const before = set.clocks()
          set.merge(payload)
          expect(dominates(set.clocks(), before)).toBe(true)
        }
      }),
    )
  })

  it("never brings a removed row back, and reports each row's join before its leave (laws 6, 9)", () => {
    fc.assert(
      fc.property(shuffled, ({ other }) => {
        const set = setKnowingAll("observer")
        const shown = new Map<string, Row>()
        const live = () => new Set(knowledge(set).parts.flatMap(({ rows }) => Array.from(rows)))
        const removed = new Set<string>()
        for (const payload of other) {
          const before = live()
          const { joins, leaves } = set.merge(payload)
          for (const row of leaves) expect(shown.delete(elementOf(row))).toBe(true)
          for (const row of joins) {
            expect(shown.has(elementOf(row))).toBe(false)
            shown.set(elementOf(row), row)
          }
          const after = live()
          for (const element of before) if (!after.has(element)) removed.add(element)
          for (const element of after) expect(removed.has(element)).toBe(false)
          expect(new Set(shown.keys())).toEqual(new Set(set.online().map(elementOf)))
        }
      }),
    )
  })

  it("keeps all reads consistent with each other (law 11)", () => {
    fc.assert(
      fc.property(shuffled, ({ other }) => {
        const set = setKnowingAll("observer")
        for (const payload of other) {
          set.merge(payload)
          const online = set.online()
          expect(new Set(set.list("t"))).toEqual(new Set(online))
          expect(new Set(["u0", "u1"].flatMap((key) => set.getByKey("t", key)))).toEqual(new Set(online))
          for (const row of online)
            expect(set.getByKey(row.topic, row.key).filter(({ pid }) => pid === row.pid)).toEqual([row])
        }
      }),
    )
  })
})

describe("a replica's own rows", () => {
  it("are the same by pid, by place and in its payloads, after every operation (law 11)", () => {
    fc.assert(
      fc.property(events, (history) => {
        payloadsOf(history, (set) => {
          const own = set.extract("requester", new Map([[set.ref, 0]])).parts.get(set.ref)!.rows
          expect(new Set(["p0", "p1", "p2"].flatMap((pid) => set.getByPid(pid)))).toEqual(new Set(own))
          for (const row of own) expect(set.find(row.pid, row.topic, row.key)).toBe(row)
        })
      }),
    )
  })
})

describe("deltas", () => {
  it("lead to the full state one by one and joined, however the history is split (law 12)", () => {
    fc.assert(
      fc.property(events, fc.infiniteStream(fc.boolean()), (history, splits) => {
        const owner = new Orswot("r0")
        const deltas: Delta[] = []
        const take = () => {
          const delta = owner.takeDelta()
          if (delta !== undefined) deltas.push(delta)
        }
        for (const [n, { kind, place }] of history.entries()) {
          const [pid, key] = [`p${place % 3}`, `u${place % 2}`]
          if (kind === "update") owner.update(pid, "t", key, { n })
          else if (kind === "leave") owner.leave(pid, "t", key)
          else if (kind === "leaveAll") owner.leaveAll(pid)
          else owner.join(pid, "t", key, { n })
          if (splits.next().value === true) take()
        }
        take()
        const full = knowledge(merged([owner.extract("observer", new Map([["r0", 0]]))]))
        expect(knowledge(merged(deltas))).toEqual(full)
        expect(full.online).toEqual(new Set(owner.online().map(elementOf)))
        if (deltas.length === 0) return
        const generation = new Generation(deltas[0]!)
        for (const delta of deltas) expect(generation.merge(delta)).toBe(true)
        expect(knowledge(merged([generation.toDelta()]))).toEqual(full)
      }),
    )
  })
})

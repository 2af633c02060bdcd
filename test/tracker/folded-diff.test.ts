import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { FoldedDiff, replacing } from "../../src/tracker/folded-diff.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import type { Row, TopicDiff, TrackedMeta } from "../../src/tracker/tracker.ts"

/**
 * A change of one presence. If its node is down for a moment, it leaves (`flap-away`) and joins again (`flap-back`).
 */
interface Change {
  readonly kind: "track" | "untrack" | "update" | "flap-away" | "flap-back"
  readonly pid: string
  readonly key: string
}

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom("track", "untrack", "update", "flap-away", "flap-back"),
  pid: fc.constantFrom("1", "2"),
  key: fc.constantFrom("ada", "bob", "__proto__"),
})

/** At each `read`, a new receiver gets the current state. It gets the folded diff afterwards. */
const windows = fc.array(
  fc.array(fc.oneof({ arbitrary: change, weight: 3 }, fc.constant("read" as const)), { maxLength: 12 }),
  {
    maxLength: 8,
  },
)
const unreadWindows = fc.array(fc.array(change, { maxLength: 8 }), { maxLength: 8 })

/** A receiver's view: reference → key and fields. */
type View = Map<string, { key: string; fields: unknown }>

/** Applies a diff as clients do: all joins, then all leaves. */
function apply(view: View, { joins, leaves }: TopicDiff): void {
  for (const { key, meta } of joins) view.set(meta.phx_ref, { key, fields: fieldsOf(meta) })
  for (const { meta } of leaves) view.delete(meta.phx_ref)
}

function fieldsOf(meta: TrackedMeta): unknown {
  const { phx_ref_prev: _, ...fields } = meta
  return fields
}

/** The result of one window. */
interface Window {
  /** The folded diff, unless it is empty. */
  readonly folded: readonly TopicDiff[]
  readonly before: View
  readonly after: View
  /** The states that were read inside the window. */
  readonly read: readonly View[]
}

/** Plays windows of changes on a tracker, and checks each window when it ends. */
function play(played: readonly (readonly (Change | "read")[])[], check: (window: Window) => void): void {
  const tracker = createTracker()
  const fold = new FoldedDiff()
  const current: View = new Map()
  const away = new Map<string, Row>()
  const add = (diff: TopicDiff): void => {
    fold.add(diff)
    // Unlike in a client, leaves are applied first: this is the view after each single change.
    for (const { meta } of diff.leaves) current.delete(meta.phx_ref)
    apply(current, { joins: diff.joins, leaves: [] })
  }
  tracker.onDiff((diff) => {
    for (const change of diff.values()) add(change)
  })
  let n = 0
  for (const window of played) {
    const before = new Map(current)
    const read: View[] = []
    for (const step of window) {
      if (step === "read") {
        fold.observe(fold.version)
        read.push(new Map(current))
        continue
      }
      const { pid, key, kind } = step
      const row = tracker.getByPid(pid, "t").find((each) => each.key === key)
      if (row === undefined) {
        if (kind === "track") tracker.track(pid, "t", key, { n: (n += 1) })
        continue
      }
      const ref = row.meta.phx_ref
      // A tracker reports a returning row without `phx_ref_prev`, because the row replaces none.
      if (kind === "flap-back" && away.delete(ref)) add({ joins: [replacing(row, undefined)], leaves: [] })
      if (away.has(ref)) continue
      if (kind === "untrack") tracker.untrack(pid, "t", key)
      if (kind === "update") tracker.update(pid, "t", key, { n: (n += 1) })
      if (kind === "flap-away") {
        away.set(ref, row)
        add({ joins: [], leaves: [row] })
      }
    }
    check({ folded: nonEmpty(fold.take()), before, after: current, read })
  }
}

const nonEmpty = (diff: TopicDiff): TopicDiff[] => (diff.joins.length + diff.leaves.length > 0 ? [diff] : [])

const row = (ref: string, prev?: string): Row => ({
  topic: "t",
  pid: "1",
  key: "ada",
  meta: prev === undefined ? { phx_ref: ref } : { phx_ref: ref, phx_ref_prev: prev },
})

describe("a folded diff", () => {
  it("brings up to date the view before the first change, and each state that was read since then", () => {
    fc.assert(
      fc.property(windows, (played) => {
        play(played, ({ folded, before, after, read }) => {
          for (const view of [before, ...read].map((each) => new Map(each))) {
            for (const diff of folded) apply(view, diff)
            expect(view).toEqual(after)
          }
        })
      }),
      { numRuns: 500 },
    )
  })

  it("names in phx_ref_prev only rows of the same key that the receiver has and that leave with the same diff", () => {
    fc.assert(
      fc.property(windows, (played) => {
        play(played, ({ folded, before }) => {
          for (const { joins, leaves } of folded) {
            const has = new Map([...before].map(([ref, { key }]) => [ref, key]))
            for (const { key, meta } of joins) {
              has.set(meta.phx_ref, key)
              if (meta.phx_ref_prev === undefined || before.has(meta.phx_ref)) continue
              expect(has.get(meta.phx_ref_prev)).toBe(key)
              expect(leaves.map((row) => row.meta.phx_ref)).toContain(meta.phx_ref_prev)
            }
          }
        })
      }),
      { numRuns: 500 },
    )
  })

  it("has no join of a row that was present before, and no leave of a row that was absent, if no state was read", () => {
    fc.assert(
      fc.property(unreadWindows, (played) => {
        play(played, ({ folded, before }) => {
          expect(folded.length).toBeLessThanOrEqual(1)
          for (const { joins, leaves } of folded) {
            expect(joins.length + leaves.length).toBeGreaterThan(0)
            expect(joins.filter((row) => before.has(row.meta.phx_ref))).toEqual([])
            expect(leaves.filter((row) => !before.has(row.meta.phx_ref))).toEqual([])
          }
        })
      }),
    )
  })

  it("has one update for the updates a→b→c: c replaces a", () => {
    const fold = new FoldedDiff()
    fold.add({ joins: [row("b", "a")], leaves: [row("a")] })
    fold.add({ joins: [row("c", "b")], leaves: [row("b", "a")] })
    expect(fold.take()).toEqual({ joins: [row("c", "a")], leaves: [row("a")] })
    expect(fold.take()).toEqual({ joins: [], leaves: [] })
  })

  it("has a join that replaces nothing for a join and its update", () => {
    const fold = new FoldedDiff()
    fold.add({ joins: [row("a")], leaves: [] })
    fold.add({ joins: [row("b", "a")], leaves: [row("a")] })
    expect(fold.take()).toEqual({ joins: [row("b")], leaves: [] })
  })

  it("is empty for a join and its leave, and for a leave and its join", () => {
    const fold = new FoldedDiff()
    fold.add({ joins: [row("a")], leaves: [row("b")] })
    fold.add({ joins: [row("b")], leaves: [row("a")] })
    expect(fold.take()).toEqual({ joins: [], leaves: [] })
  })

  it("has both updates of a→b→c if b was read in between", () => {
    const fold = new FoldedDiff()
    fold.add({ joins: [row("b", "a")], leaves: [row("a")] })
    fold.observe(fold.version)
    fold.add({ joins: [row("c", "b")], leaves: [row("b", "a")] })
    expect(fold.take()).toEqual({ joins: [row("b", "a"), row("c", "b")], leaves: [row("a"), row("b", "a")] })
  })

  it("has the join and the leave of a row that was read in between", () => {
    const fold = new FoldedDiff()
    fold.add({ joins: [row("a")], leaves: [] })
    fold.observe(fold.version)
    fold.add({ joins: [], leaves: [row("a")] })
    expect(fold.take()).toEqual({ joins: [row("a")], leaves: [row("a")] })
  })

  it("has the join of a row that was absent when the topic was read", () => {
    const fold = new FoldedDiff()
    fold.add({ joins: [], leaves: [row("a")] })
    fold.observe(fold.version)
    fold.add({ joins: [row("a")], leaves: [] })
    expect(fold.take()).toEqual({ joins: [row("a")], leaves: [] })
  })

  it("accepts the observed versions in any order, until it is taken", () => {
    const fold = new FoldedDiff()
    for (const ref of ["a", "b", "c"]) {
      fold.add({ joins: [row(ref)], leaves: [] })
      fold.add({ joins: [], leaves: [row(ref)] })
    }
    for (const version of [5, 1, 2, 0]) fold.observe(version)
    expect(fold.take()).toEqual({ joins: [row("a"), row("c")], leaves: [row("a"), row("c")] })
  })
})

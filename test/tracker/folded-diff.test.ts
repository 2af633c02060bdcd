import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { FoldedDiff } from "../../src/tracker/folded-diff.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import type { Row, TopicDiff, TrackedMeta } from "../../src/tracker/tracker.ts"

/** What can happen to one presence between two looks; `flap` is a node that was out of sight for a moment. */
interface Change {
  readonly pid: string
  readonly key: string
  readonly what: "track" | "untrack" | "update" | "flap"
}

const change: fc.Arbitrary<Change> = fc.record({
  pid: fc.constantFrom("1", "2"),
  key: fc.constantFrom("ada", "bob", "__proto__"),
  what: fc.constantFrom("track", "untrack", "update", "flap" as const),
})

const windows = fc.array(fc.array(change, { maxLength: 8 }), { maxLength: 8 })

/** A client's view: reference → key and fields. */
type TopicView = Map<string, { key: string; fields: unknown }>

function apply(view: TopicView, { joins, leaves }: TopicDiff): void {
  for (const { meta } of leaves) view.delete(meta.phx_ref)
  for (const { key, meta } of joins) view.set(meta.phx_ref, { key, fields: fieldsOf(meta) })
}

function fieldsOf(meta: TrackedMeta): unknown {
  const { phx_ref_prev: _, ...fields } = meta
  return fields
}

/**
 * Plays windows of changes on a tracker, and tells of each window what was folded and what a client had seen before.
 */
function play(
  played: readonly (readonly Change[])[],
  look: (folded: TopicDiff[], before: TopicView, after: TopicView) => void,
): void {
  const tracker = createTracker()
  const folding = new FoldedDiff()
  const separate: TopicDiff[] = []
  const tell = (diff: TopicDiff): void => {
    folding.add(diff)
    separate.push(diff)
  }
  tracker.onDiff((diff) => {
    for (const change of diff.values()) tell(change)
  })
  const view: TopicView = new Map()
  let n = 0
  for (const window of played) {
    for (const { pid, key, what } of window) {
      const row = tracker.getByPid(pid, "t").find((row) => row.key === key)
      if (what === "untrack") tracker.untrack(pid, "t", key)
      else if (row === undefined) tracker.track(pid, "t", key, { n: (n += 1) })
      else if (what === "update") tracker.update(pid, "t", key, { n: (n += 1) })
      else if (what === "flap") {
        tell({ joins: [], leaves: [row] })
        tell({ joins: [row], leaves: [] })
      }
    }
    const before = new Map(view)
    for (const diff of separate.splice(0)) apply(view, diff)
    look(nonEmpty(folding.take()), before, view)
  }
}

const nonEmpty = (diff: TopicDiff): TopicDiff[] => (diff.joins.length + diff.leaves.length > 0 ? [diff] : [])

const row = (ref: string, prev?: string): Row => ({
  topic: "t",
  pid: "1",
  key: "ada",
  meta: prev === undefined ? { phx_ref: ref } : { phx_ref: ref, phx_ref_prev: prev },
})

describe("many changes folded into one diff", () => {
  it("give a client the view that the changes one by one give", () => {
    fc.assert(
      fc.property(windows, (played) => {
        play(played, (folded, before, after) => {
          const view = new Map(before)
          for (const diff of folded) apply(view, diff)
          expect(view).toEqual(after)
        })
      }),
    )
  })

  it("name in phx_ref_prev what a client sees now, and what the same diff takes away", () => {
    fc.assert(
      fc.property(windows, (played) => {
        play(played, (folded, before) => {
          for (const { joins, leaves } of folded) {
            for (const { key, meta } of joins) {
              if (meta.phx_ref_prev === undefined) continue
              expect(before.get(meta.phx_ref_prev)?.key).toBe(key)
              expect(leaves.map((row) => row.meta.phx_ref)).toContain(meta.phx_ref_prev)
            }
          }
        })
      }),
    )
  })

  it("are one diff or none, and never tell of what a client already sees or never saw", () => {
    fc.assert(
      fc.property(windows, (played) => {
        play(played, (folded, before) => {
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

  it("of the updates a→b→c tell of c in the place of a", () => {
    const pending = new FoldedDiff()
    pending.add({ joins: [row("b", "a")], leaves: [row("a")] })
    pending.add({ joins: [row("c", "b")], leaves: [row("b", "a")] })
    expect(pending.take()).toEqual({ joins: [row("c", "a")], leaves: [row("a")] })
    expect(pending.take()).toEqual({ joins: [], leaves: [] })
  })

  it("of a join and its update tell of a join that replaces nothing", () => {
    const pending = new FoldedDiff()
    pending.add({ joins: [row("a")], leaves: [] })
    pending.add({ joins: [row("b", "a")], leaves: [row("a")] })
    expect(pending.take()).toEqual({ joins: [row("b")], leaves: [] })
  })

  it("of a join and its leave tell nothing", () => {
    const pending = new FoldedDiff()
    pending.add({ joins: [row("a")], leaves: [] })
    pending.add({ joins: [], leaves: [row("a")] })
    expect(pending.take()).toEqual({ joins: [], leaves: [] })
  })
})

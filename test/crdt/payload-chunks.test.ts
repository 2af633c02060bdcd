import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Parts } from "../../src/crdt/replica-dots.ts"
import { Orswot } from "../../src/crdt/orswot.ts"
import { chunksOf } from "../../src/crdt/payload-chunks.ts"
import { elementOf } from "./model-checked-set.ts"

const REFS = ["r1", "r2", "r3"]
const step = fc.record({
  ref: fc.constantFrom(...REFS),
  what: fc.constantFrom("join", "join", "update", "leave"),
  key: fc.constantFrom("a", "b", "c", "d", "e", "f"),
})

/** Returns the set of an observer that has received all deltas of the replicas. */
function stateOf(steps: readonly { ref: string; what: string; key: string }[]): Orswot {
  const all = observer()
  const sets = new Map(REFS.map((ref) => [ref, new Orswot(ref)]))
  for (const [n, { ref, what, key }] of steps.entries()) {
    const set = sets.get(ref)!
    if (what === "leave") set.leave("p", "t", key)
    else set.join("p", "t", key, { n })
    const delta = set.takeDelta()
    if (delta !== undefined) all.merge(delta)
  }
  return all
}

function observer(): Orswot {
  const set = new Orswot("observer")
  for (const ref of REFS) set.replicaUp(ref)
  return set
}

const rowsOf = (parts: Parts): number => [...parts.values()].reduce((sum, { rows }) => sum + rows.length, 0)
const shown = (set: Orswot) => new Set(set.online().map(elementOf))

describe("the chunks of a state", () => {
  it("lead to the whole state, in any order, even if the receiver knew a part of it before", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.nat(40),
        fc.integer({ min: 1, max: 9 }),
        fc.infiniteStream(fc.nat()),
        (steps, known, maxRows, ranks) => {
          const state = stateOf(steps)
          const { parts } = state.extract("", state.clocks())
          const chunks = chunksOf(parts, maxRows)
          for (const chunk of chunks) expect(rowsOf(chunk)).toBeLessThanOrEqual(maxRows)
          const receiver = observer()
          receiver.merge(stateOf(steps.slice(0, known)).extract("", state.clocks()))
          const shuffled = chunks.map((chunk) => ({ chunk, rank: ranks.next().value as number }))
          shuffled.sort((left, right) => left.rank - right.rank)
          for (const { chunk } of shuffled) receiver.merge({ mode: "full", parts: chunk })
          expect(shown(receiver)).toEqual(shown(state))
          expect(receiver.clocks()).toEqual(state.clocks())
        },
      ),
    )
  })

  it("leave a gap in the receiver's clock until the last chunk has arrived", () => {
    const state = stateOf(["a", "b", "c", "d"].map((key) => ({ ref: "r1", what: "join", key })))
    const receiver = observer()
    const clocks = chunksOf(state.extract("", state.clocks()).parts, 1).map((chunk) => {
      receiver.merge({ mode: "full", parts: chunk })
      return receiver.clocks().get("r1")
    })
    expect(clocks).toEqual([0, 0, 0, 4])
  })

  it("report an update as an update, although the removal of its old row is in another chunk", () => {
    const steps = ["a", "b", "c", "a"].map((key) => ({ ref: "r1", what: "join", key }))
    const receiver = observer()
    receiver.merge(stateOf(steps.slice(0, 3)).extract("", new Map([["r1", 0]])))
    const diffs = chunksOf(stateOf(steps).extract("", new Map([["r1", 0]])).parts, 1).map((chunk) =>
      receiver.merge({ mode: "full", parts: chunk }),
    )
    expect(diffs.flatMap(({ joins }) => joins)).toMatchObject([{ key: "a", replaces: { key: "a", meta: { n: 0 } } }])
  })
})

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Parts } from "../../src/crdt/replica-dots.ts"
import { Orswot } from "../../src/crdt/orswot.ts"
import { chunksOf } from "../../src/crdt/chunks.ts"
import { elementOf } from "./model-checked-set.ts"

const REFS = ["r1", "r2", "r3"]
const step = fc.record({
  ref: fc.constantFrom(...REFS),
  what: fc.constantFrom("join", "join", "update", "leave"),
  key: fc.constantFrom("a", "b", "c", "d", "e", "f"),
})

/** What the replicas have done, as one that has seen all of it knows it. */
function stateOf(steps: readonly { ref: string; what: string; key: string }[]): Orswot {
  const all = observer()
  const sets = new Map(REFS.map((ref) => [ref, new Orswot(ref)]))
  for (const [n, { ref, what, key }] of steps.entries()) {
    const set = sets.get(ref)!
    if (what === "leave") set.leave("p", "t", key)
    else set.join(`p`, "t", key, { n })
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

describe("the pieces of a state", () => {
  it("are together what it was, in whatever order they come, to whoever knew a part", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.nat(40),
        fc.integer({ min: 1, max: 9 }),
        fc.infiniteStream(fc.nat()),
        (steps, known, maxRows, chance) => {
          const state = stateOf(steps)
          const { parts } = state.extract("", state.clocks())
          const pieces = chunksOf(parts, maxRows)
          for (const piece of pieces) expect(rowsOf(piece)).toBeLessThanOrEqual(maxRows)
          const one = observer()
          one.merge(stateOf(steps.slice(0, known)).extract("", state.clocks()))
          const shuffled = pieces.map((piece) => ({ piece, place: chance.next().value as number }))
          shuffled.sort((left, right) => left.place - right.place)
          for (const { piece } of shuffled) one.merge({ mode: "full", parts: piece })
          expect(shown(one)).toEqual(shown(state))
          expect(one.clocks()).toEqual(state.clocks())
        },
      ),
    )
  })

  it("leave whoever got some of them behind, until the last one has come", () => {
    const state = stateOf(["a", "b", "c", "d"].map((key) => ({ ref: "r1", what: "join", key })))
    const one = observer()
    const clocks = chunksOf(state.extract("", state.clocks()).parts, 1).map((piece) => {
      one.merge({ mode: "full", parts: piece })
      return one.clocks().get("r1")
    })
    expect(clocks).toEqual([0, 0, 0, 4])
  })

  it("tell of an update as one, though its old row's end is in another piece", () => {
    const steps = ["a", "b", "c", "a"].map((key) => ({ ref: "r1", what: "join", key }))
    const one = observer()
    one.merge(stateOf(steps.slice(0, 3)).extract("", new Map([["r1", 0]])))
    const diffs = chunksOf(stateOf(steps).extract("", new Map([["r1", 0]])).parts, 1).map((piece) =>
      one.merge({ mode: "full", parts: piece }),
    )
    expect(diffs.flatMap(({ joins }) => joins)).toMatchObject([{ key: "a", replaces: { key: "a", meta: { n: 0 } } }])
  })
})

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Row } from "../../src/crdt/row.ts"
import { LiveRows } from "../../src/crdt/live-rows.ts"

const rowOf = (clock: number): Row => ({ topic: "t", pid: "p", key: `u${clock}`, meta: {}, ref: "r", clock })
const clocks = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 12 })
const steps = fc.array(fc.oneof(fc.record({ add: clocks }), fc.record({ remove: clocks })), { maxLength: 30 })

describe("the live rows", () => {
  it("are the added rows without the removed ones, ordered by clock, even after late additions and many removals", () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 60 }), fc.nat(20), (history, from, length) => {
        const rows = new LiveRows()
        const model = new Map<number, Row>()
        for (const step of history) {
          if ("add" in step) {
            const added = step.add.filter((clock) => !model.has(clock)).map(rowOf)
            added.sort((left, right) => left.clock - right.clock)
            for (const row of added) model.set(row.clock, row)
            rows.add(added)
          } else {
            for (const clock of step.remove) {
              model.delete(clock)
              rows.delete(clock)
            }
          }
          const all = [...model.values()].sort((left, right) => left.clock - right.clock)
          expect(rows.all()).toEqual(all)
          expect(rows.size).toBe(all.length)
          const ranges = [from, from + length, from + length + 5, Number.MAX_SAFE_INTEGER]
          expect(rows.within(ranges)).toEqual(
            all.filter(({ clock }) => clock >= from && (clock <= from + length || clock >= from + length + 5)),
          )
        }
      }),
    )
  })
})

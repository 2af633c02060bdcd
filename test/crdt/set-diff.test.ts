import fc from "fast-check"
import { expect, it } from "vitest"
import { Changes, NO_CHANGE } from "../../src/crdt/set-diff.ts"
import type { Row } from "../../src/crdt/row.ts"

const row = (place: number, clock: number): Row => ({
  topic: "t",
  pid: `p${place}`,
  key: "u",
  meta: {},
  ref: "r",
  clock,
})
const rows = [0, 1, 2].map((place) => [undefined, row(place, 1), row(place, 2), row(place, 3)])
const steps = fc.array(fc.record({ place: fc.integer({ min: 0, max: 2 }), shows: fc.integer({ min: 0, max: 3 }) }))

function clocks(rows: readonly (Row | undefined)[]): Set<string | undefined> {
  return new Set(rows.flatMap((row) => row && `${row.pid} ${row.clock}`))
}

it("a diff pairs the first and the last row of each changed place, and is NO_CHANGE if no place has changed", () => {
  fc.assert(
    fc.property(fc.tuple(steps, steps), ([before, during]) => {
      const view: (Row | undefined)[] = [undefined, undefined, undefined]
      for (const { place, shows } of before) view[place] = rows[place]![shows]
      const first = [...view]
      /** The row that a join must replace: the first row of the place, unless the place has been empty since. */
      const replaced = [...view]
      const changes = new Changes()
      for (const { place, shows } of during) {
        if (rows[place]![shows] === first[place]) replaced[place] = first[place]
        else if (view[place] === undefined) replaced[place] = undefined
        changes.swap(view[place], rows[place]![shows])
        view[place] = rows[place]![shows]
      }
      const diff = changes.diff()
      const changed = [0, 1, 2].filter((place) => first[place] !== view[place])
      expect(clocks(diff.leaves)).toEqual(clocks(changed.map((place) => first[place]).filter(Boolean)))
      expect(clocks(diff.joins)).toEqual(clocks(changed.map((place) => view[place]).filter(Boolean)))
      for (const place of changed) {
        const join = diff.joins.find(({ pid }) => pid === `p${place}`)
        expect(join?.replaces).toBe(view[place] && replaced[place])
      }
      if (changed.length === 0) expect(diff).toBe(NO_CHANGE)
    }),
  )
})

import type { Part, Parts } from "./replica-dots.ts"
import { clipRanges } from "./ranges.ts"

/**
 * Cuts what a payload says into pieces of at most `maxRows` rows, each of which can be merged alone, in any order and
 * without the others: a range of a replica's dots with the rows in it is as true as all of them.
 *
 * Of each replica the last dots come first. Whoever gets a part of the pieces only then still lacks the first dots, and
 * knows it by the clock; and a row that took another's place comes before the other's end, which makes it an update.
 */
export function chunksOf(parts: Parts, maxRows: number): Parts[] {
  const pieces: Map<string, Part>[] = [new Map()]
  let room = maxRows
  for (const [ref, { seen, rows }] of parts) {
    let end = rows.length
    let to = Infinity
    do {
      if (room === 0 && end > 0) {
        pieces.push(new Map())
        room = maxRows
      }
      const start = Math.max(0, end - room)
      const from = start === 0 ? 1 : rows[start]!.clock
      pieces.at(-1)!.set(ref, { seen: clipRanges(seen, from, to), rows: rows.slice(start, end) })
      room -= end - start
      to = from - 1
      end = start
    } while (end > 0)
  }
  return pieces
}

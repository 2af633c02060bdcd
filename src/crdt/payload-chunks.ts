import type { Part, Parts } from "./replica-dots.ts"
import { clipRanges } from "./ranges.ts"

/**
 * Splits a payload into chunks of at most `maxRows` rows. The chunks can be merged in any order, and each of them without
 * the others: a range of a replica's dots together with the rows in that range is a valid payload by itself.
 *
 * The chunks start with the highest dots of each replica, for two reasons. First, a receiver that gets only some of the
 * chunks lacks the lowest dots, so its clock shows that something is missing. Second, a row that replaced another one
 * arrives before the removal of the old row, so the receiver can report an update.
 */
export function chunksOf<M>(parts: Parts<M>, maxRows: number): Parts<M>[] {
  const chunks = [new Map<string, Part<M>>()]
  let room = maxRows
  for (const [ref, { seen, rows }] of parts) {
    let end = rows.length
    let to = Infinity
    do {
      if (room === 0 && end > 0) {
        chunks.push(new Map())
        room = maxRows
      }
      const start = Math.max(0, end - room)
      const from = start === 0 ? 1 : rows[start]!.clock
      chunks.at(-1)!.set(ref, { seen: clipRanges(seen, from, to), rows: rows.slice(start, end) })
      room -= end - start
      to = from - 1
      end = start
    } while (end > 0)
  }
  return chunks
}

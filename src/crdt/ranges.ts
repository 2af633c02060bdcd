/**
 * A set of clocks of one replica as ranges: `[from, to, from, to, …]`. Bounds are inclusive, ranges are ascending, and
 * there is a gap between every two of them. `[1, 7, 9, 9]` contains 1 to 7, and 9.
 *
 * Phoenix keeps a context (all of 1..n) and a cloud (each seen clock above a gap), and has to sort the cloud to compact
 * it. Ranges hold both in one value that is always compact: the context is the first range if that starts at 1, and the
 * other ranges are the cloud. The dots of a delta with ten thousand joins are two numbers. Ranges are never changed in
 * place.
 */
export type Ranges = readonly number[]

/** The empty set of clocks. */
export const NO_CLOCKS: Ranges = []

/** Returns whether `clock` can be the clock of a dot, which is a safe integer of at least 1. */
export function isClock(clock: number): boolean {
  return Number.isSafeInteger(clock) && clock >= 1
}

/** Returns whether `clock` is in one of the ranges. Takes O(log n) for n ranges. */
export function hasClock(ranges: Ranges, clock: number): boolean {
  let low = 0
  let high = ranges.length / 2
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ranges[2 * middle + 1]! < clock) low = middle + 1
    else high = middle
  }
  return 2 * low < ranges.length && ranges[2 * low]! <= clock
}

/** Returns the highest clock such that all clocks from 1 up to it are in the ranges; 0 if 1 is not in them. */
export function prefixOf(ranges: Ranges): number {
  return ranges[0] === 1 ? ranges[1]! : 0
}

/** Returns the number of clocks in the ranges. */
export function countClocks(ranges: Ranges): number {
  let count = 0
  for (let i = 0; i < ranges.length; i += 2) count += ranges[i + 1]! - ranges[i]! + 1
  return count
}

/** Returns the union of both sides. Takes O(n) for n ranges, whatever their length. */
export function uniteRanges(left: Ranges, right: Ranges): Ranges {
  const union: number[] = []
  let l = 0
  let r = 0
  while (l < left.length || r < right.length) {
    if (r >= right.length || (l < left.length && left[l]! <= right[r]!)) {
      append(union, left[l]!, left[l + 1]!)
      l += 2
    } else {
      append(union, right[r]!, right[r + 1]!)
      r += 2
    }
  }
  return union
}

/** Returns the clocks between `from` and `to`, inclusive. */
export function clipRanges(ranges: Ranges, from: number, to: number): Ranges {
  const clipped: number[] = []
  for (let i = 0; i < ranges.length; i += 2) {
    const [start, end] = [Math.max(from, ranges[i]!), Math.min(to, ranges[i + 1]!)]
    if (start <= end) clipped.push(start, end)
  }
  return clipped
}

/** Returns the ranges of single clocks. The clocks may be in any order and occur more than once. */
export function rangesOf(clocks: readonly number[]): Ranges {
  const ascending = Float64Array.from(clocks)
  ascending.sort()
  const ranges: number[] = []
  for (const clock of ascending) append(ranges, clock, clock)
  return ranges
}

/**
 * Returns valid ranges for ranges that a remote node sent.
 *
 * If they are valid, the same array is returned, after one pass. Otherwise pairs that are not a range of clocks are
 * dropped, and the others are sorted and joined. Without that, a binary search over unsorted pairs could find a dot seen
 * in one merge and unseen in the next.
 */
export function normalRanges(ranges: Ranges): Ranges {
  let last = -1
  for (let i = 0; ; i += 2) {
    if (i === ranges.length) return ranges
    if (!isRange(ranges[i], ranges[i + 1]) || ranges[i]! <= last + 1) break
    last = ranges[i + 1]!
  }
  const pairs: [from: number, to: number][] = []
  for (let i = 0; i < ranges.length; i += 2) {
    if (isRange(ranges[i], ranges[i + 1])) pairs.push([ranges[i]!, ranges[i + 1]!])
  }
  pairs.sort(([a], [b]) => a - b)
  const normal: number[] = []
  for (const [from, to] of pairs) append(normal, from, to)
  return normal
}

function isRange(from: number | undefined, to: number | undefined): boolean {
  return from !== undefined && to !== undefined && isClock(from) && isClock(to) && from <= to
}

/** Appends a range that starts no earlier than the last one starts. */
function append(ranges: number[], from: number, to: number): void {
  const end = ranges.length - 1
  if (end < 0 || from > ranges[end]! + 1) ranges.push(from, to)
  else if (to > ranges[end]!) ranges[end] = to
}

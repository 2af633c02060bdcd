/**
 * A set of clocks of one replica as ranges: `[from, to, from, to, …]`, both ends inside, ascending, with a gap between
 * each two. `[1, 7, 9, 9]` is 1 to 7, and 9.
 *
 * Phoenix keeps a context (all of 1..n) and a cloud (each seen clock above a gap) and has to sort the cloud to compact
 * it. As ranges the two are one thing that is always compact: the context is a first range that starts at 1, the
 * cloud is what follows it, and a delta of ten thousand ticks is two numbers. Values of this type are never changed.
 */
export type Ranges = readonly number[]

/** No clock at all. */
export const NO_CLOCKS: Ranges = []

/** Whether `clock` is one that a replica can have given out: a whole number from 1 up, exact as a double. */
export function isClock(clock: number): boolean {
  return Number.isSafeInteger(clock) && clock >= 1
}

/** Whether `clock` lies in one of the ranges; O(log of their number). */
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

/** The highest clock such that 1 to it are all inside; 0 when 1 is not. */
export function prefixOf(ranges: Ranges): number {
  return ranges[0] === 1 ? ranges[1]! : 0
}

/** How many clocks the ranges hold. */
export function countClocks(ranges: Ranges): number {
  let count = 0
  for (let i = 0; i < ranges.length; i += 2) count += ranges[i + 1]! - ranges[i]! + 1
  return count
}

/** The clocks of either side; O(the number of ranges), whatever their length. */
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

/** The clocks that lie between `from` and `to`, both inside. */
export function clipRanges(ranges: Ranges, from: number, to: number): Ranges {
  const clipped: number[] = []
  for (let i = 0; i < ranges.length; i += 2) {
    const [start, end] = [Math.max(from, ranges[i]!), Math.min(to, ranges[i + 1]!)]
    if (start <= end) clipped.push(start, end)
  }
  return clipped
}

/** The ranges of single clocks, which may come in any order and more than once. */
export function rangesOf(clocks: readonly number[]): Ranges {
  const ascending = Float64Array.from(clocks)
  ascending.sort()
  const ranges: number[] = []
  for (const clock of ascending) append(ranges, clock, clock)
  return ranges
}

/**
 * What a remote node sent as ranges, made to keep the promise of the type.
 *
 * Returned as it came when it is in order, which costs one look at each pair. Otherwise pairs that are no range of
 * clocks are dropped, and the rest sorted: a binary search over unsorted pairs would find a dot seen in one merge and
 * unseen in the next.
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

/** Adds a range that starts at or after the start of the last one. */
function append(ranges: number[], from: number, to: number): void {
  const end = ranges.length - 1
  if (end < 0 || from > ranges[end]! + 1) ranges.push(from, to)
  else if (to > ranges[end]!) ranges[end] = to
}

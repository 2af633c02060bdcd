/** Returns a number with its noun: `1 game`, `3 games`. */
export const numberOf = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

/**
 * Returns numbered things, with how many of each where they differ: `worker 2`, `workers 1, 2 and 4`.
 * @param numbers in any order; one may come several times
 */
export function listOf(noun: string, numbers: readonly number[]): string {
  const distinct = Array.from(new Set(numbers)).sort((a, b) => a - b)
  const last = distinct.pop()
  if (last === undefined) return `no ${noun}`
  return distinct.length === 0 ? `${noun} ${last}` : `${noun}s ${distinct.join(", ")} and ${last}`
}

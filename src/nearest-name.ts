/** How many letters a misspelt name may differ by. */
const MAX_DISTANCE = 2

/**
 * Returns the name that was probably meant: one that begins with what was given, or one that differs from it by at most two
 * letters that are missing, added, replaced or swapped. Returns `undefined` if there is none.
 */
export function nearestName(given: string, names: readonly string[]): string | undefined {
  const longer = given === "" ? undefined : names.find((name) => name.startsWith(given))
  if (longer !== undefined) return longer
  const distances = names.map((name) => ({ name, distance: distanceBetween(given, name) }))
  const [nearest] = distances.sort((one, other) => one.distance - other.distance)
  // Two letters would turn a name of three into nearly any other.
  if (nearest === undefined || nearest.distance > Math.min(MAX_DISTANCE, nearest.name.length / 2)) return undefined
  return nearest.name
}

/** Returns the number of edits between two texts, where two swapped neighbours are one edit. */
function distanceBetween(one: string, other: string): number {
  /** `rows[i][j]`: the distance between the first `i` letters of one and the first `j` of the other. */
  const rows: number[][] = [Array.from({ length: other.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= one.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= other.length; j += 1) {
      const at = (up: number, left: number): number => (up === 0 ? row : rows[i - up])?.[j - left] ?? Infinity
      const replaced = at(1, 1) + (one[i - 1] === other[j - 1] ? 0 : 1)
      const isSwapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]
      row.push(Math.min(at(1, 0) + 1, at(0, 1) + 1, replaced, isSwapped ? at(2, 2) + 1 : Infinity))
    }
    rows.push(row)
  }
  return rows.at(-1)?.at(-1) ?? Infinity
}

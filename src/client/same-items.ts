/** Whether two values are the same, or two arrays hold the same items: an `isEqual` for selectors that return arrays. */
export function sameItems(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return Object.is(a, b)
  return a.length === b.length && a.every((item, index) => Object.is(item, b[index]))
}

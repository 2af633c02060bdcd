/**
 * Creates a mulberry32 generator: a function that returns numbers in [0, 1). The same seed gives the same numbers on
 * every platform.
 *
 * Use it as a `random` option in tests. Do not use it for secrets, because its numbers can be predicted.
 *
 * @param seed a whole number of 32 bits
 */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

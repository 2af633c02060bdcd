/**
 * Mulberry32: numbers in [0, 1) from a seed, a whole number of 32 bits. The same seed gives the same numbers, everywhere.
 *
 * Meant to be handed in as `random`. Good enough to choose what a test does next, and no source of secrets.
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

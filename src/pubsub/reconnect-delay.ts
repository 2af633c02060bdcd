const FIRST_MS = 50
const MAX_MS = 2_000

/**
 * Returns how many milliseconds to wait before a reconnect: an exponential backoff with equal jitter.
 *
 * The backoff is 50 ms and doubles with each attempt up to 2 s. The delay lies between half of the backoff and all of it.
 * All nodes of a cluster lose the engine at the same instant. Without jitter they would also reconnect at the same instants.
 *
 * @param attempt 0 for the first
 * @param random a random number between 0 and 1
 */
export function reconnectDelay(attempt: number, random: number): number {
  const backoff = Math.min(MAX_MS, FIRST_MS * 2 ** attempt)
  return Math.round((backoff * (1 + random)) / 2)
}

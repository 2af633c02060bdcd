/** How long a connection waits before it tries again. */

/** The delays before the first attempts, in milliseconds; then 5 s. */
const DELAYS_MS = [10, 100, 500, 1000, 2000]
/** A connection that was open for less, in milliseconds, counts as a failed attempt. */
const STABLE_MS = 5000
/** The delay while the server refuses the connection, in milliseconds. */
const REFUSED_MS = 30_000

/** The delays of one connection. phoenix.js counts anew after each open, however short. */
export interface Backoff {
  /** Records that a connection was opened. */
  opened(): void
  /** Returns the delay before the next attempt, in milliseconds. */
  next(isRefused: boolean): number
}

/**
 * The delays have ±50 % jitter: otherwise all clients that lost a server would come back at once.
 *
 * @param random returns numbers from 0 to 1
 * @param own the application's delays, which get no jitter
 */
export function createBackoff(now: () => number, random: () => number, own?: (tries: number) => number): Backoff {
  let tries = 0
  let openedAt = Infinity
  return {
    opened: () => void (openedAt = now()),
    next(isRefused) {
      if (now() - openedAt >= STABLE_MS) tries = 0
      openedAt = Infinity
      const delay = isRefused ? REFUSED_MS : (DELAYS_MS[tries] ?? STABLE_MS)
      tries += 1
      return own && !isRefused ? own(tries) : delay * (0.5 + random())
    },
  }
}

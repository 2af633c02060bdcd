import { ConfigError, RollcallError, kindOf } from "../../error.ts"
import type { Timers } from "../../timers.ts"

/** The longest time that Node's timers can wait, in ms: about 24 days. A timer with a longer time fires at once. */
const MAX_MS = 2_147_483_647
/** Times before this one, in 1973, are taken for seconds: a token's `exp` is in seconds. */
const EARLIEST_MS = 100_000_000_000

/**
 * Returns the time at which a connection ends, in ms since 1970; `undefined` if `connect` returned none.
 * @throws ConfigError for a value that is no time; RollcallError `token_expired` when the time is over
 */
export function expiryOf(
  { expiresAt }: { readonly expiresAt?: unknown },
  now: number = Date.now(),
): number | undefined {
  if (expiresAt === undefined || expiresAt === null || expiresAt === Infinity) return undefined
  const time = expiresAt instanceof Date ? expiresAt.getTime() : expiresAt
  if (typeof time !== "number" || Number.isNaN(time) || time < EARLIEST_MS) {
    throw new ConfigError(`expected expiresAt to be ms since 1970 or a Date, got ${describe(expiresAt, time)}`)
  }
  if (time > now) return time
  throw new RollcallError("token_expired", "expected connect to return an expiresAt in the future, got one in the past")
}

function describe(given: unknown, time: unknown): string {
  if (given instanceof Date) return Number.isNaN(time) ? "an invalid Date" : "a Date before 1973"
  if (typeof time !== "number") return kindOf(given)
  return Number.isNaN(time) ? "NaN" : "seconds since 1970, it seems"
}

/** Calls `expire` for each connection at the time at which it ends. */
export class Expiries<Connection> {
  readonly #timers: () => Timers
  readonly #expire: (connection: Connection) => void
  readonly #wallClock: () => number
  readonly #pending = new Map<Connection, unknown>()

  /**
   * @param timers returns the timers; called when the first connection is added, not before
   * @param wallClock returns the time in ms since 1970
   */
  constructor(timers: () => Timers, expire: (connection: Connection) => void, wallClock: () => number = Date.now) {
    this.#timers = timers
    this.#expire = expire
    this.#wallClock = wallClock
  }

  /** Adds a connection that ends at a time, in ms since 1970. */
  add(connection: Connection, expiresAt: number): void {
    this.#wait(connection, expiresAt - this.#wallClock())
  }

  #wait(connection: Connection, ms: number): void {
    const step = Math.min(ms, MAX_MS)
    const next = (): void => {
      this.#pending.delete(connection)
      if (ms > step) this.#wait(connection, ms - step)
      else this.#expire(connection)
    }
    this.#pending.set(connection, this.#timers().set(next, step))
  }

  /** Removes a connection, if it was added. */
  delete(connection: Connection): void {
    if (!this.#pending.has(connection)) return
    this.#timers().clear(this.#pending.get(connection))
    this.#pending.delete(connection)
  }
}

/**
 * The meta field that counts the choices of a user among several devices: `{ status: 3 }` next to the field `status`. To a server
 * that does not know it, it is a field like any other.
 */
export const CHOSEN = "chosen"

/**
 * Whether a value is a counter of choices: an integer from 0 (never chosen) to 2^32 − 1.
 *
 * Counters are compared on a circle of 2^32 (RFC 1982), so that each one has a later one: no device can choose for ever.
 */
export const isCount = (value: unknown): value is number => value === (value as number) >>> 0

/**
 * The meta field that counts the choices of a user among several devices: `{ status: 3 }` next to the field `status`. To a server
 * that does not know it, it is a field like any other.
 */
export const CHOSEN = "chosen"

/** Whether a value is a counter of choices: an integer from 0 to 2^53 − 1. 0 is no choice. */
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

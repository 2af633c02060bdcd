import { NORMAL, PROTOCOL_ERROR, SLOW_CONSUMER } from "../../wire/close-codes.ts"

const LOSSES: ReadonlySet<number> = new Set([NORMAL, PROTOCOL_ERROR, SLOW_CONSUMER])

/**
 * Returns whether a connection that ends with a code is lost: by the client's or the network's doing. In a busy topic, the buffer of a
 * network that broke is full before the client has been silent for long.
 */
export function isLoss(code: number): boolean {
  return LOSSES.has(code)
}

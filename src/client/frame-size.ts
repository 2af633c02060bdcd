/** The size of frames in bytes, and its limit. */
import { RollcallError } from "../error.ts"
import { repairJson } from "./surrogates.ts"

/** Returns the error for a frame, text or bytes, of more than `max` bytes. */
export function tooLarge(frame: unknown, max: number, topic: string, event: string): RollcallError | undefined {
  const { length, byteLength } = frame as { length: number; byteLength?: number }
  // No character has more than three bytes for each of its units. Not every platform has `TextEncoder`.
  const bytes = byteLength ?? (length * 3 > max ? new TextEncoder().encode(frame as string).length : 0)
  if (bytes <= max) return undefined
  return new RollcallError("payload_too_large", `${event} on ${topic}: expected at most ${max} bytes, got ${bytes}`)
}

/** @throws RollcallError `payload_too_large` if a message with this payload would have more than `max` bytes */
export function assertFits(max: number, topic: string, event: string, payload: object): void {
  // The refs are not known yet. Most have fewer digits.
  const error = tooLarge(repairJson(JSON.stringify(["1234", "1234", topic, event, payload])), max, topic, event)
  if (error) throw error
}

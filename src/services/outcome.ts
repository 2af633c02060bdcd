import { RollcallError } from "../error.ts"
import type { Abortable } from "./cancellation.ts"

/** The error with which a call ended. */
export interface Failure {
  readonly error: unknown
  /** What a handler threw, if its caller gets another error. */
  readonly cause?: unknown
}

/** The codes of errors that are outcomes by themselves. Others may come from another node, so they must not become labels. */
const CODES: ReadonlySet<string> = new Set([
  "no_instance",
  "timeout",
  "instance_gone",
  "remote_error",
  "draining",
  "overloaded",
  "moving",
  "bad_route",
  "stream_gap",
  "payload_too_large",
  "closed",
  "config",
])

/**
 * Returns how a call ended, in one of a few words: `ok`, the code of a `RollcallError`, `defined_error` for an error that the
 * contract of the method defines, `aborted` if the caller gave up, and `failed` for anything else.
 *
 * @param signal the signal of the call
 */
export function outcomeOf(failure: Failure | undefined, signal: Abortable | undefined): string {
  if (failure === undefined) return "ok"
  const { error } = failure
  if (error instanceof RollcallError && CODES.has(error.code)) return error.code
  if (signal?.aborted === true && signal.reason === error) return "aborted"
  const isDefined = error instanceof Error && (error as { defined?: unknown }).defined === true
  return isDefined ? "defined_error" : "failed"
}

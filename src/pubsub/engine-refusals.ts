import { RollcallError } from "../error.ts"

/** Returns the error for a message that the engine does not allow this node to publish: `publish_refused`. */
export function publishRefused(cause: unknown): RollcallError {
  const reason = textOf(cause)
  const message = `expected the engine to allow this node to publish, got: ${reason}; check the permissions of its user`
  return new RollcallError("publish_refused", message, { reason, cause })
}

/** Returns the error for a topic that the engine does not allow this node to receive: `subscribe_refused`. */
export function subscribeRefused(topic: string, cause: unknown): RollcallError {
  const reason = textOf(cause)
  const message = `expected the engine to allow a subscription to ${JSON.stringify(topic)}, got: ${reason}`
  return new RollcallError("subscribe_refused", message, { reason, cause })
}

/** Returns the error for an engine that did not answer a ping in time: `engine_unanswering`. */
export function engineUnanswering(engine: string, pingTimeoutMs: number): RollcallError {
  return new RollcallError(
    "engine_unanswering",
    `expected the ${engine} server to answer a ping within ${pingTimeoutMs} ms, got no answer; reconnecting`,
  )
}

/** Returns the error for a primary process that did not answer a ping in time: `engine_unanswering`. */
export function primaryUnanswering(pingTimeoutMs: number): RollcallError {
  return new RollcallError(
    "engine_unanswering",
    `expected the primary process to answer a ping within ${pingTimeoutMs} ms, got no answer; it may be suspended or blocked`,
  )
}

/** Returns the error for a server that accepted a connection, and did not answer in time: `engine_unanswering`. */
export function connectUnanswering(engine: string, timeoutMs: number): RollcallError {
  const expected = `expected the ${engine} server to answer a new connection within ${timeoutMs} ms`
  return new RollcallError("engine_unanswering", `${expected}, got no answer`)
}

/**
 * Returns the words of an error, in one line: those of OpenSSL end with a line feed. An error for several addresses of one
 * name has no words of its own.
 */
export function textOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause)
  if (text === "" && cause instanceof AggregateError) return cause.errors.map(textOf).join("; ")
  return text.replaceAll(/\s+/g, " ").trim()
}

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

/** Returns the words of an error. */
export function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

/**
 * Where a server says what went wrong: a sentence that is always the same, and details of their own in an object, `error`
 * among them. `warn` is for what others did wrong, `error` for what an operator should look at. `console` is one.
 *
 * No payload and no token of a client is ever in there; topics and names of events are. An error that a handler of yours
 * throws, or refuses with, is told as it is. What a logger throws is dropped: there is nobody left to tell.
 */
export interface Logger {
  warn(message: string, details?: unknown): void
  error(message: string, details?: unknown): void
}

/** A logger that never throws: what it has to tell has just been dealt with, and its own failure is not to undo that. */
export function nonThrowing(logger: Logger): Logger {
  const say =
    (level: "warn" | "error") =>
    (message: string, details?: unknown): void => {
      try {
        logger[level](message, details)
      } catch {
        // See above.
      }
    }
  return { warn: say("warn"), error: say("error") }
}

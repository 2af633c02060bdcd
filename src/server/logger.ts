/**
 * Receives a server's log messages. `console` is one.
 *
 * The message is a fixed sentence. Everything that varies is in `details`, an object that often has a field `error`.
 * `warn` is for mistakes of others, such as clients. `error` is for problems that an operator should look at.
 *
 * `details` never contains a payload or a token of a client. It may contain topics and names of events, and the errors
 * that your handlers throw or refuse with. An error that a logger throws is ignored.
 */
export interface Logger {
  warn(message: string, details?: unknown): void
  error(message: string, details?: unknown): void
}

/** Returns a logger that never throws, so that a failure of logging does not interrupt what is being logged. */
export function nonThrowing(logger: Logger): Logger {
  const safely =
    (level: "warn" | "error") =>
    (message: string, details?: unknown): void => {
      try {
        logger[level](message, details)
      } catch {
        // There is no other place to report it.
      }
    }
  return { warn: safely("warn"), error: safely("error") }
}

/**
 * Receives a server's log messages, for example `console`.
 *
 * The message is a fixed sentence. Everything that varies is in `details`, an object that often has a field `error`.
 * `warn` is for mistakes on the other side, such as a client's. `error` is for problems that an operator should look at.
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
        // The error cannot be reported anywhere else.
      }
    }
  return { warn: safely("warn"), error: safely("error") }
}

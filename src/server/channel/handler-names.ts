import { ConfigError, kindOf } from "../../error.ts"
import { checkKnownNames } from "../../known-names.ts"
import type { Names } from "../../known-names.ts"
import type { ChannelHandlers } from "./handlers.ts"

const NAMES: Names<keyof ChannelHandlers> = {
  join: true,
  presence: true,
  presenceGraceMs: true,
  allow: true,
  joined: true,
  left: true,
  on: true,
  out: true,
}

/**
 * Checks the names of a channel's handlers, and that they are functions. A misspelt handler would never run.
 * @throws ConfigError
 */
export function checkHandlerNames(handlers: ChannelHandlers): void {
  checkKnownNames("a handler or an option of a channel", handlers, NAMES)
  for (const name of ["presence", "joined", "left"] as const) {
    const handler: unknown = handlers[name]
    if (handler === undefined || handler === null || typeof handler === "function") continue
    throw new ConfigError(`expected the handler ${name} to be a function, got ${kindOf(handler)}`)
  }
  for (const name of ["on", "out"] as const) {
    const byEvent: unknown = handlers[name]
    // It may contain more than handlers: what they use by `this`.
    if (byEvent === undefined || byEvent === null) continue
    if (typeof byEvent !== "object")
      throw new ConfigError(`expected ${name} to map events to handlers, got ${kindOf(byEvent)}`)
  }
}

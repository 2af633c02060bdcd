import { ConfigError, kindOf } from "../../error.ts"
import { checkKnownNames } from "../../known-names.ts"
import type { Names } from "../../known-names.ts"
import { quote } from "../../quote.ts"
import { checkHosts } from "./hosts.ts"
import type { SocketHandlers } from "./mount.ts"
import { checkOrigins } from "./origins.ts"

const NAMES: Names<keyof SocketHandlers> = {
  connect: true,
  id: true,
  transports: true,
  origins: true,
  hosts: true,
  dialect: true,
}

const TRANSPORTS: ReadonlySet<unknown> = new Set(["websocket", "longpoll"])

/**
 * Checks the handlers and options of a path when it is mounted. A program in JavaScript may pass anything, and what is wrong
 * would otherwise show only when clients come: a `connect` that is passed in the place of the handlers accepts all of them.
 * @throws ConfigError
 */
export function checkHandlers(given: unknown): void {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new ConfigError(`expected the handlers of a socket, such as { connect }, got ${kindOf(given)}`)
  }
  checkKnownNames("a handler or an option of a socket", given, NAMES)
  const { connect, id, transports, origins, hosts, dialect } = given as Record<string, unknown>
  for (const [name, handler] of Object.entries({ connect, id })) {
    if (handler !== undefined && handler !== null && typeof handler !== "function") {
      throw new ConfigError(`expected the handler ${name} to be a function, got ${kindOf(handler)}`)
    }
  }
  checkTransports(transports ?? undefined)
  checkOrigins(origins ?? true)
  checkHosts(hosts)
  if (dialect !== undefined && dialect !== "supabase") {
    throw new ConfigError(`expected the dialect "supabase" or none, got ${shown(dialect)}`)
  }
}

function checkTransports(transports: unknown): void {
  if (transports === undefined) return
  const wrong = Array.isArray(transports) ? (transports as unknown[]).find((name) => !TRANSPORTS.has(name)) : transports
  if (Array.isArray(transports) && transports.every((name) => TRANSPORTS.has(name))) return
  throw new ConfigError(`expected transports to be a list of "websocket" and "longpoll", got ${shown(wrong)}`)
}

const shown = (value: unknown): string => (typeof value === "string" ? quote(value) : kindOf(value))

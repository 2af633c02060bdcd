import { ConfigError, kindOf } from "../error.ts"
import { checkKnownNames } from "../known-names.ts"
import type { Names } from "../known-names.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import { serviceLimitsOf } from "../services/limits.ts"
import type { ServicesOptions } from "../services/services.ts"
import { checkSecret } from "../services/signature.ts"
import type { Timers } from "../timers.ts"
import { createTracker } from "../tracker/tracker.ts"
import type { Tracker, TrackerOptions } from "../tracker/tracker.ts"
import type { Serializer } from "../wire/message.ts"
import { DEFAULT_LIMITS } from "./limits.ts"
import type { Limits } from "./limits.ts"
import type { Logger } from "./logger.ts"
import type { Meter } from "./operations/meter.ts"
import type { PresenceWindow } from "./presence-window.ts"
import type { Fetch } from "./presence/fetched.ts"
import type { LastSeen } from "./presence/online-keys.ts"
import type { TrustProxy } from "./trusted-proxies.ts"

/** The options of a server. All of them have defaults. */
export interface ServerOptions extends Partial<Limits> {
  /**
   * The store of presences: a tracker, or options for the tracker that the server creates on `pubsub`. When the server closes,
   * it closes the tracker.
   */
  readonly tracker?: Tracker | TrackerOptions
  /**
   * The bus to the other nodes. By default there is none, and the server is the only node; a worker of `listen({ workers })` uses
   * a bus through its primary. When the server closes, it closes the bus.
   */
  readonly pubsub?: PubSub
  /**
   * Looks up data to show beside users' metas, such as their names in a database. It is called once for all users that are new
   * to a topic.
   */
  readonly fetch?: Fetch
  /**
   * Called with each key that loses its last presence in all topics, and the time in ms since 1970, so that you can store
   * when a user was online last. What it throws, or rejects with, is logged.
   *
   * The nodes that had presences of the key call it. If a node was killed, all others do for its users, when they notice.
   * So several nodes may report the same end: store the latest time.
   */
  readonly lastSeen?: LastSeen
  /**
   * The time for which the presence changes of a topic are collected into one `presence_diff`, in ms. Default 0: they are
   * collected for one turn of the event loop, or for several while many topics have changes. `false` sends one diff for each
   * change, as Phoenix does. A function returns the time for each topic by the number of its users; `growingWindow()` is one for
   * large rooms.
   *
   * A client that joins within a window gets the state at its end, or with a function after at most 250 ms.
   */
  readonly presenceWindowMs?: number | false | PresenceWindow
  /**
   * Whether WebSockets are compressed (`permessage-deflate`) for the clients that offer it, as browsers do. Default `false`.
   *
   * Texts above 4 kB that several clients get, such as the states and diffs of large rooms, are compressed once for all of them.
   * These clients compress what they send; a message may then have 64 KiB at most.
   */
  readonly compression?: boolean
  /** The secret and the limits of `server.services`. */
  readonly services?: Pick<ServicesOptions, "secret" | "limits">
  /** Receives warnings and errors. Default `console`. */
  readonly logger?: Logger
  /** Receives every count and size. `stats` contains them with and without a meter. */
  readonly meter?: Meter
  /** The clock and timers. Tests pass their own. */
  readonly timers?: Timers
  /**
   * Further serializers, for example for MessagePack. A client gets the first one that serves the `vsn` of its handshake. They
   * precede the protocol's own, 1.0.0 and 2.0.0, and so can replace them.
   */
  readonly serializers?: readonly Serializer[]
  /**
   * The secret that signs the tokens of long-poll sessions, at least 32 bytes.
   *
   * Nodes with the same secret serve each other's sessions. The workers of one `listen` always have the same secret. By default
   * it is random, and only the node that opened a session can serve it.
   */
  readonly secret?: string
  /**
   * The proxies between the clients and this server: their number, where `true` means one, or their addresses, such as
   * `["10.0.0.0/8", "loopback"]`. Default 0.
   *
   * A client's address, scheme and host are then taken from what the outermost of these proxies wrote to
   * `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`. By default these headers are ignored, since without
   * a proxy any client can send them.
   *
   * Addresses are IPv4 or IPv6 addresses, ranges of them, or the names `loopback`, `linklocal` and `uniquelocal`. With them, the
   * headers of a request count only if it comes from such an address. With a number, a request with fewer addresses in
   * `X-Forwarded-For` has not passed all of the proxies: then none of the three headers counts, and its address is that of the
   * last proxy.
   *
   * The proxy has to set or remove all three. If it passes one on unchanged, a client can choose the value: a forged
   * host, for instance, makes its own page an allowed origin.
   */
  readonly trustProxy?: TrustProxy
  /**
   * This node's name in the cluster. Default random. The name of `pubsub` takes precedence. Workers add a random
   * suffix, since all of them are given the same name.
   */
  readonly node?: string
  /** Returns random numbers in [0, 1). Names and references are made of them. Default `Math.random`. */
  readonly random?: () => number
}

/**
 * The minimum length of a secret in bytes. A shorter one could be guessed, and used to forge tokens of other clients' sessions.
 */
const MIN_SECRET_BYTES = 32

/**
 * Returns the secret of the options.
 * @throws ConfigError for a secret that is too short, such as the empty one of an unset environment variable
 */
export function secretOf({ secret }: ServerOptions): string | undefined {
  if (secret !== undefined && typeof secret !== "string") {
    throw new ConfigError(`expected a secret that is a string, got ${kindOf(secret)}`)
  }
  const size = secret === undefined ? MIN_SECRET_BYTES : new TextEncoder().encode(secret).length
  if (size >= MIN_SECRET_BYTES) return secret
  throw new ConfigError(`expected a secret of at least ${MIN_SECRET_BYTES} bytes, got ${size}`)
}

const NAMES: Names<Exclude<keyof ServerOptions, keyof Limits>> = {
  tracker: true,
  pubsub: true,
  fetch: true,
  lastSeen: true,
  presenceWindowMs: true,
  compression: true,
  services: true,
  logger: true,
  meter: true,
  timers: true,
  serializers: true,
  secret: true,
  trustProxy: true,
  node: true,
  random: true,
}

/** The options that are objects, with the functions that they must have. */
const FUNCTIONS = {
  pubsub: ["subscribe", "publish", "onStatus"],
  logger: ["warn", "error"],
  meter: ["count"],
  timers: ["now", "set", "clear", "soon"],
  services: [],
  tracker: [],
} as const

/**
 * Returns the options. Checks their names, and the kinds of those that no other check covers. A program in JavaScript may pass
 * anything, and a logger without `error`, for instance, would show only when the first error is lost.
 * @throws ConfigError
 */
export function checkedOptions(options: ServerOptions): ServerOptions {
  const given: unknown = options
  if (!isObject(given)) throw new ConfigError(`expected the options of createServer, got ${kindOf(given)}`)
  checkKnownNames("an option of createServer", options, { ...DEFAULT_LIMITS, ...NAMES })
  checkKnownNames("an option of services", options.services, { secret: true, limits: true })
  const { secret, limits } = options.services ?? {}
  // The services themselves are created at their first use, perhaps in a handler.
  serviceLimitsOf(limits)
  if (secret !== undefined) checkSecret(secret)
  for (const [name, functions] of Object.entries(FUNCTIONS)) {
    const part = given[name]
    if (part === undefined || part === null) continue
    if (!isObject(part)) throw new ConfigError(`expected ${name} to be an object, got ${kindOf(part)}`)
    for (const each of functions) expectKind(`${name}.${each}`, part[each], "function")
  }
  for (const name of ["fetch", "lastSeen", "random"] as const) {
    if (options[name] !== undefined) expectKind(name, options[name], "function")
  }
  const { node, compression = false, serializers = [] } = options
  if (node !== undefined && (typeof node !== "string" || node === "")) {
    throw new ConfigError(`expected node to be a name, got ${node === "" ? "an empty text" : kindOf(node)}`)
  }
  expectKind("compression", compression, "boolean")
  if (!Array.isArray(serializers))
    throw new ConfigError(`expected serializers to be a list, got ${kindOf(serializers)}`)
  return options
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null

function expectKind(name: string, value: unknown, kind: "function" | "boolean"): void {
  // oxlint-disable-next-line valid-typeof -- the parameter is one of the kinds
  if (typeof value !== kind) throw new ConfigError(`expected ${name} to be a ${kind}, got ${kindOf(value)}`)
}

/** Returns the program's tracker, or a new one with the program's options over the standard ones. */
export function trackerOf({ tracker }: ServerOptions, standard: TrackerOptions): Tracker {
  return tracker && "track" in tracker ? tracker : createTracker({ ...standard, ...tracker })
}

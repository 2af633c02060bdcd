import { ConfigError } from "../error.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import type { Timers } from "../timers.ts"
import type { Tracker, TrackerOptions } from "../tracker/tracker.ts"
import type { Serializer } from "../wire/message.ts"
import type { Limits } from "./limits.ts"
import type { Logger } from "./logger.ts"
import type { Meter } from "./operations/meter.ts"
import type { Fetch } from "./presence/fetched.ts"

/** The options of a server. All of them have defaults. */
export interface ServerOptions extends Partial<Limits> {
  /**
   * The store of presences: a tracker, or options for the tracker that the server creates, which uses `pubsub`. The
   * server closes it when it closes.
   */
  readonly tracker?: Tracker | TrackerOptions
  /**
   * The bus to the other nodes. By default there is none, and the server is the only node; a worker of `listen({
   * workers })` uses a bus through its primary. The server closes it when it closes.
   */
  readonly pubsub?: PubSub
  /**
   * Looks up data that is shown beside users' metas, such as their names in a database: one call for all that are new
   * to a topic.
   */
  readonly fetch?: Fetch
  /**
   * The time for which the presence changes of a topic are gathered into one `presence_diff`, in ms. Default 0: they
   * are gathered for one turn of the event loop, or for several while many topics have changes. `false` sends one diff
   * for each change, as Phoenix does.
   */
  readonly presenceWindowMs?: number | false
  /** Receives warnings and errors. Default `console`. */
  readonly logger?: Logger
  /** Receives every count and size. `stats` has them in any case. */
  readonly meter?: Meter
  /** The clock and timers. Tests pass their own. */
  readonly timers?: Timers
  /**
   * Further serializers, say for MessagePack: a client gets the first one that serves the `vsn` of its handshake. They come
   * before the protocol's own, 1.0.0 and 2.0.0, and so can replace them.
   */
  readonly serializers?: readonly Serializer[]
  /**
   * The secret that signs the tokens of long-poll sessions, at least 32 bytes.
   *
   * Nodes with the same secret serve each other's sessions; the workers of one `listen` always have the same one. By
   * default it is random, and only the node that opened a session can serve it.
   */
  readonly secret?: string
  /**
   * The number of proxies between the clients and this server; `true` means one. Default 0.
   *
   * A client's address, scheme and host are then taken from what the outermost of these proxies wrote to
   * `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`. By default these headers are ignored, since without
   * a proxy any client can send them.
   *
   * The proxy has to set or remove all three. If it passes one on unchanged, a client can choose the value: a forged
   * host, for instance, makes its own page an allowed origin.
   */
  readonly trustProxy?: boolean | number
  /**
   * This node's name in the cluster. Default random. The name of `pubsub` takes precedence. Workers add a random
   * suffix, since all of them are given the same name.
   */
  readonly node?: string
  /** Returns numbers in [0, 1), from which names and references are made. Default `Math.random`. */
  readonly random?: () => number
}

/**
 * The minimum length of a secret in bytes. A shorter one could be guessed, and tokens of other clients' sessions be
 * forged.
 */
const MIN_SECRET_BYTES = 32

/**
 * Returns the secret of the options.
 * @throws ConfigError for one that is too short; an unset environment variable often gives an empty one
 */
export function secretOf({ secret }: ServerOptions): string | undefined {
  const size = secret === undefined ? MIN_SECRET_BYTES : new TextEncoder().encode(secret).length
  if (size >= MIN_SECRET_BYTES) return secret
  throw new ConfigError(`expected a secret of at least ${MIN_SECRET_BYTES} bytes, got ${size}`)
}

/**
 * Returns the number of trusted proxies.
 * @throws ConfigError for a value that is neither a boolean nor a whole number of 0 or more
 */
export function proxiesOf(trust: boolean | number = false): number {
  const proxies = Number(trust)
  if (Number.isSafeInteger(proxies) && proxies >= 0) return proxies
  throw new ConfigError(`expected trustProxy to be true, false or a number of proxies, got ${trust}`)
}

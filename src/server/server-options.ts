import { ConfigError } from "../error.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import type { Timers } from "../timers.ts"
import type { Tracker, TrackerOptions } from "../tracker/tracker.ts"
import type { Serializer } from "../wire/message.ts"
import type { Fetch } from "./presence/fetched.ts"
import type { Limits } from "./limits.ts"
import type { Logger } from "./logger.ts"
import type { Meter } from "./operations/meter.ts"

/** How a server is to behave. All of it has a default. */
export interface ServerOptions extends Partial<Limits> {
  /** Where presences are kept: a tracker, or how the server's own is to behave, which is over `pubsub`. Closed with the server. */
  readonly tracker?: Tracker | TrackerOptions
  /** The bus to the other nodes; by default this process is alone. Closed with the server. */
  readonly pubsub?: PubSub
  /** Data to show beside users' metas, looked up once for the users that come. */
  readonly fetch?: Fetch
  /**
   * How long the presence changes of a topic are gathered into one `presence_diff`, in ms. `0`, the default, is one
   * turn of the event loop, or more of them while there is much to tell; `false` sends one diff per operation, as Phoenix does.
   */
  readonly presenceWindowMs?: number | false
  /** Where trouble is told; by default the console. */
  readonly logger?: Logger
  /** Where things are counted, beside `stats`. */
  readonly meter?: Meter
  readonly timers?: Timers
  /**
   * Further serializers, say for MessagePack: a client gets the first one that serves the `vsn` of its handshake. They come
   * before the protocol's own, 1.0.0 and 2.0.0, and so can replace them.
   */
  readonly serializers?: readonly Serializer[]
  /**
   * What long-poll sessions are signed with, at least 32 bytes. Nodes that have the same serve each other's sessions; the workers of one
   * `listen` do. By default it is drawn at random, and a session is its own node's alone.
   */
  readonly secret?: string
  /**
   * How many proxies stand between the clients and this server; `true` is one. A client's address, scheme and host are
   * then what the outermost of them wrote to `X-Forwarded-For`, `-Proto` and `-Host`. By default none is believed:
   * without a proxy, any client can write these headers.
   *
   * The proxy has to set or remove all three: one that it passes on as it came is what the client wrote, and origins are
   * compared with that host.
   */
  readonly trustProxy?: boolean | number
  /** This node's name, unless the bus has named it; random by default. Workers, who are given the same, add to it. */
  readonly node?: string
  /** Numbers in [0, 1): what references and names are drawn from. */
  readonly random?: () => number
}

/** Bytes of a secret; whoever finds out a shorter one makes up the sessions of others. */
const MIN_SECRET_BYTES = 32

/** @throws ConfigError for a secret that is too short: an unset variable of the environment makes an empty one */
export function secretOf({ secret }: ServerOptions): string | undefined {
  const size = secret === undefined ? MIN_SECRET_BYTES : new TextEncoder().encode(secret).length
  if (size >= MIN_SECRET_BYTES) return secret
  throw new ConfigError(`expected a secret of at least ${MIN_SECRET_BYTES} bytes, got ${size}`)
}

/** @throws ConfigError */
export function proxiesOf(trust: boolean | number = false): number {
  const proxies = Number(trust)
  if (Number.isSafeInteger(proxies) && proxies >= 0) return proxies
  throw new ConfigError(`expected trustProxy to be true, false or a number of proxies, got ${trust}`)
}

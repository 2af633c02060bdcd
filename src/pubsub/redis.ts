import type { RedisClientOptions, RedisClusterOptions, RedisSentinelOptions } from "redis"
import { loadOptionalPeer } from "../optional-peer.ts"
import { systemTimers } from "../timers.ts"
import { engineUnreachable } from "./engine-unreachable.ts"
import type { LivenessTiming } from "./liveness.ts"
import { pingTimingOf } from "./ping-timing.ts"
import type { PubSub, PubSubOptions } from "./pubsub.ts"
import { RedisEngine } from "./redis-engine.ts"
import { redisServersOf } from "./redis-target.ts"

/**
 * A client of the package `redis`, in any of its four kinds. Its options are used for new connections; the client itself
 * is neither used nor closed.
 */
export type AnyRedisClient =
  | { readonly isOpen: boolean; duplicate(...overrides: never[]): unknown }
  | { readonly isOpen: boolean; readonly totalClients: number; execute(...task: never[]): Promise<unknown> }

/** The options of `redis`. At most one of `url`, `sentinel`, `cluster` and a client as `client` says where the servers are. */
export interface RedisOptions extends PubSubOptions, LivenessTiming {
  /**
   * `redis[s]://[[user][:password]@][host][:port]`; `redis://localhost:6379` by default. Of several addresses, the first one
   * that is reachable and not a replica is used, so give all nodes the same list.
   */
  readonly url?: string | readonly string[]
  /**
   * An existing client of `createClient`, `createClientPool`, `createSentinel` or `createCluster`, or further options for
   * `createClient`: TLS, credentials. This engine sets reconnecting, timeouts and queueing itself.
   */
  readonly client?: RedisClientOptions | AnyRedisClient
  /** The options of `createSentinel`: connects to the primary that the sentinels name, also after a failover. */
  readonly sentinel?: RedisSentinelOptions
  /**
   * The options of `createCluster`. From Redis 7 on, messages go by sharded pub/sub. `sharded: false` turns that off. All
   * nodes must have the same setting, because the two kinds of channels are separate.
   */
  readonly cluster?: RedisClusterOptions & { readonly sharded?: boolean }
}

/**
 * Connects to Redis as the bus: to one server, to the first of several, to the primary that sentinels name, or to a
 * cluster.
 *
 * It pings every connection each second. A server that does not answer within 3 s counts as gone, so a suspended server and
 * a half-open connection are noticed after at most 4 s. After the first connection it reconnects for ever: after at most
 * 50 ms, then after up to twice as long each time, at most 2 s, with jitter. Each time it looks for the primary again.
 * Messages that are published while the engine is disconnected are dropped.
 *
 * @throws ConfigError when the package `redis` is not installed, or when the options do not say which servers to use
 * @throws RollcallError `engine_unreachable` when the first connection fails, or when the server refuses the subscription
 * to this node's own channel, which carries the messages that are sent to this node only
 */
export async function redis(at: string | RedisOptions | AnyRedisClient = {}): Promise<PubSub> {
  const { options, connect } = await redisServersOf(at, Math.random)
  const timing = pingTimingOf(options)
  const { createClient } = await loadOptionalPeer("This engine needs", "redis", () => import("redis"))
  const engine = new RedisEngine({
    pubsub: options,
    createClient,
    connect,
    timers: systemTimers,
    random: Math.random,
    ...timing,
  })
  try {
    await engine.open()
  } catch (cause) {
    await engine.pubsub.close()
    throw engineUnreachable("Redis", cause)
  }
  return engine.pubsub
}

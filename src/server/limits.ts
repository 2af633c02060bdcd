import { ConfigError } from "../error.ts"

/** The limits of what one client may use, and the pace of a shutdown. Times are in milliseconds, sizes in bytes. */
export interface Limits {
  /** Channels of one connection. A further join is refused with `too many channels joined`. Default 100. */
  readonly maxChannels: number
  /** Characters of a topic, and of a join's reference. A longer one is refused with `topic too long`. Default 1024. */
  readonly maxTopicLength: number
  /**
   * Frames from a client, and broadcasts for `out` handlers, that wait for a slow join or handler of one connection. While more
   * wait, or messages of more than `maxFrameBytes` together, nothing is read from the connection. Default 1000.
   */
  readonly pauseAboveQueuedFrames: number
  /**
   * The same, for connections that cannot be slowed down: those with many broadcasts for `out` handlers, and those of a
   * transport of your own. One more closes the connection with 1008. Default 10 000.
   */
  readonly maxQueuedFrames: number
  /** Size of one frame from a client. A larger one closes the connection with 1009. Default 1 MiB. */
  readonly maxFrameBytes: number
  /**
   * Size of the messages that wait to be sent to a client that does not read. Once more than this waits, the next message
   * closes the connection with 1013. Default 8 MiB.
   *
   * A single message may be larger than this, since the state of a large room may be.
   */
  readonly maxBufferedBytes: number
  /**
   * Size of the posts of long-poll clients that are being read or wait to be handled, of all clients together. Beyond it, the
   * largest of those that are being read is refused, and its client connects again. Default 64 MiB.
   */
  readonly maxBufferedPostBytes: number
  /** Frames from one connection within a second. While it sends more, nothing is read from it. Default 5000. */
  readonly pauseAboveFramesPerSecond: number
  /**
   * The same, for connections of a transport that goes on reading. One more closes the connection with 1008. Default 10 000.
   */
  readonly maxFramesPerSecond: number
  /** Joins from one connection within a second. One more is refused with `too many joins`. Default 500. */
  readonly maxJoinsPerSecond: number
  /**
   * Connections from one address; IPv6 addresses count by their first 64 bits, which one subscriber owns. One more is
   * refused with HTTP 429. Default `Infinity`, since all clients behind a proxy may have the proxy's address.
   */
  readonly maxConnectionsPerAddress: number
  /** Size of one meta as JSON. A larger one is refused with `meta_too_large`. Default 8 KiB. */
  readonly maxMetaBytes: number
  /** Characters of a presence key. A longer one is refused with `key_too_long`. Default 256. */
  readonly maxKeyLength: number
  /** Keys under which one channel is tracked. One more is refused with `too_many_keys`. Default 100. */
  readonly maxKeysPerChannel: number
  /** Metas under one key of a topic. One more is refused with `too_many_metas`. Default 10 000. */
  readonly maxMetasPerKey: number
  /**
   * Presences of lost connections that this node keeps because of `presenceGraceMs`. The presences of further ones end at once.
   * Default 10 000.
   */
  readonly maxKeptPresences: number
  /**
   * Presence updates of one channel within a second that `handleUpdate` applies. Further ones are merged, and the latest value
   * of each field is applied later. Default 20: enough for a movement that people see. Each update goes to all clients of the topic.
   */
  readonly maxUpdatesPerSecond: number
  /** Time that a handler may take. A handler that takes longer counts as crashed. Default 30 s. */
  readonly handlerTimeoutMs: number
  /** Time that `fetch` may delay a diff. After it, the diff is sent without the fetched data. Default 5 s. */
  readonly fetchTimeoutMs: number
  /** Time for the bus to confirm a topic. After it, the join is refused with `subscribe timeout`. Default 5 s. */
  readonly subscribeTimeoutMs: number
  /** Time from the first byte of a handshake to its answer. After it, the handshake fails. Default 10 s. */
  readonly handshakeTimeoutMs: number
  /**
   * Time without a frame from the client. After half of it, a WebSocket client gets a ping, which browsers answer by themselves.
   * After all of it, the connection is closed with 1002 (P5). Default 60 s.
   */
  readonly idleTimeoutMs: number
  /**
   * Time that a long poll waits for a message. A session without a poll for 1.5 times as long ends (P24). Default 10 s.
   */
  readonly longPollWindowMs: number
  /**
   * Connections that a shutdown closes at once, every `drainIntervalMs` (P18). Default 250.
   *
   * Choose as many as one other node can accept within the interval. A server with fewer connections closes them all at
   * once.
   */
  readonly drainBatch: number
  /** Time between two batches of a shutdown. Default 100 ms. */
  readonly drainIntervalMs: number
  /** Time after which a shutdown closes all connections that are left. Default 30 s. */
  readonly drainTimeoutMs: number
}

/** The limits of a server without options. */
export const DEFAULT_LIMITS: Limits = {
  maxChannels: 100,
  maxTopicLength: 1_024,
  pauseAboveQueuedFrames: 1_000,
  maxQueuedFrames: 10_000,
  maxFrameBytes: 1_048_576,
  maxBufferedBytes: 8_388_608,
  maxBufferedPostBytes: 67_108_864,
  pauseAboveFramesPerSecond: 5_000,
  maxFramesPerSecond: 10_000,
  maxJoinsPerSecond: 500,
  maxConnectionsPerAddress: Infinity,
  maxMetaBytes: 8_192,
  maxKeyLength: 256,
  maxKeysPerChannel: 100,
  maxMetasPerKey: 10_000,
  maxKeptPresences: 10_000,
  maxUpdatesPerSecond: 20,
  handlerTimeoutMs: 30_000,
  fetchTimeoutMs: 5_000,
  subscribeTimeoutMs: 5_000,
  handshakeTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  longPollWindowMs: 10_000,
  drainBatch: 250,
  drainIntervalMs: 100,
  drainTimeoutMs: 30_000,
}

/** The longest time that Node's timers can wait, in ms: about 24 days. A timer with a longer time fires at once. */
export const MAX_MS = 2_147_483_647

/**
 * Returns the limits, with a default for each that is not given.
 * @throws ConfigError for a limit that is not a number above 0, a number or size below 1, or a time of more than 24 days
 */
export function limitsOf(options: Partial<Limits>): Limits {
  const limits: Record<keyof Limits, number> = { ...DEFAULT_LIMITS }
  for (const name of Object.keys(DEFAULT_LIMITS) as (keyof Limits)[]) {
    const value = options[name] ?? DEFAULT_LIMITS[name]
    if (!isLimit(value)) throw new ConfigError(`expected ${name} to be a number above 0, got ${inspect(value)}`)
    const isTime = name.endsWith("Ms")
    // Less than one of something is none: with half an update per second, no update would ever be applied.
    if (!isTime && value < 1) throw new ConfigError(`expected ${name} to be 1 or more, got ${value}`)
    if (isTime && value > MAX_MS) {
      throw new ConfigError(`expected ${name} to be at most ${MAX_MS} ms, got ${value}`)
    }
    limits[name] = value
  }
  return limits
}

/** Returns a value that is no option, for the message of an error. */
export const inspect = (value: unknown): string => (typeof value === "string" ? JSON.stringify(value) : String(value))

const isLimit = (value: unknown): boolean => typeof value === "number" && value > 0

import { ConfigError } from "../error.ts"

/** How much one client may ask for, and how fast all are let go of. Times in ms, sizes in bytes. */
export interface Limits {
  /** Channels joined over one connection; one more is refused with `too many channels joined`. */
  readonly maxChannels: number
  /** Characters of a topic, and of the reference of a join to it; a longer one is refused with `topic too long`. */
  readonly maxTopicLength: number
  /** Frames, and broadcasts for `out` handlers, that wait behind a slow join or handler; one more closes the connection with 1008. */
  readonly maxQueuedFrames: number
  /** One frame from a client; a larger one closes the connection with 1009. */
  readonly maxFrameBytes: number
  /**
   * What may wait for a client that does not read; when more waits already, the next message closes the connection with 1013.
   * A single message may be larger: the state of a large room is.
   */
  readonly maxBufferedBytes: number
  /** Frames in one second over one connection; one more closes it with 1008. */
  readonly maxFramesPerSecond: number
  /** Joins in one second over one connection; one more is refused with `too many joins`. */
  readonly maxJoinsPerSecond: number
  /**
   * Connections from one address; one more is refused with HTTP 429. `Infinity` by default: behind a proxy, all come from
   * one.
   */
  readonly maxConnectionsPerAddress: number
  /** The JSON of one meta; a larger one is refused with `meta_too_large`. */
  readonly maxMetaBytes: number
  /** Metas under one key of a topic; one more is refused with `too_many_metas`. */
  readonly maxMetasPerKey: number
  /** A handler that takes longer has crashed. */
  readonly handlerTimeoutMs: number
  /** How long a fetch may hold up its diff. */
  readonly fetchTimeoutMs: number
  /** How long the bus may take to confirm a topic; the join is then refused with `subscribe timeout`. */
  readonly subscribeTimeoutMs: number
  /** From the first byte of a handshake to its answer. */
  readonly handshakeTimeoutMs: number
  /** Without a frame from the client for as long, the connection is closed with 1002 (P5). */
  readonly idleTimeoutMs: number
  /** How long a long poll waits for a message; a session that is not polled for half as much again is over (P24). */
  readonly longPollWindowMs: number
  /**
   * How many connections a server that closes ends at once, every `drainIntervalMs` (P18): as many as one other node
   * can take in in that time, and fewer than may wait to be taken in. A small server is so done in one go.
   */
  readonly drainBatch: number
  readonly drainIntervalMs: number
  /** After as long all that are left are ended, however many. */
  readonly drainTimeoutMs: number
}

const DEFAULTS: Limits = {
  maxChannels: 100,
  maxTopicLength: 1_024,
  maxQueuedFrames: 1_000,
  maxFrameBytes: 1_048_576,
  maxBufferedBytes: 8_388_608,
  maxFramesPerSecond: 5_000,
  maxJoinsPerSecond: 500,
  maxConnectionsPerAddress: Infinity,
  maxMetaBytes: 8_192,
  maxMetasPerKey: 10_000,
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

/** The longest time that a timer can be set to, in ms: some 24 days. With more, Node's fires at once. */
const MAX_MS = 2_147_483_647

/** The limits with their defaults. @throws ConfigError for one that is no number above 0, or a time of more than 24 days */
export function limitsOf(options: Partial<Limits>): Limits {
  const given = Object.entries(DEFAULTS).map(([name, standard]) => {
    const value = options[name as keyof Limits] ?? standard
    if (!isLimit(value)) throw new ConfigError(`expected ${name} to be a number above 0, got ${inspect(value)}`)
    if (name.endsWith("Ms") && value > MAX_MS) {
      throw new ConfigError(`expected ${name} to be at most ${MAX_MS} ms, got ${value}`)
    }
    return [name, value]
  })
  return Object.fromEntries(given) as unknown as Limits
}

const inspect = (value: unknown): string => (typeof value === "string" ? JSON.stringify(value) : String(value))

const isLimit = (value: unknown): boolean => typeof value === "number" && value > 0

/** How long changes may be gathered. @throws ConfigError for what is neither `false` nor a time from 0 ms to 24 days */
export function windowOf(windowMs: number | false = 0): number | false {
  if (windowMs === false || (typeof windowMs === "number" && windowMs >= 0 && windowMs <= MAX_MS)) return windowMs
  throw new ConfigError(`expected presenceWindowMs to be false or a time of 0 to ${MAX_MS} ms, got ${windowMs}`)
}

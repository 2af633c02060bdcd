import type { Timers } from "../../timers.ts"
import type { StandardSchema } from "../../standard-schema.ts"
import { RateLimiter } from "../rate-limit.ts"

/** The services that held updates use. */
export interface HeldUpdatesOptions {
  readonly timers: Timers
  /** How many updates of one channel are applied within a second. */
  readonly maxUpdatesPerSecond: number
  /** Applies held updates to a channel's meta. Must not throw. */
  apply(channel: UpdatedChannel, key: string, change: MetaChange): void
}

/** Fields that a client sets of its meta, and the schema of the whole meta. */
export interface MetaChange {
  readonly fields: object
  readonly metaSchema: StandardSchema<unknown, object> | undefined
}

/** The channel whose client sends updates. */
export interface UpdatedChannel {
  readonly topic: string
  readonly pid: string
  readonly ended?: boolean
}

interface ChannelUpdates {
  readonly rate: RateLimiter
  /** Key → its held updates in one, with the latest value of each field. */
  readonly held: Map<string, MetaChange>
  timer: unknown
}

/**
 * The updates of clients that send more than `maxUpdatesPerSecond`. Each update goes to all clients of a topic and to all nodes.
 * So those beyond the limit are held and merged, and what is then the latest is applied as soon as the limit allows it.
 */
export class HeldUpdates {
  readonly #options: HeldUpdatesOptions
  readonly #channels = new WeakMap<object, ChannelUpdates>()

  constructor(options: HeldUpdatesOptions) {
    this.#options = options
  }

  /** Counts an update of a channel. Returns whether it must be held. */
  mustHold(channel: UpdatedChannel): boolean {
    const { timers, maxUpdatesPerSecond } = this.#options
    const updates = this.#channels.get(channel) ?? { rate: new RateLimiter(), held: new Map(), timer: undefined }
    this.#channels.set(channel, updates)
    return updates.held.size > 0 || updates.rate.exceeds(maxUpdatesPerSecond, timers.now())
  }

  /** Returns the fields that are held for a key, `{}` if there are none. */
  fields(channel: UpdatedChannel, key: string): object {
    return this.#channels.get(channel)?.held.get(key)?.fields ?? {}
  }

  /** Holds a change for a key, in the place of the one held before. */
  hold(channel: UpdatedChannel, key: string, change: MetaChange): void {
    const updates = this.#channels.get(channel)
    if (updates === undefined) return
    updates.held.set(key, change)
    updates.timer ??= this.#setTimer(channel, updates)
  }

  /** Drops what is held for a key, or for all keys of a channel. */
  drop(channel: object, key?: string): void {
    const held = this.#channels.get(channel)?.held
    if (key === undefined) held?.clear()
    else held?.delete(key)
  }

  #setTimer(channel: UpdatedChannel, updates: ChannelUpdates): unknown {
    const { timers, maxUpdatesPerSecond } = this.#options
    return timers.set(() => this.#apply(channel, updates), updates.rate.msUntilBelow(maxUpdatesPerSecond, timers.now()))
  }

  #apply(channel: UpdatedChannel, updates: ChannelUpdates): void {
    const { timers, maxUpdatesPerSecond, apply } = this.#options
    updates.timer = undefined
    if (channel.ended === true) updates.held.clear()
    for (const [key, change] of updates.held) {
      if (updates.rate.exceeds(maxUpdatesPerSecond, timers.now())) break
      updates.held.delete(key)
      apply(channel, key, change)
    }
    if (updates.held.size > 0) updates.timer ??= this.#setTimer(channel, updates)
  }
}

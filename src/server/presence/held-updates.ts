import type { Timers } from "../../timers.ts"
import type { StandardSchema } from "../../standard-schema.ts"
import { RateLimiter } from "../rate-limit.ts"

/** The services that held updates use. */
export interface HeldUpdatesOptions {
  readonly timers: Timers
  /** How many updates of one channel are applied within a second. */
  readonly maxUpdatesPerSecond: number
  /** Applies a held change to a channel's meta. Must not throw. */
  apply(channel: UpdatedChannel, key: string, change: MetaChange): void
}

/** The channel whose client sends updates. */
export interface UpdatedChannel {
  readonly topic: string
  readonly pid: string
}

/** A change that a client makes of its meta. */
export interface MetaChange {
  /** The latest value of each field. */
  readonly fields: object
  /** Whether these are all fields of the new meta. If not, the other fields of the present meta stay. */
  readonly isWhole?: boolean
  /** The schema of the whole meta. */
  readonly metaSchema?: StandardSchema<unknown, object> | undefined
}

const NOTHING: MetaChange = { fields: {} }

type Pid = Pick<UpdatedChannel, "pid">

interface ChannelUpdates {
  readonly rate: RateLimiter
  /** Key → what is held for it. */
  readonly held: Map<string, MetaChange>
  timer: unknown
}

/**
 * The updates of clients that send more than `maxUpdatesPerSecond`. Each update goes to all clients of a topic and to all nodes.
 * So those beyond the limit are held and merged, and what is then the latest is applied as soon as the limit allows it.
 */
export class HeldUpdates {
  readonly #options: HeldUpdatesOptions
  /** By the pid, since an application may update or untrack a presence without the channel's object. */
  readonly #channels = new Map<string, ChannelUpdates>()

  constructor(options: HeldUpdatesOptions) {
    this.#options = options
  }

  /** Counts an update of a channel. Returns whether it must be held. */
  mustHold(channel: UpdatedChannel): boolean {
    const { timers, maxUpdatesPerSecond } = this.#options
    const updates = this.#channels.get(channel.pid) ?? { rate: new RateLimiter(), held: new Map(), timer: undefined }
    this.#channels.set(channel.pid, updates)
    return updates.held.size > 0 || updates.rate.exceeds(maxUpdatesPerSecond, timers.now())
  }

  /** Returns what is held for a key; a change without fields if nothing is. */
  change(channel: Pid, key: string): MetaChange {
    return this.#channels.get(channel.pid)?.held.get(key) ?? NOTHING
  }

  /** Holds a change for a key, in the place of what was held before. */
  hold(channel: UpdatedChannel, key: string, change: MetaChange): void {
    const updates = this.#channels.get(channel.pid)
    if (updates === undefined) return
    updates.held.set(key, change)
    updates.timer ??= this.#setTimer(channel, updates)
  }

  /** Drops what is held for a key, or everything about a channel. */
  drop({ pid }: Pid, key?: string): void {
    const updates = this.#channels.get(pid)
    if (key !== undefined) updates?.held.delete(key)
    else if (updates !== undefined) {
      this.#options.timers.clear(updates.timer)
      this.#channels.delete(pid)
    }
  }

  #setTimer(channel: UpdatedChannel, updates: ChannelUpdates): unknown {
    const { timers, maxUpdatesPerSecond } = this.#options
    return timers.set(() => this.#apply(channel, updates), updates.rate.msUntilBelow(maxUpdatesPerSecond, timers.now()))
  }

  #apply(channel: UpdatedChannel, updates: ChannelUpdates): void {
    const { timers, maxUpdatesPerSecond, apply } = this.#options
    updates.timer = undefined
    for (const [key, change] of updates.held) {
      if (updates.rate.exceeds(maxUpdatesPerSecond, timers.now())) break
      updates.held.delete(key)
      apply(channel, key, change)
    }
    if (updates.held.size > 0) updates.timer ??= this.#setTimer(channel, updates)
  }
}

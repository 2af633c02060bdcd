import type { Timers } from "../../timers.ts"
import { MAX_COUNTED_VALUES, PRESENCE_COUNT } from "../../wire/introduction.ts"
import type { PresenceCount } from "../../wire/introduction.ts"
import { Payload } from "../../wire/payload.ts"
import { Fastlane } from "../channel/fastlane.ts"
import type { CountReceiver } from "../channel/server-context.ts"
import type { PresenceWindow } from "../presence-window.ts"

/** The services that counts use. */
export interface CountsOptions {
  readonly timers: Timers
  /** Returns how long the changes of a topic are collected for one count. */
  readonly windowOf: PresenceWindow
  /** Returns the number of users of a topic, at a cost that does not depend on it. */
  sizeOf(topic: string): number
  /** Returns the number of users for each value of a field. */
  countBy(topic: string, field: string): ReadonlyMap<string, number>
}

/** The receivers of one count: of a topic's users, by one field or by none. */
interface Lane {
  readonly receivers: Fastlane
  /** What was sent last. */
  payload: Payload
}

interface Counted {
  readonly lanes: Map<string, Lane>
  timer?: unknown
  isDue: boolean
}

/**
 * By how many fields the users of one topic are counted. Each field costs a pass over all users in each window, and clients choose
 * it: a client that asks for one more gets the total.
 */
const MAX_FIELDS = 8

/**
 * Sends the number of a topic's users to the channels that asked for it, at most once in each window of the topic. So the cost does
 * not depend on how many join and leave.
 */
export class Counts {
  readonly #options: CountsOptions
  readonly #topics = new Map<string, Counted>()
  /** Channel → the receivers that it is among. */
  readonly #lanes = new WeakMap<CountReceiver, string>()

  constructor(options: CountsOptions) {
    this.#options = options
  }

  /**
   * Adds a channel, and returns the present count. Within a window, it is the one that the others have been sent.
   * @param field by whose values to count; `""` for the total alone
   */
  add(receiver: CountReceiver, field: string): Payload {
    const { topic } = receiver
    const { lanes } = this.#topics.get(topic) ?? this.#start(topic)
    const name = this.#lanes.get(receiver) ?? (lanes.has(field) || lanes.size < MAX_FIELDS ? field : "")
    const lane = lanes.get(name) ?? { receivers: new Fastlane(), payload: this.#count(topic, name) }
    lanes.set(name, lane)
    if (!this.#lanes.has(receiver)) lane.receivers.add(topic, receiver)
    this.#lanes.set(receiver, name)
    return lane.payload
  }

  /** Removes a channel. Does nothing if it was not added. */
  remove(receiver: CountReceiver): void {
    const { topic } = receiver
    const name = this.#lanes.get(receiver)
    const counted = this.#topics.get(topic)
    const lane = name === undefined ? undefined : counted?.lanes.get(name)
    if (name === undefined || counted === undefined || lane === undefined) return
    this.#lanes.delete(receiver)
    lane.receivers.remove(topic, receiver)
    if (lane.receivers.channels === 0) counted.lanes.delete(name)
    if (counted.lanes.size > 0) return
    const { timers, windowOf } = this.#options
    timers.clear(counted.timer)
    windowOf(topic, 0)
    this.#topics.delete(topic)
  }

  /** The users of a topic have changed. */
  changed(topic: string): void {
    const counted = this.#topics.get(topic)
    if (counted === undefined || counted.isDue) return
    const { timers, windowOf, sizeOf } = this.#options
    counted.isDue = true
    const ms = windowOf(topic, sizeOf(topic))
    const send = (): void => this.#send(topic, counted)
    if (ms === 0) timers.soon(send)
    else counted.timer = timers.set(send, ms)
  }

  /** Sends all counts that wait for the end of their windows, and clears the timers. */
  flush(): void {
    for (const [topic, counted] of this.#topics) {
      this.#options.timers.clear(counted.timer)
      this.#send(topic, counted)
    }
  }

  #start(topic: string): Counted {
    const counted: Counted = { lanes: new Map(), isDue: false }
    this.#topics.set(topic, counted)
    return counted
  }

  #send(topic: string, counted: Counted): void {
    // `flush` may have sent it, or the last channel may have left.
    if (!counted.isDue || this.#topics.get(topic) !== counted) return
    counted.isDue = false
    for (const [field, lane] of counted.lanes) {
      const payload = this.#count(topic, field)
      if (payload.json === lane.payload.json) continue
      lane.payload = payload
      lane.receivers.broadcastOrFail(topic, PRESENCE_COUNT, payload, sendsToAll)
    }
  }

  #count(topic: string, field: string): Payload {
    const { sizeOf, countBy } = this.#options
    const total = sizeOf(topic)
    return Payload.plain(
      (field === "" ? { total } : { total, by: mostFrequent(countBy(topic, field)) }) satisfies PresenceCount,
    )
  }
}

const sendsToAll = (): boolean => false

/** Returns the counts of the most frequent values, in an object without a prototype, since a value may be `__proto__`. */
function mostFrequent(counts: ReadonlyMap<string, number>): Record<string, number> {
  const sorted = [...counts].sort(([, one], [, other]) => other - one)
  const by = Object.create(null) as Record<string, number>
  for (const [value, count] of sorted.slice(0, MAX_COUNTED_VALUES)) by[value] = count
  return by
}

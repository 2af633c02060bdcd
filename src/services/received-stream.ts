import type { Timers } from "../timers.ts"
import { instanceGone, streamGap, unreadable } from "./errors.ts"
import type { Stream } from "./guarded-stream.ts"
import type { StreamMessage } from "./messages.ts"

/** How often the caller shows that it lives, in ms. */
const PING_MS = 2_000
/** How long a stream may be silent, in ms. Its node answers each ping, even if the handler has no items. */
const SILENCE_MS = 10_000

/** What a received stream needs. */
export interface ReceivedStreamOptions {
  /** The name of the call, and the id of the instance, for errors. */
  readonly call: string
  readonly instance: string
  readonly window: number
  readonly timers: Timers
  readonly decode: (message: Extract<StreamMessage, { kind: "item" | "end" }>) => unknown
  readonly errorOf: (message: Extract<StreamMessage, { kind: "failure" }>) => unknown
  /** Notifies the instance that all items up to `q` may be sent. */
  readonly allow: (q: number) => void
  /** Notifies the instance that the caller has taken enough. */
  readonly abort: () => void
  /** Called once, when the stream is over. */
  readonly ended: () => void
}

type Outcome = { readonly value: unknown } | { readonly error: unknown }

/**
 * A stream that comes over the bus. Doubled items are dropped; a lost one ends the stream with `stream_gap`, since the
 * bus keeps the order of what it does not lose.
 */
export class ReceivedStream {
  readonly #options: ReceivedStreamOptions
  readonly #items: unknown[] = []
  readonly #waiting: (() => void)[] = []
  #received = 0
  #taken = 0
  #allowed: number
  #outcome: Outcome | undefined
  #ping: unknown
  #lastHeard: number

  /** What the caller gets. */
  readonly stream: Stream = {
    next: () => this.#next(),
    return: async (value) => {
      this.#stop({ value: undefined })
      return { done: true, value: await value }
    },
    [Symbol.asyncIterator]: () => this.stream,
  }

  constructor(options: ReceivedStreamOptions) {
    this.#options = options
    this.#allowed = options.window
    this.#lastHeard = options.timers.now()
    this.#schedulePing()
  }

  /** Takes a message of the instance. */
  receive(message: StreamMessage): void {
    if (this.#outcome !== undefined) return
    const { call, instance, timers, decode, errorOf } = this.#options
    this.#lastHeard = timers.now()
    if (message.kind === "unknown") return this.#stop({ error: instanceGone(`the stream of ${call}`, instance) })
    const { kind, q } = message
    const expected = kind === "item" ? this.#received + 1 : this.#received
    if (q > expected) return this.#stop({ error: streamGap(call, this.#received + 1, kind === "item" ? q : q + 1) })
    if (q < expected) return
    try {
      if (kind === "item") this.#push(decode(message))
      else if (kind === "end") this.#finish({ value: decode(message) })
      else if (kind === "failure") this.#finish({ error: errorOf(message) })
    } catch {
      this.#stop({ error: unreadable(call) })
    }
  }

  /** Ends the stream with an error, after the items that have come. */
  fail(error: unknown): void {
    this.#stop({ error })
  }

  #push(value: unknown): void {
    this.#received += 1
    this.#items.push(value)
    this.#waiting.shift()?.()
  }

  async #next(): Promise<IteratorResult<unknown, unknown>> {
    while (this.#items.length === 0 && this.#outcome === undefined) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    if (this.#items.length > 0) {
      const value = this.#items.shift()
      this.#taken += 1
      this.#refill()
      return { done: false, value }
    }
    const outcome = this.#outcome!
    // The outcome is given once, as by a generator.
    this.#outcome = { value: undefined }
    if ("error" in outcome) throw outcome.error
    return { done: true, value: outcome.value }
  }

  /** Allows more items once half of the window is taken, so that not every item costs a message. */
  #refill(): void {
    const { window, allow } = this.#options
    if (this.#outcome !== undefined || this.#taken + window - this.#allowed < window / 2) return
    this.#allowed = this.#taken + window
    allow(this.#allowed)
  }

  #schedulePing(): void {
    const { timers, call, instance, allow } = this.#options
    this.#ping = timers.set(() => {
      if (timers.now() - this.#lastHeard > SILENCE_MS) {
        return this.#stop({ error: instanceGone(`the stream of ${call}`, instance) })
      }
      this.#schedulePing()
      allow(this.#allowed)
    }, PING_MS)
  }

  /** Ends the stream on this side, and notifies the instance. */
  #stop(outcome: Outcome): void {
    if (this.#outcome !== undefined) return
    if (!("error" in outcome)) this.#items.length = 0
    this.#finish(outcome)
    this.#options.abort()
  }

  #finish(outcome: Outcome): void {
    this.#outcome = outcome
    this.#options.timers.clear(this.#ping)
    this.#options.ended()
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

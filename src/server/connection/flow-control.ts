import type { Message } from "../../wire/message.ts"
import type { ServerContext } from "../channel/server-context.ts"
import { RateLimiter } from "../rate-limit.ts"

/** The size from which on the size of a waiting message counts, in characters or bytes. Of smaller ones, the number counts. */
const LARGE = 4_096

/**
 * Decides when nothing more is read from a connection: while too many of its messages wait, and while it sends too fast. What a
 * client sends meanwhile stays in the buffers of the network, so that a burst, as after an outage, is delayed and not lost.
 *
 * Messages that are already read are handled as usual. A connection that exceeds the larger limits is closed, because its
 * transport does not stop reading.
 */
export class FlowControl {
  readonly #context: ServerContext
  readonly #rate = new RateLimiter()
  /** The lengths of large messages. Most connections get none, and an empty map takes 145 bytes. */
  #lengths: WeakMap<Message, number> | undefined
  #queued = 0
  #queuedLength = 0
  #timer: unknown
  #pause: { readonly over: Promise<void>; end(): void } | undefined

  constructor(context: ServerContext) {
    this.#context = context
  }

  /** Set while nothing more should be read; resolves when it should be read again. */
  get paused(): Promise<void> | undefined {
    return this.#pause?.over
  }

  /** Counts a frame from the client. Returns `false` if it comes too fast even for a connection that is not read from. */
  receive(): boolean {
    const { limits, timers } = this.#context
    const now = timers.now()
    if (this.#rate.exceeds(limits.maxFramesPerSecond, now)) return false
    if (this.#timer === undefined && this.#rate.msUntilBelow(limits.pauseAboveFramesPerSecond, now) > 0)
      this.#waitForRate()
    return true
  }

  /** Remembers the length of a message, in characters or bytes, for `queue`. */
  measure(message: Message, length: number): void {
    if (length < LARGE) return
    this.#lengths ??= new WeakMap()
    this.#lengths.set(message, length)
  }

  /**
   * Counts a message, or a broadcast for an `out` handler, that begins or ends to wait. Returns `false` if too many wait even for
   * a connection that is not read from.
   */
  queue(by: 1 | -1, message: Message | undefined): boolean {
    const { pauseAboveQueuedFrames, maxQueuedFrames } = this.#context.limits
    this.#queued += by
    if (message !== undefined && this.#lengths !== undefined)
      this.#queuedLength += by * (this.#lengths.get(message) ?? 0)
    if (by === -1) this.#resume()
    else if (this.#isAbove(pauseAboveQueuedFrames)) this.#begin()
    return this.#queued <= maxQueuedFrames
  }

  /** Ends the pause of a connection that has ended. */
  end(): void {
    this.#context.timers.clear(this.#timer)
    this.#timer = undefined
    this.#pause?.end()
    this.#pause = undefined
  }

  #isAbove(frames: number): boolean {
    return this.#queued > frames || this.#queuedLength > this.#context.limits.maxFrameBytes
  }

  #waitForRate(): void {
    const { limits, timers } = this.#context
    const delay = this.#rate.msUntilBelow(limits.pauseAboveFramesPerSecond, timers.now())
    this.#timer = delay > 0 ? timers.set(() => this.#waitForRate(), delay) : undefined
    if (delay > 0) this.#begin()
    else this.#resume()
  }

  #begin(): void {
    if (this.#pause !== undefined) return
    this.#context.count("pauses")
    let end = nothing
    const over = new Promise<void>((resolve) => (end = resolve))
    this.#pause = { over, end }
  }

  /** Ends the pause if the rate is low again, and only half as many messages wait: so it does not end for each message. */
  #resume(): void {
    if (this.#pause === undefined || this.#timer !== undefined) return
    if (!this.#isAbove(this.#context.limits.pauseAboveQueuedFrames / 2)) this.end()
  }
}

function nothing(): void {
  // The promise's own `resolve` replaces this at once.
}

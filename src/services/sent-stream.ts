import type { Timers } from "../timers.ts"
import type { StreamMessage } from "./messages.ts"

/**
 * After how many items the stream lets other work of the node run. Without that, a handler that makes items without waiting
 * would block the node for as long as its caller allows more: for ever, with a credit of 2 ** 53.
 */
const BURST = 256

/** How long a stream goes on without a sign of its caller, in ms. */
const CALLER_SILENCE_MS = 15_000

/** What a sent stream needs. */
export interface SentStreamOptions {
  readonly source: AsyncIterator<unknown>
  readonly n: number
  /** The number of items that may be sent at first. */
  readonly credit: number
  readonly timers: Timers
  /** Sends a message, or throws. */
  readonly send: (message: StreamMessage) => void
  /** Sends a message, if that is possible. */
  readonly trySend: (message: StreamMessage) => void
  /** Returns the message for an item or for the end of the stream. */
  readonly encode: (kind: "item" | "end", q: number, value: unknown) => StreamMessage
  readonly failure: (q: number, error: unknown) => StreamMessage
  /** Called once, when the stream has ended for any reason. */
  readonly ended: () => void
}

/**
 * The answer of a handler that is a stream, on its way to the caller. Items are numbered, and at most as many are made as the
 * caller has asked for: without that, a caller that takes one item lets the handler make millions.
 */
export class SentStream {
  readonly #options: SentStreamOptions
  #credit: number
  #sent = 0
  #isOver = false
  #resume: (() => void) | undefined
  #silence: unknown

  constructor(options: SentStreamOptions) {
    this.#options = options
    this.#credit = options.credit
    this.#arrived()
    void this.#run()
  }

  /** Allows all items up to `q`, and answers how many were sent. */
  allow(q: number): void {
    if (this.#isOver) return
    this.#arrived()
    this.#options.trySend({ kind: "at", n: this.#options.n, q: this.#sent })
    // Credit is absolute, so that a doubled or a late message changes nothing.
    if (q <= this.#credit) return
    this.#credit = q
    this.#resume?.()
  }

  /** Stops the stream without a message: its caller has given up, or is gone. */
  stop(): void {
    if (this.#isOver) return
    this.#end()
    Promise.resolve(this.#options.source.return?.()).catch(() => undefined)
  }

  async #run(): Promise<void> {
    const { source, timers, send, trySend, encode, failure } = this.#options
    try {
      for (;;) {
        if (this.#sent >= this.#credit) await new Promise<void>((resolve) => (this.#resume = resolve))
        if (this.#isOver) return
        const result: IteratorResult<unknown, unknown> = await source.next()
        if (this.#isOver) return
        if (result.done === true) {
          send(encode("end", this.#sent, result.value))
          return this.#end()
        }
        send(encode("item", this.#sent + 1, result.value))
        this.#sent += 1
        if (this.#sent % BURST === 0) await new Promise<void>((resolve) => timers.soon(resolve))
      }
    } catch (error) {
      if (this.#isOver) return
      this.stop()
      trySend(failure(this.#sent, error))
    }
  }

  #end(): void {
    this.#isOver = true
    this.#options.timers.clear(this.#silence)
    this.#resume?.()
    this.#options.ended()
  }

  #arrived(): void {
    const { timers } = this.#options
    timers.clear(this.#silence)
    this.#silence = timers.set(() => this.stop(), CALLER_SILENCE_MS)
  }
}

import { ConfigError } from "../error.ts"
import type { Timers } from "../timers.ts"
import { shownNumber } from "./shown.ts"

/** The longest time that a timer can wait, in ms: about 24 days. */
export const MAX_MS = 2_147_483_647

/**
 * What calls need of an `AbortSignal`. A signal of the platform takes 5 µs to make, and as much again to collect, so calls
 * use a lighter one between the layers; only handlers get one of the platform.
 */
export interface Abortable {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: "abort", listener: () => void, options?: { readonly once?: boolean }): void
  removeEventListener(type: "abort", listener: () => void): void
}

/** What ends a call early: its deadline, the abort of its caller, or the end of its instance. */
export interface Cancellation {
  /** Aborts with the reason, which is the error that the caller gets. */
  readonly signal: Abortable
  /** Returns a signal of the platform that aborts with `signal`, for a handler. */
  platformSignal(): AbortSignal
  /** Returns the time until the deadline, in ms; `Infinity` after `keepOpen`. */
  remainingMs(): number
  abort(reason: unknown): void
  /** Removes the deadline: a stream that has started may last. */
  keepOpen(): void
  /** Forgets the deadline and the parent. */
  end(): void
}

/** What a cancellation needs. */
export interface CancellationOptions {
  readonly timers: Timers
  /** The time until the deadline. */
  readonly ms: number
  /** Returns the error for a deadline that has passed. */
  readonly expired: () => unknown
  /** Its abort is passed on, with its reason. */
  readonly parent?: Abortable | undefined
}

/** Starts the time of a call. Call `end` when the call is over. */
export function cancellation(options: CancellationOptions): Cancellation {
  return new CallCancellation(options)
}

class LightSignal implements Abortable {
  aborted = false
  reason: unknown
  readonly #listeners: (() => void)[] = []

  addEventListener(_: "abort", listener: () => void): void {
    if (!this.aborted) this.#listeners.push(listener)
  }

  removeEventListener(_: "abort", listener: () => void): void {
    const index = this.#listeners.lastIndexOf(listener)
    if (index !== -1) this.#listeners.splice(index, 1)
  }

  abort(reason: unknown): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason ?? new DOMException("This operation was aborted", "AbortError")
    for (const listener of this.#listeners.splice(0)) listener()
  }
}

class CallCancellation implements Cancellation {
  readonly signal = new LightSignal()
  readonly #options: CancellationOptions
  readonly #deadline: number
  readonly #inherit: (() => void) | undefined
  #timer: unknown
  #isOpen = false

  constructor(options: CancellationOptions) {
    const { timers, ms, expired, parent } = options
    this.#options = options
    this.#deadline = timers.now() + ms
    if (parent?.aborted === true) {
      this.abort(parent.reason)
      return
    }
    if (parent !== undefined) {
      this.#inherit = () => this.abort(parent.reason)
      parent.addEventListener("abort", this.#inherit, { once: true })
    }
    this.#timer = timers.set(() => this.abort(expired()), ms)
  }

  platformSignal(): AbortSignal {
    const controller = new AbortController()
    const abort = (): void => controller.abort(this.signal.reason)
    if (this.signal.aborted) abort()
    else this.signal.addEventListener("abort", abort)
    return controller.signal
  }

  remainingMs(): number {
    return this.#isOpen ? Infinity : Math.max(0, this.#deadline - this.#options.timers.now())
  }

  abort(reason: unknown): void {
    this.signal.abort(reason)
  }

  keepOpen(): void {
    this.#isOpen = true
    this.#options.timers.clear(this.#timer)
  }

  end(): void {
    this.#options.timers.clear(this.#timer)
    if (this.#inherit !== undefined) this.#options.parent!.removeEventListener("abort", this.#inherit)
  }
}

/** Settles like a promise, or rejects with the signal's reason once it aborts. The promise itself goes on. */
export function untilAborted<Value>(signal: Abortable, promise: Promise<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    if (signal.aborted) abort()
    else signal.addEventListener("abort", abort, { once: true })
    promise.then(
      (value) => {
        signal.removeEventListener("abort", abort)
        resolve(value)
      },
      (error: unknown) => {
        signal.removeEventListener("abort", abort)
        reject(error)
      },
    )
  })
}

/**
 * Returns how long something is waited for at most, in ms.
 * @throws ConfigError unless it is a number from 0 up, or `Infinity`
 */
export function checkedWait(name: string, ms: unknown): number {
  if (typeof ms === "number" && ms >= 0) return ms
  throw new ConfigError(`expected ${name} to be a time from 0 ms up, got ${shownNumber(ms)}`)
}

/** Resolves to whether a promise resolves within a time, in ms. */
export async function withinTime(timers: Timers, ms: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: unknown
  const late = new Promise<false>((resolve) => (timer = timers.set(() => resolve(false), Math.min(ms, MAX_MS))))
  try {
    return (await Promise.race([late, promise.then(() => "done")])) === "done"
  } finally {
    timers.clear(timer)
  }
}

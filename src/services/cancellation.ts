import type { Timers } from "../timers.ts"

/** The longest time that a timer can wait, in ms: about 24 days. */
export const MAX_MS = 2_147_483_647

/** What ends a call early: its deadline, the abort of its caller, or the end of its instance. */
export interface Cancellation {
  /** Aborts with the reason, which is the error that the caller gets. */
  readonly signal: AbortSignal
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
  readonly parent?: AbortSignal | undefined
}

/** Starts the time of a call. Call `end` when the call is over. */
export function cancellation({ timers, ms, expired, parent }: CancellationOptions): Cancellation {
  const controller = new AbortController()
  const inherit = (): void => controller.abort(parent?.reason)
  const deadline = timers.now() + ms
  let timer: unknown
  let isOpen = false
  if (parent?.aborted === true) inherit()
  else {
    parent?.addEventListener("abort", inherit, { once: true })
    timer = timers.set(() => controller.abort(expired()), ms)
  }
  return {
    signal: controller.signal,
    remainingMs: () => (isOpen ? Infinity : Math.max(0, deadline - timers.now())),
    abort: (reason) => controller.abort(reason),
    keepOpen() {
      isOpen = true
      timers.clear(timer)
    },
    end() {
      timers.clear(timer)
      parent?.removeEventListener("abort", inherit)
    },
  }
}

/** Settles like a promise, or rejects with the signal's reason once it aborts. The promise itself goes on. */
export function untilAborted<Value>(signal: AbortSignal, promise: Promise<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
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

/** Resolves to whether a promise resolves within a time, in ms. */
export async function withinTime(timers: Timers, ms: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: unknown
  const late = new Promise<false>((resolve) => (timer = timers.set(() => resolve(false), ms)))
  try {
    return (await Promise.race([late, promise.then(() => "done")])) === "done"
  } finally {
    timers.clear(timer)
  }
}

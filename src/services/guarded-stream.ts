import { untilAborted } from "./cancellation.ts"
import type { Abortable } from "./cancellation.ts"
import type { Failure } from "./outcome.ts"

/** An async iterator, which is also iterable. */
export type Stream = AsyncIterableIterator<unknown, unknown, undefined>

/** Whether the output of a call is a stream. */
export const isStream = (value: unknown): value is AsyncIterableIterator<unknown> =>
  typeof value === "object" &&
  value !== null &&
  Symbol.asyncIterator in value &&
  typeof (value as { next?: unknown }).next === "function"

/** What a guarded stream needs. */
export interface GuardedStreamOptions {
  readonly source: AsyncIterator<unknown>
  /** Ends the stream with its reason as the error. */
  readonly signal: Abortable
  /** Converts what the source throws. */
  readonly failed: (error: unknown) => unknown
  /** Called once, when the stream has ended for any reason; with its failure if it failed. */
  readonly ended: (failure?: Failure) => void
  /** Called before the source is stopped, which a source that waits for something does not notice by itself. */
  readonly left?: () => void
}

/** Passes a stream on until a signal aborts. Then it fails with the signal's reason, and the source is stopped. */
export function guardedStream({ source, signal, failed, ended, left }: GuardedStreamOptions): Stream {
  let isOver = false
  let isCut = false
  const finish = (failure?: Failure): void => {
    if (isOver) return
    isOver = true
    signal.removeEventListener("abort", cut)
    ended(failure)
  }
  const stop = (failure?: Failure): void => {
    if (isOver) return
    finish(failure)
    left?.()
    // A source that hangs does not answer this, so nothing waits for it.
    Promise.resolve(source.return?.()).catch(() => undefined)
  }
  const cut = (): void => {
    isCut = true
    stop({ error: signal.reason })
  }
  signal.addEventListener("abort", cut, { once: true })
  const stream: Stream = {
    async next() {
      if (isCut) throw signal.reason
      if (isOver) return { done: true, value: undefined }
      try {
        const result = await untilAborted(signal, Promise.resolve(source.next()))
        if (result.done === true) finish()
        return result
      } catch (cause) {
        if (isCut) throw signal.reason
        // Its consumer has left meanwhile, and nobody waits for an error.
        if (isOver) return { done: true, value: undefined }
        const error = failed(cause)
        finish({ error, cause })
        throw error
      }
    },
    async return(value) {
      stop()
      return { done: true, value: await value }
    },
    [Symbol.asyncIterator]: () => stream,
  }
  return stream
}

import type { Cancellation } from "./cancellation.ts"
import type { Instance } from "./instance-row.ts"

/** One answer of `callAll`: what an instance answered, or why it did not. */
export type Answer<Output = unknown> =
  | { readonly instance: Instance; readonly value: Output; readonly error?: undefined }
  | { readonly instance: Instance; readonly error: unknown; readonly value?: undefined }

/** A call of `callAll` that is not answered yet. */
export interface Unanswered {
  readonly answer: Promise<Answer>
  readonly overall: Cancellation
}

/**
 * Returns answers as they come. Leaving the loop aborts the calls whose answers were not taken.
 *
 * Each answer is awaited once. A `Promise.race` for each of 5000 answers would take half a minute.
 */
export function asTheyCome(calls: readonly Unanswered[]): AsyncIterableIterator<Answer> {
  const untaken = new Set(calls)
  const come: (readonly [call: Unanswered, answer: Answer])[] = []
  let arrived: (() => void) | undefined
  for (const call of calls) {
    void call.answer.then((answer) => {
      come.push([call, answer])
      arrived?.()
    })
  }
  const answers = (async function* () {
    // A list is read by its index: to shift thousands of places takes as long as to wait for them.
    for (let next = 0; next < calls.length; next += 1) {
      if (next === come.length) await new Promise<void>((resolve) => (arrived = resolve))
      const [call, answer] = come[next]!
      untaken.delete(call)
      yield answer
    }
  })()
  const leave = (): void => {
    for (const { overall } of untaken) overall.abort(undefined)
    untaken.clear()
  }
  return {
    next: () => answers.next(),
    // A generator that was never started would not run a `finally`, so that its calls would run on.
    return: (value?: unknown) => {
      leave()
      return answers.return(value as undefined)
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

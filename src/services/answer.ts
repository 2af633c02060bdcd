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

/** Returns answers as they come. Leaving the loop aborts the calls that are not answered yet. */
export async function* asTheyCome(unanswered: Map<string, Unanswered>): AsyncGenerator<Answer> {
  try {
    while (unanswered.size > 0) {
      const answer = await Promise.race(Array.from(unanswered.values(), (one) => one.answer))
      unanswered.delete(answer.instance.id)
      yield answer
    }
  } finally {
    for (const { overall } of unanswered.values()) overall.abort(undefined)
  }
}

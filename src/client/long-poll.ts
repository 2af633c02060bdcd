/** phoenix.js's long polling, for answers that are not those of a Phoenix server. */
import { LongPoll, type Transport } from "./phoenix.ts"

type Answer = { status?: unknown } | null
type Request = [method: string, headers: object, body: unknown, late: () => void, use: (answer: Answer) => void]

/**
 * `LongPoll` that takes an unknown answer as a failed request. A 404 whose body is JSON makes the original throw where
 * nothing can catch it, and never close.
 */
export const SafeLongPoll: Transport = class extends (LongPoll as new (url: string) => {
  ajax(...request: Request): void
}) {
  override ajax(...[method, headers, body, late, use]: Request): void {
    super.ajax(method, headers, body, late, (answer) =>
      use([200, 204, 403, 410, 500].includes(answer?.status as number) ? answer : null),
    )
  }
}

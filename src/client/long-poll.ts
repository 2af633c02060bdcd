/** phoenix.js's long polling, for responses that are not those of a Phoenix server. */
import { LongPoll } from "./phoenix.ts"

/** Why a server refuses the client: the reason that our server gives, or the status 403. */
export type Refusal = string | number

type Answer = { readonly status?: number; readonly refused?: string } | null
type Use = (answer: Answer) => void

const Original = LongPoll as new (
  url: string,
  protocols?: string[],
) => { ajax(method: string, headers: object, body: unknown, late: () => void, use: Use): void }

/**
 * `LongPoll` that treats an unknown response as a failed request. A 404 with a JSON body makes the original throw an uncaught
 * error, and never close.
 */
export class SafeLongPoll extends Original {
  /** `undefined` unless the server refuses the client. */
  refusal: Refusal | undefined

  override ajax(method: string, headers: object, body: unknown, late: () => void, use: Use): void {
    super.ajax(method, headers, body, late, (answer) => {
      const { status, refused } = Object(answer) as NonNullable<Answer>
      if (status === 403) this.refusal = refused ?? status
      use([200, 204, 403, 410, 500].includes(status!) ? answer : null)
    })
  }
}

/** The pushes of a channel: which payloads can be sent, how many may wait, and one outcome for each push. */
import { RollcallError } from "../error.ts"
import { REPLY } from "../wire/events.ts"
import { reasonText } from "./errors.ts"
import type { Channel, Push } from "./phoenix.ts"

/** How many pushes may wait for a join. phoenix.js keeps each one until then, even if it timed out long ago. */
const MAX_WAITING = 1000

/** The response of an ok reply, or an error: `push_rejected`, `timeout`, `closed`, `bad_payload` or `too_many_pushes`. */
export type Outcome = { readonly response: unknown } | { readonly error: RollcallError }

/**
 * Returns the payload in a form that can be pushed: JSON as it is, and of a typed array only its own bytes.
 *
 * phoenix.js accepts any payload, and throws when it sends it. For a payload that waits for a join, it throws while it
 * handles the reply to that join, so that the join would never be completed.
 *
 * @throws RollcallError `bad_payload`
 */
export function toSendable(event: string, payload: object): object {
  if (payload instanceof ArrayBuffer) return payload
  if (ArrayBuffer.isView(payload)) {
    return payload.buffer.slice(payload.byteOffset, payload.byteOffset + payload.byteLength)
  }
  try {
    JSON.stringify(payload)
  } catch (cause) {
    throw new RollcallError("bad_payload", `${event}: expected a payload that is JSON or binary`, { cause })
  }
  return payload
}

/** The pushes of one channel that have no outcome yet. */
export class Pushes {
  readonly #channel: Channel
  /** One function for each push, which settles it as `closed`. */
  readonly #unsettled = new Set<() => void>()
  #waiting = 0

  constructor(channel: Channel) {
    this.#channel = channel
  }

  /** Pushes, and calls `settle` once. It is called at once for `bad_payload` and `too_many_pushes`, which are not sent. */
  send(event: string, payload: object, timeout: number | undefined, settle: (outcome: Outcome) => void): void {
    const channel = this.#channel
    // A transport may answer before `push` returns.
    let push: Push | undefined
    const once = (outcome: Outcome): void => {
      if (!this.#unsettled.delete(close)) return
      channel.off(REPLY, binding)
      settle(outcome)
    }
    const errorOf = (code: string, what: string, reason?: unknown): Outcome => {
      return { error: new RollcallError(code, `${event} on ${channel.topic}: ${what}`, { reason }) }
    }
    const reject = (status: string, response: unknown): void =>
      once(
        errorOf(
          "push_rejected",
          `expected an ok reply, got ${JSON.stringify(status)}: ${reasonText(response)}`,
          response,
        ),
      )
    const close = (): void => {
      // Otherwise the timer for a reply that cannot come would keep a Node process alive.
      push?.cancelTimeout()
      once(errorOf("closed", "the room closed before the reply"))
    }
    this.#waiting = channel.state === "joined" ? 0 : this.#waiting + 1
    if (this.#waiting > MAX_WAITING) {
      return settle(errorOf("too_many_pushes", `expected at most ${MAX_WAITING} pushes to wait for a join`))
    }
    let sent: object
    try {
      sent = toSendable(event, payload)
    } catch (error) {
      return settle({ error: error as RollcallError })
    }
    this.#unsettled.add(close)
    // A server may reply with another status. phoenix.js has no callback for that, and does not call the one for a timeout.
    const binding = channel.on<{ status: string; response: unknown }>(REPLY, ({ status, response }, ref) => {
      if (ref === push?.ref && status !== "ok" && status !== "error") reject(status, response)
    })
    push = channel.push(event, sent, timeout)
    push
      .receive("ok", (response) => once({ response }))
      .receive("error", (response) => reject("error", response))
      .receive("timeout", () => once(errorOf("timeout", "expected a reply, got none in time")))
  }

  /** Settles all pushes without an outcome as `closed`. */
  close(): void {
    for (const close of this.#unsettled) close()
  }
}

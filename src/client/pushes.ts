/** Pushes: what can be sent, how much of it may wait, and what became of each, told exactly once. */
import { RollcallError } from "../error.ts"
import { REPLY } from "../wire/events.ts"
import type { Channel, Push } from "./phoenix.ts"

/** How many wait for a join: phoenix.js keeps each until then, also when it has timed out long ago. */
const MAX_WAITING = 1000

/** The response to an ok reply, or the error: `push_rejected`, `timeout`, `closed`, or why it was not sent. */
export type Outcome = { readonly response: unknown } | { readonly error: RollcallError }

/**
 * What can be pushed of a payload: JSON, or the bytes of a view. phoenix.js would take anything, and throw when it is sent,
 * perhaps by a join much later, which would then never be through.
 *
 * @throws RollcallError `bad_payload`
 */
export function sendable(event: string, payload: object): object {
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

/** The pushes of one channel that are under way. */
export class Pushes {
  readonly #channel: Channel
  /** Settles each as `closed`. */
  readonly #unsettled = new Set<() => void>()
  #waiting = 0

  constructor(channel: Channel) {
    this.#channel = channel
  }

  /** Pushes, and calls `settle` once: at once when the push is refused here, with `bad_payload` or `too_many_pushes`. */
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
    const close = (): void => once(errorOf("closed", "the room closed before the reply came"))
    this.#waiting = channel.state === "joined" ? 0 : this.#waiting + 1
    if (this.#waiting > MAX_WAITING) {
      return settle(errorOf("too_many_pushes", `expected at most ${MAX_WAITING} to wait for a join`))
    }
    let sent: object
    try {
      sent = sendable(event, payload)
    } catch (error) {
      return settle({ error: error as RollcallError })
    }
    this.#unsettled.add(close)
    // Servers may answer with a status of their own, for which phoenix.js calls nobody, not even the timeout.
    const binding = channel.on<{ status: string; response: unknown }>(REPLY, ({ status, response }, ref) => {
      if (ref === push?.ref && status !== "ok" && status !== "error") {
        once(errorOf("push_rejected", `expected an ok reply, got ${JSON.stringify(status)}`, response))
      }
    })
    push = channel.push(event, sent, timeout)
    push
      .receive("ok", (response) => once({ response }))
      .receive("error", (response) => once(errorOf("push_rejected", "the server answered with an error", response)))
      .receive("timeout", () => once(errorOf("timeout", "no reply in time")))
  }

  /** Settles what is under way as `closed`. */
  close(): void {
    for (const close of this.#unsettled) close()
  }
}

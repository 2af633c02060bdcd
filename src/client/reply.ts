/** What became of a push, told exactly once. */
import { RollcallError } from "../error.ts"
import type { Channel, Push } from "./phoenix.ts"

/** The response to an ok reply, or the error: `push_rejected`, `timeout` or `closed`. */
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

/** Pushes, and calls `settle` once. The returned function settles it as `closed`, if nothing else has yet. */
export function pushForReply(
  channel: Channel,
  event: string,
  payload: object,
  timeout: number | undefined,
  settle: (outcome: Outcome) => void,
): () => void {
  let settled = false
  // A transport may answer before `push` returns.
  let push: Push | undefined
  const once = (outcome: Outcome): void => {
    if (settled) return
    settled = true
    channel.off("phx_reply", binding)
    settle(outcome)
  }
  const fail = (code: string, what: string, reason?: unknown): void =>
    once({ error: new RollcallError(code, `${event} on ${channel.topic}: ${what}`, { reason }) })
  // Servers may answer with a status of their own, for which phoenix.js calls nobody, not even the timeout.
  const binding = channel.on<{ status: string; response: unknown }>("phx_reply", ({ status, response }, ref) => {
    if (ref === push?.ref && status !== "ok" && status !== "error") {
      fail("push_rejected", `expected an ok reply, got ${JSON.stringify(status)}`, response)
    }
  })
  push = channel.push(event, payload, timeout)
  push
    .receive("ok", (response) => once({ response }))
    .receive("error", (response) => fail("push_rejected", "the server answered with an error", response))
    .receive("timeout", () => fail("timeout", "no reply in time"))
  return () => fail("closed", "the room closed before the reply came")
}

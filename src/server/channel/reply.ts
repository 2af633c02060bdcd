import { RollcallError, kindOf } from "../../error.ts"
import type { Data, Message, Serializer } from "../../wire/message.ts"
import { Payload } from "../../wire/payload.ts"

/** The reply to a message: `ok`, `error`, or any other status by its name (P16). Payloads are JSON values, or bytes. */
export type Reply =
  | { readonly ok: unknown }
  | { readonly error: unknown }
  | { readonly status: string; readonly response?: unknown }

/** The reply to a join: `ok` accepts it, `error` refuses it. The client gets the payload. */
export type JoinReply = { readonly ok: unknown } | { readonly error: unknown }

/**
 * Returns the status and payload of a reply; an `undefined` payload becomes `{}`.
 * @throws RollcallError `bad_reply` for a value that is no reply
 */
export function statusAndResponse(reply: Reply): { status: string; response: unknown } {
  const fields = Object(reply) as { ok?: unknown; error?: unknown; status?: unknown; response?: unknown }
  if (Object.hasOwn(fields, "ok")) return { status: "ok", response: fields.ok === undefined ? {} : fields.ok }
  if (Object.hasOwn(fields, "error"))
    return { status: "error", response: fields.error === undefined ? {} : fields.error }
  if (typeof fields.status === "string") {
    return { status: fields.status, response: fields.response === undefined ? {} : fields.response }
  }
  throw new RollcallError("bad_reply", `expected { ok }, { error } or { status, response }, got ${kindOf(reply)}`)
}

/**
 * Encodes the reply to a message; `undefined` when the serializer cannot write it.
 * @throws RollcallError `bad_reply`; TypeError when the payload is not a JSON value
 */
export function encodeReply(
  serializer: Serializer,
  joinRef: unknown,
  { ref, topic }: Message,
  reply: Reply,
): Data | undefined {
  const { status, response } = statusAndResponse(reply)
  return serializer.reply(joinRef, ref, topic, status, Payload.of(response))
}

import { RollcallError, kindOf } from "../../error.ts"

/** The answer to a message: `ok`, `error`, or any other status by name (P16). Payloads are JSON, or bytes. */
export type Reply =
  | { readonly ok: unknown }
  | { readonly error: unknown }
  | { readonly status: string; readonly response?: unknown }

/** The answer to a join; its payload reaches the client. */
export type JoinReply = { readonly ok: unknown } | { readonly error: unknown }

/** A reply by its status and payload, `{}` when it has none. @throws RollcallError `bad_reply` for what is no reply */
export function named(reply: Reply): { status: string; response: unknown } {
  const fields: { ok?: unknown; error?: unknown; status?: unknown; response?: unknown } = Object(reply)
  if (Object.hasOwn(fields, "ok")) return { status: "ok", response: fields.ok === undefined ? {} : fields.ok }
  if (Object.hasOwn(fields, "error"))
    return { status: "error", response: fields.error === undefined ? {} : fields.error }
  if (typeof fields.status === "string") {
    return { status: fields.status, response: fields.response === undefined ? {} : fields.response }
  }
  throw new RollcallError("bad_reply", `expected { ok }, { error } or { status, response }, got ${kindOf(reply)}`)
}

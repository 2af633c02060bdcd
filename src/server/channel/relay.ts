import { kindOf } from "../../error.ts"
import { isJsonObject } from "../../json.ts"
import { checkSchema, validate } from "../../standard-schema.ts"
import type { StandardSchema } from "../../standard-schema.ts"
import { SENDER } from "../../wire/events.ts"
import { INVALID_PAYLOAD } from "../../wire/refusals.ts"
import type { Channel } from "./handlers.ts"
import type { Reply } from "./reply.ts"

/** How `relay` passes an event on. */
export interface RelayOptions {
  /**
   * The schema of the payload. What it refuses is sent to nobody, and the sender gets the reason. What it accepts is sent as the
   * schema returns it. By default, any JSON object, or bytes.
   */
  readonly schema?: StandardSchema
  /**
   * Whether the field `from` is added to the payload: the presence key of the sender, which a client cannot forge; default `true`.
   * It is missing if the sender is not tracked, and in bytes. With `false`, a client may send a field of this name.
   */
  readonly from?: boolean
  /** Whether the sender gets an `ok`; default `true`. With `false`, it only gets refusals: for events such as cursors. */
  readonly reply?: boolean
}

const OK: Reply = { ok: {} }

/**
 * Returns a handler that sends a client's event to all other clients of the topic, on all nodes.
 *
 * ```ts
 * on: { cursor: relay() } // the others get { x: 1, y: 2, from: "ada" }
 * ```
 *
 * A payload that is refused becomes the reply `{ reason: "invalid_payload", message, field }`.
 * @throws ConfigError for an invalid option; the handler throws it for a schema that validates asynchronously
 */
export function relay({ schema, from = true, reply = true }: RelayOptions = {}): (
  payload: unknown,
  channel: Pick<Channel, "key" | "broadcastFrom">,
  event: string,
) => Reply | undefined {
  if (schema !== undefined) checkSchema("schema", schema)
  return (payload, channel, event) => {
    const result = schema === undefined ? { value: payload } : validate(schema, payload)
    if (result.refused !== undefined) return { error: { reason: INVALID_PAYLOAD, ...result.refused } }
    const { value } = result
    if (isJsonObject(value)) channel.broadcastFrom(event, from ? withSender(value, channel.key) : value)
    else if (value instanceof Uint8Array) channel.broadcastFrom(event, value)
    else return { error: { reason: INVALID_PAYLOAD, message: `expected an object or bytes, got ${kindOf(value)}` } }
    return reply ? OK : undefined
  }
}

function withSender(value: Record<string, unknown>, key: string | undefined): object {
  // What the client has put there itself must not pass for the sender.
  const { [SENDER]: _forged, ...payload } = value
  return key === undefined ? payload : { ...payload, [SENDER]: key }
}

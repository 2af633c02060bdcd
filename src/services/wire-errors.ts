import { isObject } from "../json.ts"
import { ConfigError, RollcallError, withoutLink } from "../error.ts"
import type { WireError } from "./messages.ts"
import type { Orpc } from "./orpc.ts"

/** Returns what of an error is sent to the caller: never a stack nor a cause. Never throws. */
export function encodeError(error: unknown, orpc: Orpc): WireError {
  try {
    const encoded = wireErrorOf(error, orpc)
    // A `toJSON` of the program may throw.
    JSON.stringify(encoded)
    return encoded
  } catch {
    return { code: "remote_error", message: "expected an error with data that JSON can write, got one with other data" }
  }
}

function wireErrorOf(error: unknown, { ORPCError, serializer }: Orpc): WireError {
  if (error instanceof ORPCError) return { orpc: serialized(error.toJSON(), serializer) }
  // The output cannot be sent: a mistake of the handler, not of its caller.
  if (error instanceof ConfigError) return { code: "remote_error", message: withoutLink(error.message) }
  if (error instanceof RollcallError) {
    const { code, message, reason } = error
    return {
      code,
      message: withoutLink(message),
      ...(reason === undefined ? {} : { reason: serialized(reason, serializer) }),
    }
  }
  return { code: "remote_error", message: "expected the call to succeed, got an error" }
}

/** Returns the error that the caller gets. */
export function decodeError(error: WireError, { isORPCErrorJson, createORPCErrorFromJson, serializer }: Orpc): unknown {
  if ("orpc" in error) {
    const json = deserialized(error.orpc, serializer)
    if (isORPCErrorJson(json)) return createORPCErrorFromJson(json)
    return new RollcallError("remote_error", "expected an error that oRPC can read, got another object")
  }
  const { code, message, reason } = error
  return new RollcallError(code, message, { reason: deserialized(reason, serializer) })
}

function serialized(value: unknown, serializer: Orpc["serializer"]): object {
  const [json, types] = serializer.serialize(value)
  return { json, types }
}

function deserialized(value: unknown, serializer: Orpc["serializer"]): unknown {
  if (!isObject(value)) return undefined
  const { json, types } = value
  return serializer.deserialize(json, Array.isArray(types) ? (types as never) : [])
}

import { ConfigError } from "../error.ts"
import type { Types } from "./messages.ts"
import type { Orpc } from "./orpc.ts"

/** A value as a message carries it. */
export interface EncodedPayload {
  readonly value?: unknown
  readonly types?: Types
}

/**
 * Converts a value for a message.
 * @param what names the value in the error, such as `"the input of game.spawn"`
 * @throws ConfigError if JSON cannot write it
 */
export function encodePayload(what: string, value: unknown, { serializer }: Orpc): EncodedPayload {
  // It would be written as an empty object.
  if (typeof value === "object" && value !== null && Symbol.asyncIterator in value) {
    throw new ConfigError(
      `expected ${what} to be a value that JSON can write, got a stream; only answers can be streams`,
    )
  }
  let serialized: ReturnType<typeof serializer.serialize>
  try {
    serialized = serializer.serialize(value)
  } catch (cause) {
    throw new ConfigError(`expected ${what} to be a value that JSON can write, got one that it cannot`, { cause })
  }
  const [json, types, , blobs] = serialized
  if (blobs.length > 0) throw new ConfigError(`expected ${what} without a Blob, got one; send its bytes, a Uint8Array`)
  return types.length === 0 ? { value: json } : { value: json, types }
}

/** Returns the value of a message. @throws TypeError if its types do not fit it */
export function decodePayload({ value, types = [] }: EncodedPayload, { serializer }: Orpc): unknown {
  return serializer.deserialize(value, types)
}

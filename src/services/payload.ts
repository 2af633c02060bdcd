import { ConfigError } from "../error.ts"
import { quote } from "../quote.ts"
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
  // Most values need no types. The serializer would copy them, which takes longer than all of our own work on a call.
  if (isPlain(value, 0)) return { value }
  let serialized: ReturnType<typeof serializer.serialize>
  try {
    const lost = unwritable(value, "", new Set())
    if (lost !== undefined) throw new ConfigError(`expected ${what} to be a value that JSON can write, got ${lost}`)
    serialized = serializer.serialize(value)
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    throw new ConfigError(`expected ${what} to be a value that JSON can write, got one that it cannot`, { cause })
  }
  const [json, types, , blobs] = serialized
  if (blobs.length > 0) throw new ConfigError(`expected ${what} without a Blob, got one; send its bytes, a Uint8Array`)
  return types.length === 0 ? { value: json } : { value: json, types }
}

/** Returns the value of a message. @throws TypeError if its types do not fit it */
export function decodePayload({ value, types = [] }: EncodedPayload, { serializer }: Orpc): unknown {
  return types.length === 0 ? value : serializer.deserialize(value, types)
}

/** How deep a value is looked into, so that a circle ends. */
const MAX_DEPTH = 32

/** Whether JSON writes a value as oRPC's serializer does: it has no dates, maps, classes and the like, and no circle. */
function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true
    case "number":
      return !Number.isNaN(value)
    case "undefined":
      return depth === 0
    case "object":
      break
    default:
      return false
  }
  if (value === null) return true
  if (depth === MAX_DEPTH) return false
  if (Array.isArray(value)) return isPlainList(value, depth + 1)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  for (const name in value) {
    if (!isPlain((value as Record<string, unknown>)[name], depth + 1)) return false
  }
  return !(Symbol.asyncIterator in value)
}

function isPlainList(list: readonly unknown[], depth: number): boolean {
  // `every` would skip places without a value.
  for (let index = 0; index < list.length; index += 1) if (!isPlain(list[index], depth)) return false
  return true
}

/** Returns what is in a value that JSON would leave out or write as `{}`, and where; `undefined` if there is nothing. */
function unwritable(value: unknown, path: string, seen: Set<unknown>): string | undefined {
  const kind = lostKind(value)
  if (kind !== undefined) return path === "" ? kind : `${kind} at ${quote(path)}`
  if (typeof value !== "object" || value === null || value instanceof Uint8Array || seen.has(value)) return undefined
  seen.add(value)
  const isPlainObject = Object.getPrototypeOf(value) === Object.prototype
  // JSON writes what it returns instead.
  if (!isPlainObject && typeof (value as { toJSON?: unknown }).toJSON === "function") return undefined
  const parts = value instanceof Map || value instanceof Set ? [...value].entries() : Object.entries(value)
  for (const [name, part] of parts) {
    if (name === "toJSON") continue
    const found = unwritable(part, path === "" ? String(name) : `${path}.${name}`, seen)
    if (found !== undefined) return found
  }
  return undefined
}

function lostKind(value: unknown): string | undefined {
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`
  if (typeof value !== "object" || value === null) return undefined
  if (value instanceof Promise) return "a promise"
  return Symbol.asyncIterator in value
    ? "a stream; only answers can be streams, those of an async function*"
    : undefined
}

import { ConfigError, kindOf } from "./error.ts"

/** Whether a value is an object to look up keys in: not `null`, not an array, not bytes. */
export const isJsonObject = (value: unknown): value is Record<string, unknown> =>
  !!value && typeof value === "object" && !Array.isArray(value) && !ArrayBuffer.isView(value)

/** How deep an object may be nested: far less than what `JSON.stringify` can write inside a message. */
const MAX_DEPTH = 200

/** Copies that nobody but their maker holds. */
const ownedCopies = new WeakSet<object>()

/**
 * Hands a copy over to the next `copyJsonObject`, which returns it as it is. Only for a copy that nobody else holds and
 * that its maker does not change afterwards: it saves the second of two checks of one value.
 */
export function handOverCopy<Copy extends object>(copy: Copy): Copy {
  ownedCopies.add(copy)
  return copy
}

/**
 * Copies an object as JSON would: the copy is what a receiver will get, whatever the caller does with the object later.
 *
 * Plain values are copied directly, several times as fast as through text. An object that JSON writes differently, with
 * a `toJSON` or of a class, goes through `JSON.stringify` once.
 *
 * @param what names the value in the message: `"a meta"`
 * @throws ConfigError when JSON cannot write the value, does not write it as an object, or when it is nested deeper than 200
 */
export function copyJsonObject(what: string, value: unknown): Record<string, unknown> {
  if (ownedCopies.delete(value as object)) return value as Record<string, unknown>
  if (!isJsonObject(value)) throw new ConfigError(`expected ${what} that is a JSON object, got ${kindOf(value)}`)
  const copy = copyPlain(value, MAX_DEPTH) ?? copyPlain(throughText(what, value), MAX_DEPTH)
  if (copy === undefined) throw new ConfigError(`expected ${what} nested at most ${MAX_DEPTH} deep, got a deeper one`)
  return copy as Record<string, unknown>
}

function throughText(what: string, value: object): unknown {
  let json: string | undefined
  try {
    json = JSON.stringify(value)
  } catch (cause) {
    throw new ConfigError(`expected ${what} that is a JSON object, got one that JSON cannot write`, { cause })
  }
  if (json?.startsWith("{") === true) return JSON.parse(json)
  throw new ConfigError(`expected ${what} that is a JSON object, got one that JSON writes otherwise`)
}

/** Copies a value that is exactly what JSON would make of it; `undefined` for any other, and for one nested too deep, as a cycle is. */
function copyPlain(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      // JSON has no -0.
      return Number.isFinite(value) ? value + 0 : undefined
    case "object":
      if (value === null) return null
      if (depth === 0) return undefined
      return Array.isArray(value) ? copyArray(value, depth - 1) : copyObject(value, depth - 1)
    default:
      return undefined
  }
}

function copyArray(array: readonly unknown[], depth: number): unknown {
  if ("toJSON" in array) return undefined
  const copies: unknown[] = []
  for (const item of array) {
    const copy = copyPlain(item, depth)
    if (copy === undefined) return undefined
    copies.push(copy)
  }
  return copies
}

function copyObject(object: object, depth: number): unknown {
  const prototype: unknown = Object.getPrototypeOf(object)
  if ((prototype !== Object.prototype && prototype !== null) || "toJSON" in object) return undefined
  const copies: Record<string, unknown> = {}
  for (const key of Object.keys(object)) {
    const copy = copyPlain((object as Record<string, unknown>)[key], depth)
    if (copy === undefined) return undefined
    // Assigned plainly, this name would set a prototype.
    if (key === "__proto__") Object.defineProperty(copies, key, { value: copy, ...OWN })
    else copies[key] = copy
  }
  return copies
}

const OWN = { enumerable: true, configurable: true, writable: true }

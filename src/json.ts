import { ConfigError, kindOf } from "./error.ts"
import { opaqueKind } from "./opaque.ts"

/** Whether a value is an object other than an array, so that keys can be looked up in it. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && !!value && !Array.isArray(value)

/** Whether a value is an object that JSON writes with keys: neither an array nor bytes. */
export const isJsonObject = (value: unknown): value is Record<string, unknown> =>
  isObject(value) && !ArrayBuffer.isView(value)

/**
 * The greatest depth of an accepted object. `JSON.stringify` fails only at a far greater depth, so a message around the
 * object can be written.
 */
const MAX_DEPTH = 200

/** Copies that `handOverCopy` has marked. */
const handedOver = new WeakSet()

/**
 * Marks a copy, so that the next `copyJsonObject` returns it instead of copying it again. The server checks the size of a
 * meta on a copy, and the tracker behind it copies each meta that it gets. Pass only a result of `copyJsonObject` that no
 * other code holds and that the caller does not change any more.
 */
export function handOverCopy<Copy extends object>(copy: Copy): Copy {
  handedOver.add(copy)
  return copy
}

/**
 * Returns a copy of an object, equal to what writing it as JSON and parsing that gives. Later changes of the object do not
 * reach the copy.
 *
 * Plain values are copied directly, which is several times as fast as through text. Other objects, such as instances of a
 * class or objects with a `toJSON` method, are copied through `JSON.stringify`.
 *
 * @param what names the value in error messages, such as `"a meta"`
 * @throws ConfigError if JSON cannot write the value, if its JSON is not an object, if JSON would write `{}` for something in it
 * that is not empty, such as a Map, or if it is nested deeper than 200
 */
export function copyJsonObject(what: string, value: unknown): Record<string, unknown> {
  if (handedOver.delete(value as object)) return value as Record<string, unknown>
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
  if (json?.startsWith("{")) {
    const kind = opaqueKind(value, json)
    // An instance of the program's own class may be empty.
    if (kind === undefined || kind === "Object") return JSON.parse(json)
    throw new ConfigError(`expected ${what} of JSON values, got a ${kind}, which JSON would write as {}`)
  }
  throw new ConfigError(`expected ${what} that is a JSON object, got one that JSON does not write as an object`)
}

/**
 * Copies a value that JSON represents exactly. Returns `undefined` for any other value, and for one that is nested too
 * deeply, such as a cycle.
 */
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
    // A plain assignment to this name would set the prototype.
    if (key === "__proto__") Object.defineProperty(copies, key, { value: copy, ...OWN })
    else copies[key] = copy
  }
  return copies
}

const OWN = { enumerable: true, configurable: true, writable: true }

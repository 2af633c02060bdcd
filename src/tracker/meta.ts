import { ConfigError, kindOf } from "../error.ts"

/** How deep a meta may be nested. Far deeper, and JSON could write it where it was given, and not within a message any more. */
const MAX_DEPTH = 200

/**
 * What JSON makes of a meta: a copy of our own, which is what the other nodes will have.
 *
 * One that JSON cannot write, or writes otherwise at the next look, would be found out by the next heartbeat, which has
 * nobody to throw at; and with it all that its node has to say.
 * @throws ConfigError when that is no object, or nested too deep
 */
export function metaOf(meta: unknown): object {
  const isObject = typeof meta === "object" && meta !== null && !Array.isArray(meta)
  if (!isObject) throw new ConfigError(`expected a meta that is a JSON object, got ${kindOf(meta)}`)
  const copy = copyOf(meta, MAX_DEPTH) ?? copyOf(rewritten(meta), MAX_DEPTH)
  if (copy === undefined) throw new ConfigError(`expected a meta nested at most ${MAX_DEPTH} deep, got a deeper one`)
  return copy as object
}

/** Through JSON and back, for what is not plain: with a `toJSON`, of a class, with holes. */
function rewritten(meta: object): unknown {
  let json: string | undefined
  try {
    json = JSON.stringify(meta)
  } catch (cause) {
    throw new ConfigError("expected a meta that is a JSON object, got one that JSON cannot write", { cause })
  }
  if (json?.startsWith("{") === true) return JSON.parse(json)
  throw new ConfigError("expected a meta that is a JSON object, got one that JSON writes otherwise")
}

/**
 * A copy of a value that is just what JSON would make of it, several times as fast as through a text; `undefined` for any
 * other, and for one that is nested too deep, as a circle is.
 */
function copyOf(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      // JSON knows no -0.
      return Number.isFinite(value) ? value + 0 : undefined
    case "object":
      if (value === null) return null
      if (depth === 0) return undefined
      return Array.isArray(value) ? copyOfArray(value, depth - 1) : copyOfObject(value, depth - 1)
    default:
      return undefined
  }
}

function copyOfArray(array: readonly unknown[], depth: number): unknown {
  if ("toJSON" in array) return undefined
  const copies: unknown[] = []
  for (const item of array) {
    const copy = copyOf(item, depth)
    if (copy === undefined) return undefined
    copies.push(copy)
  }
  return copies
}

function copyOfObject(object: object, depth: number): unknown {
  const prototype: unknown = Object.getPrototypeOf(object)
  if ((prototype !== Object.prototype && prototype !== null) || "toJSON" in object) return undefined
  const copies: Record<string, unknown> = {}
  for (const key of Object.keys(object)) {
    const copy = copyOf((object as Record<string, unknown>)[key], depth)
    if (copy === undefined) return undefined
    // Said plainly, that name would set a prototype.
    if (key === "__proto__") Object.defineProperty(copies, key, { value: copy, ...OWN })
    else copies[key] = copy
  }
  return copies
}

const OWN = { enumerable: true, configurable: true, writable: true }

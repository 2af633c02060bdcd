/** Functions that compare and copy metas. */
import { isObject } from "../json.ts"
import type { Meta } from "../wire/presence-payloads.ts"

/**
 * Whether two JSON values are deeply equal. If both are the same object, its contents are not visited.
 *
 * `phx_ref_prev` is ignored, because two nodes may send different predecessors of the same meta.
 */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let at = a.length; at--;) if (!same(a[at], b[at])) return false
    return a.length === b.length
  }
  if (!isObject(a) || !isObject(b)) return false
  // What a schema has made, such as a Date, may have no keys. What has no number, either, such as a Map, is equal only to itself.
  const prototype: unknown = Object.getPrototypeOf(a)
  if (prototype && prototype !== Object.prototype) return +(a as unknown as Date) === +(b as unknown as Date)
  let more = 0
  for (const key in a) {
    if (key === "phx_ref_prev") continue
    // `hasOwn` is needed for objects only, because `b.__proto__` finds an inherited object in any `b`.
    if (a[key] !== b[key] && !(Object.hasOwn(b, key) && same(a[key], b[key]))) return false
    more++
  }
  for (const key in b) if (key !== "phx_ref_prev") more--
  return !more
}

/** As `same`, but false for values that are nested too deeply to be compared. */
export function surelySame(a: unknown, b: unknown): boolean {
  try {
    return same(a, b)
  } catch {
    return false
  }
}

/**
 * The id of a meta among those of its user: its ref or, without one, its JSON text, in which the order of keys counts
 * (C19).
 */
export const idOf = (meta: Meta<object>): string => meta.phx_ref ?? JSON.stringify(meta)

/**
 * Returns a deep copy of a JSON value. As metas are flat, this is several times as fast as
 * `JSON.parse(JSON.stringify(value))`.
 */
export function copyOf<T>(value: T): T {
  if (Array.isArray(value)) return value.map((each: unknown) => copyOf(each)) as T
  if (!isObject(value)) return value
  const copy: Record<string, unknown> = { ...value }
  for (const key in copy) copy[key] = copyOf(copy[key])
  return copy as T
}

/** One user's metas, and which of them are one and the same. */
import type { Meta } from "../wire/presence.ts"

/** Whether this is an object to look up keys in: no array, and not `null`. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  Object(value) === value && !Array.isArray(value)

/**
 * Deep equality of JSON values; the same object is equal to itself without a look inside.
 *
 * A `phx_ref_prev` does not count: two nodes may name different predecessors of one and the same meta.
 */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((each, at) => same(each, b[at]))
  if (!isObject(a) || !isObject(b)) return false
  let more = 0
  for (const key in a) {
    if (key === "phx_ref_prev") continue
    // Two equal primitives are the keys' own; an object may be what any object has as `__proto__`.
    if (a[key] !== b[key] && !(Object.hasOwn(b, key) && same(a[key], b[key]))) return false
    more++
  }
  for (const key in b) if (key !== "phx_ref_prev") more--
  return !more
}

/** The key of a meta among others: its reference, or when it has none, its text as JSON, in which order counts (C19). */
export const idOf = (meta: Meta<object>): string => meta.phx_ref ?? JSON.stringify(meta)

/** A copy of a JSON value, all the way down: quicker than by its text, for metas are flat. */
export function copyOf<T>(value: T): T {
  if (Array.isArray(value)) return value.map((each: unknown) => copyOf(each)) as T
  if (!isObject(value)) return value
  const copy: Record<string, unknown> = { ...value }
  for (const key in copy) copy[key] = copyOf(copy[key])
  return copy as T
}

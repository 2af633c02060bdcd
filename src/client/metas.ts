/** One user's metas, and which of them are one and the same. */
import type { Meta } from "../wire/presence.ts"

/** Whether this is an object to look up keys in: no array, and not `null`. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  !!value && typeof value === "object" && !Array.isArray(value)

/** Deep equality of JSON values; the same object is equal to itself without a look inside. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b)) {
    let at = a.length === b.length ? a.length : 0
    while (at > 0 && same(a[at - 1], b[at - 1])) at--
    return at === 0 && a.length === b.length
  }
  if (!isObject(a) || !isObject(b)) return false
  let more = 0
  for (const key in a) {
    // Two equal primitives are the keys' own; an object may be what any object has as `__proto__`.
    if (a[key] !== b[key] && !(Object.hasOwn(b, key) && same(a[key], b[key]))) return false
    more++
  }
  for (const _ in b) more--
  return !more
}

/** Metas by reference; one without is its own key, and that of all with the same content (rule 19). In order of first place. */
export type Metas<F extends object> = Map<unknown, Meta<F>>

/** The key of a meta among others: its reference, or an equal one's key. */
export const idOf = <F extends object>(meta: Meta<F>, known: Metas<F>, more: Metas<F> = known): unknown =>
  meta.phx_ref ?? [...known.keys(), ...more.keys(), meta].find((other) => same(other, meta))

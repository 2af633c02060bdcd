/** One user's metas, and which of them are one and the same. */
import type { Meta } from "../wire/presence.ts"

/** Whether this is an object to look up keys in: no array, and not `null`. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  !!value && typeof value === "object" && !Array.isArray(value)

/** Deep equality of JSON values; the same object is equal to itself without a look inside. */
export const same = (a: unknown, b: unknown): boolean =>
  a === b ||
  (!!a && !!b && typeof a === "object" && typeof b === "object" && Array.isArray(a) === Array.isArray(b) && alike(a, b))

function alike(a: object, b: object): boolean {
  const keys = Object.keys(a) as never[]
  // `hasOwn`, for `b.__proto__` would be found on any object.
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]))
}

/** Metas by reference; one without is its own key, and that of all with the same content (rule 19). In order of first place. */
export type Metas<F extends object> = Map<unknown, Meta<F>>

/** The key of a meta among others: its reference, or an equal one's key. */
export const idOf = <F extends object>(meta: Meta<F>, known: Metas<F>, more: Metas<F>): unknown =>
  meta.phx_ref ?? [...known.keys(), ...more.keys(), meta].find((other) => same(other, meta))

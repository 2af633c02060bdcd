/** One user's metas: which of them are one and the same, and what a join, a leave or the server's own list makes of them. */
import type { Meta, PresenceEntry } from "../wire/presence.ts"

/** What a frame does with a user: brings some metas, takes some away, or says which ones there are. */
export type Kind = "join" | "leave" | "state"

/** The user afterwards, the same object if nothing changed; the metas that came; and the metas that went. */
export type Moved<F extends object> = readonly [
  next: PresenceEntry<F> | undefined,
  fresh: readonly Meta<F>[],
  gone: readonly Meta<F>[],
]

/** Whether this is an object to look up keys in: no array, and not `null`. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  !!value && typeof value === "object" && !Array.isArray(value)

/** Deep equality of JSON values; the same object is equal to itself without a look inside. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((value, at) => same(value, b[at]))
  if (!isObject(a) || !isObject(b)) return false
  let more = 0
  for (const key in a) {
    // `hasOwn`, for `b.__proto__` would be found on any object.
    if (!Object.hasOwn(b, key) || !same(a[key], b[key])) return false
    more++
  }
  for (const _ in b) more--
  return !more
}

/** By reference; a meta without one by itself, or by the first one with the same content (rule 19). In order of first place. */
type Metas<F extends object> = Map<unknown, Meta<F>>

const idOf = <F extends object>(meta: Meta<F>, known: Metas<F>, more: Metas<F>): unknown =>
  meta.phx_ref ?? [...known.keys(), ...more.keys(), meta].find((other) => same(other, meta))

const minus = <F extends object>(from: Metas<F>, others: Metas<F>): Meta<F>[] => {
  const rest: Meta<F>[] = []
  for (const [id, meta] of from) if (!others.has(id)) rest.push(meta)
  return rest
}

/**
 * Applies what was sent for one user.
 *
 * A join: known metas keep their place and take the sent content (rule 7), new ones follow; extras are the sent ones (rule 6).
 * A reference that a present meta has replaced already is the older of two updates, come late, and dropped (rule 45).
 *
 * A leave: extras that come with it are news of the user, and refresh what the survivors had (rule 15).
 *
 * A state: the server wins in content, extras (rule 27) and order (rule 29).
 */
export function moveMetas<F extends object>(
  kind: Kind,
  current: PresenceEntry<F> | undefined,
  sent: PresenceEntry<F>,
): Moved<F> {
  // The commonest cases, without a map: a user's first device, and a user of whom a state has no news.
  if (!current && sent.metas.length === 1) return [sent, sent.metas, []]
  if (kind === "state" && same(current, sent)) return [current, [], []]
  const was: Metas<F> = new Map()
  const replaced = new Set<unknown>()
  for (const meta of current?.metas ?? []) {
    was.set(idOf(meta, was, was), meta)
    replaced.add(meta.phx_ref_prev)
  }
  const after: Metas<F> = new Map(kind === "state" ? [] : was)
  let news = kind === "state"
  for (const meta of sent.metas) {
    const id = idOf(meta, was, after)
    const known = was.get(id)
    if (kind === "leave") news = after.delete(id) || news
    else if (kind === "state" || known || !replaced.has(id)) {
      after.set(id, known && same(known, meta) ? known : meta)
      replaced.add(meta.phx_ref_prev)
      news = true
    }
  }
  if (!news) return [current, [], []]
  const extras = kind === "leave" && Object.keys(sent).length < 2 ? current : sent
  const next = { ...extras, metas: [...after.values()] }
  return [same(current, next) ? current : next, minus(after, was), minus(was, after)]
}

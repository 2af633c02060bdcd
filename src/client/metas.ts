/** One user's metas: which of them are one and the same, and what a join, a leave or the server's own list makes of them. */
import type { Meta, PresenceEntry } from "../wire/presence.ts"

/** What a join or a leave came to: the presence afterwards (the same object if nothing changed), and the metas that moved. */
export type Joined<F extends object> = { next: PresenceEntry<F> | undefined; fresh: readonly Meta<F>[] }
export type Left<F extends object> = { next: PresenceEntry<F>; gone: readonly Meta<F>[] }

const NONE: readonly never[] = []

/** Deep equality of JSON values; the same object is equal to itself without a look inside. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (!a || !b || typeof a !== "object" || typeof b !== "object" || Array.isArray(a) !== Array.isArray(b)) return false
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>]
  let more = 0
  for (const key in left) {
    // `hasOwn`, for `right.__proto__` would be found on any object.
    if (!Object.hasOwn(right, key) || !same(left[key], right[key])) return false
    more++
  }
  for (const _ in right) more--
  return more === 0
}

/** Tells metas apart: by reference, and by content, whatever the order of its fields, where there is none (rule 19). */
export const idOf = (meta: Meta<object>): string => meta.phx_ref ?? JSON.stringify(meta, inKeyOrder)

function inKeyOrder(_: string, value: unknown): unknown {
  if (!value || typeof value !== "object" || Array.isArray(value)) return value
  const entries = Object.entries(value)
  entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries)
}

/** In order, each once: a doubled meta keeps its first place and takes its last content. */
const byId = <F extends object>(metas: readonly Meta<F>[] = NONE): Map<string, Meta<F>> =>
  new Map(metas.map((meta) => [idOf(meta), meta]))

const without = <F extends object>(metas: Map<string, Meta<F>>, others: Map<string, unknown>): Meta<F>[] => {
  const rest: Meta<F>[] = []
  for (const [id, meta] of metas) if (!others.has(id)) rest.push(meta)
  return rest
}

/**
 * A diff's join. Known metas keep their place and take the content that was sent, new ones follow; extras are the sent ones (rule 6).
 *
 * Not a join: a known reference (rule 7), no metas at all (rule 20), and a reference that a present meta has replaced already,
 * which is how the older of two updates arrives late (rule 45).
 */
export function joinMetas<F extends object>(current: PresenceEntry<F> | undefined, sent: PresenceEntry<F>): Joined<F> {
  if (!current && sent.metas.length === 1) return { next: sent, fresh: sent.metas }
  const metas = byId(current?.metas)
  const before = metas.size
  const replaced = new Set(current?.metas.map((meta) => meta.phx_ref_prev))
  let taken = false
  for (const meta of sent.metas) {
    const id = idOf(meta)
    const known = metas.get(id)
    if (!known && meta.phx_ref !== undefined && replaced.has(id)) continue
    metas.set(id, known && same(known, meta) ? known : meta)
    replaced.add(meta.phx_ref_prev)
    taken = true
  }
  if (!taken) return { next: current, fresh: NONE }
  const next = { ...sent, metas: [...metas.values()] }
  const fresh = next.metas.slice(before)
  return { next: fresh.length === 0 && same(current, next) ? current : next, fresh }
}

/** A diff's leave. Extras that come with it are news of the user, and refresh what the survivors had (rule 15). */
export function leaveMetas<F extends object>(current: PresenceEntry<F>, sent: PresenceEntry<F>): Left<F> {
  const here = byId(current.metas)
  const left = byId(sent.metas)
  const metas = without(here, left)
  if (metas.length === here.size) return { next: current, gone: NONE }
  const gone = without(left, new Map([...left].filter(([id]) => !here.has(id))))
  return { next: { ...(Object.keys(sent).length > 1 ? sent : current), metas }, gone }
}

/** The server's own list of a user: it wins in content, extras (rule 27) and order (rule 29). */
export function replaceMetas<F extends object>(
  current: PresenceEntry<F> | undefined,
  sent: PresenceEntry<F>,
): Joined<F> & Left<F> {
  if (!current && sent.metas.length === 1) return { next: sent, fresh: sent.metas, gone: NONE }
  if (same(current, sent)) return { next: current!, fresh: NONE, gone: NONE }
  const was = byId(current?.metas)
  const is = byId(sent.metas)
  const [fresh, gone] = [without(is, was), without(was, is)]
  for (const [id, meta] of is) {
    const known = was.get(id)
    if (same(known, meta)) is.set(id, known!)
  }
  const next = { ...sent, metas: [...is.values()] }
  return { next: same(current, next) ? current! : next, fresh, gone }
}

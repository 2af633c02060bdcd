/** What changed between two entries of a user. */
import type { Meta } from "../wire/presence-payloads.ts"
import { idOf, same } from "./metas.ts"
import type { PresenceEvent } from "./reducers.ts"
import type { Entry } from "./store.ts"

/** One device of an updated user, before and after. `fields` are the names of the fields that changed; there is at least one. */
export type Replaced<F extends object = Record<string, unknown>> = {
  readonly previous: Meta<F>
  readonly current: Meta<F>
  readonly fields: readonly string[]
}

/**
 * The change of one user in one frame. It is an update if a further device joins, a device changes, or one of several
 * leaves.
 *
 * Of an update, `added` and `removed` are the metas that came and left. `replaced` are pairs of metas: the `phx_ref_prev` of the
 * new one names the old one, perhaps by way of others in the same frame, or both have the same `phx_ref`. A pair whose content
 * is equal is left out. `fields` are the names of all fields that changed: those of the pairs, and those of the user itself. All
 * four are empty if only the order of the metas changed.
 */
export type Change<F extends object = Record<string, unknown>> =
  | { readonly type: "join"; readonly key: string; readonly current: Entry<F>; readonly previous?: undefined }
  | {
      readonly type: "update"
      readonly key: string
      readonly current: Entry<F>
      readonly previous: Entry<F>
      readonly added: readonly Meta<F>[]
      readonly removed: readonly Meta<F>[]
      readonly replaced: readonly Replaced<F>[]
      readonly fields: readonly string[]
    }
  | { readonly type: "leave"; readonly key: string; readonly current?: undefined; readonly previous: Entry<F> }

/**
 * What caused changes: the first state of a room (`initial`), a later state, such as that after a reconnect (`resync`), or
 * anything else (`diff`).
 */
export type Cause = "initial" | "diff" | "resync"

/** Returns the names of the fields that differ. References are no fields. */
const differing = (a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): string[] =>
  Object.keys({ ...a, ...b }).filter((name) => {
    try {
      return !/^phx_ref(_prev)?$/.test(name) && !same(a[name], b[name])
    } catch {
      // What is nested too deeply cannot be compared.
      return true
    }
  })

/** Whether two entries are equal but for references. */
export const isEqualContent = <F extends object>(a: Entry<F>, b: Entry<F>): boolean =>
  a.metas.length === b.metas.length &&
  !differing({ ...a, metas: 0 }, { ...b, metas: 0 }).length &&
  a.metas.every((meta, at) => !differing(meta, b.metas[at]!).length)

/**
 * Returns the change from one entry of a user to the next. One of them may be `undefined`.
 *
 * @param previousOf returns the `phx_ref_prev` of a ref of this user that joined in the frame, even if it has left again
 */
export function changeOf<F extends object>(
  key: string,
  previous: Entry<F> | undefined,
  current: Entry<F> | undefined,
  previousOf: (key: string, ref: string) => string | undefined,
): Change<F> {
  if (!previous || !current) return { type: current ? "join" : "leave", key, current, previous } as Change<F>
  const left = new Map(previous.metas.map((meta) => [idOf(meta), meta]))
  const replaced: Replaced<F>[] = []
  const fields = new Set(differing(previous, current))
  fields.delete("metas")
  const added = current.metas.filter((meta) => {
    let ref: string | undefined = idOf(meta)
    let next = meta.phx_ref_prev
    // References of a faulty server could form a circle.
    for (let tries = 1_000; ref && tries--;) {
      const before = left.get(ref)
      if (before) {
        left.delete(ref)
        const changed = before === meta ? [] : differing(before, meta)
        if (changed.length) replaced.push({ previous: before, current: meta, fields: changed })
        for (const name of changed) fields.add(name)
        return false
      }
      ref = next
      next = ref && previousOf(key, ref)
    }
    return true
  })
  return { type: "update", key, current, previous, added, removed: [...left.values()], replaced, fields: [...fields] }
}

/** Returns a function that returns the `phx_ref_prev` of a meta of this user that joined in a frame. */
export function linksIn<F extends object>(
  events: readonly PresenceEvent<F>[],
): (key: string, ref: string) => string | undefined {
  let links: Map<string, string | undefined> | undefined
  return (key, ref) => {
    links ??= new Map(
      events.flatMap(([isJoin, of, , , metas]) =>
        isJoin ? metas.map((meta) => [`${of} ${meta.phx_ref}`, meta.phx_ref_prev] as const) : [],
      ),
    )
    return links.get(`${key} ${ref}`)
  }
}

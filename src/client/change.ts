/** What changed between two entries of a user. */
import type { Meta } from "../wire/presence-payloads.ts"
import { idOf, surelySame } from "./metas.ts"
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
 *
 * With the option `keepLeftMs` of a room, a leave has a `current`: the entry with its `leftAt`. It is removed later (`remove`),
 * unless the user joins again, with that entry as `previous`.
 */
export type Change<F extends object = Record<string, unknown>> =
  | {
      readonly type: "join"
      readonly key: string
      readonly current: Entry<F>
      readonly previous?: Entry<F> | undefined
    }
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
  | {
      readonly type: "leave"
      readonly key: string
      readonly current?: Entry<F> | undefined
      readonly previous: Entry<F>
    }
  | { readonly type: "remove"; readonly key: string; readonly current?: undefined; readonly previous: Entry<F> }

/**
 * What caused changes: the first state of a room (`initial`), a later state, such as that after a reconnect (`resync`), or
 * anything else (`diff`).
 */
export type Cause = "initial" | "diff" | "resync"

type Fields = Readonly<Record<string, unknown>>

/** Returns the names of the fields that differ. References are no fields. */
const differing = (a: Fields, b: Fields): string[] =>
  Object.keys(a === b ? {} : { ...a, ...b }).filter(
    (name) => !/^phx_ref(_prev)?$/.test(name) && !surelySame(a[name], b[name]),
  )

/** Returns the names of the fields of the users themselves that differ. */
const differingExtras = (a: Fields, b: Fields): string[] => differing({ ...a, metas: 0 }, { ...b, metas: 0 })

/** Whether two entries are equal but for references. */
export const isEqualContent = <F extends object>(a: Entry<F>, b: Entry<F>): boolean =>
  a.metas.length === b.metas.length &&
  !differingExtras(a, b).length &&
  a.metas.every((meta, at) => !differing(meta, b.metas[at]!).length)

/**
 * Returns the change from one entry of a user to the next. One of them may be `undefined`.
 *
 * @param previousOf returns the `phx_ref_prev` of a ref of this user that joined in the frame, even if it has left again
 * @param wasLeft whether the user of `previous` has left and is kept
 * @param isLeft the same of `current`
 */
export function changeOf<F extends object>(
  key: string,
  previous: Entry<F> | undefined,
  current: Entry<F> | undefined,
  previousOf: (key: string, ref: string) => string | undefined,
  wasLeft?: boolean,
  isLeft?: boolean,
): Change<F> {
  const was = previous && !wasLeft
  if (!was || !current || isLeft)
    return { type: was ? "leave" : current ? "join" : "remove", key, current, previous } as Change<F>
  const left = new Map(previous.metas.map((meta) => [idOf(meta), meta]))
  const replaced: Replaced<F>[] = []
  const fields = new Set(differingExtras(previous, current))
  const added = current.metas.filter((meta) => {
    let ref: string | undefined = idOf(meta)
    let next = meta.phx_ref_prev
    // References of a faulty server could form a circle.
    for (let tries = 1_000; ref && tries--;) {
      const before = left.get(ref)
      if (before) {
        left.delete(ref)
        const changed = differing(before, meta)
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

import type { Meta, PresenceDiff, PresenceEntry, PresenceState } from "../../wire/presence-payloads.ts"

/** Returns the present entry of a user, or `undefined`. */
type Present = (key: string) => PresenceEntry | undefined

/**
 * Translates the diffs of one channel for Supabase's client, which loses references: when a user joins or leaves with some metas
 * and keeps others, its callbacks remove `phx_ref` from those that stay, and no later diff can remove them.
 *
 * So a diff is sent in two parts, leaves first, and a user with several metas leaves with all of them and joins again with those
 * that stay. The client's view is then right, but its callbacks report metas as left and joined that have stayed.
 */
export class SupabaseDiffs {
  /** The users with several metas: key → the metas that the client knows. */
  readonly #shared = new Map<string, readonly Meta[]>()

  /** Returns the diffs to send for one diff. */
  translate(diff: PresenceDiff, present: Present): readonly PresenceDiff[] {
    // Without a prototype, since a key may be `__proto__`.
    const joins = Object.create(null) as Record<string, PresenceEntry>
    const leaves = Object.create(null) as Record<string, PresenceEntry>
    for (const key of new Set([...Object.keys(diff.leaves), ...Object.keys(diff.joins)])) {
      const [joined, left] = [entryOf(diff.joins, key), entryOf(diff.leaves, key)]
      const now = present(key)
      const shared = this.#isShared(key, joined, now) ? this.#rejoin(key, joined, left, now) : { joined, left }
      if (shared.left !== undefined) leaves[key] = shared.left
      if (shared.joined !== undefined) joins[key] = shared.joined
    }
    const parts = [
      { joins: {}, leaves },
      { joins, leaves: {} },
    ]
    return parts.filter((part) => Object.keys(part.joins).length + Object.keys(part.leaves).length > 0)
  }

  /** Whether metas of the user stay that the diff does not contain, or have stayed before. */
  #isShared(key: string, joined: PresenceEntry | undefined, now: PresenceEntry | undefined): boolean {
    if (this.#shared.has(key)) return true
    const count = now?.metas.length ?? 0
    return count > 1 || (count === 1 && joined === undefined)
  }

  #rejoin(
    key: string,
    joined: PresenceEntry | undefined,
    left: PresenceEntry | undefined,
    now: PresenceEntry | undefined,
  ): { joined: PresenceEntry | undefined; left: PresenceEntry } {
    const known = [...(this.#shared.get(key) ?? []), ...(joined?.metas ?? [])]
    const metas = now?.metas ?? []
    // The present metas may be ahead of this diff. Then the diffs to come need the same treatment.
    const isUpToDate = metas.every((meta) => known.some(({ phx_ref: ref }) => ref === meta.phx_ref))
    if (metas.length > 1 || !isUpToDate) this.#shared.set(key, metas)
    else this.#shared.delete(key)
    const former = new Map([...known, ...(left?.metas ?? []), ...metas].map((meta) => [meta.phx_ref, meta]))
    return { joined: now, left: { ...(left ?? now ?? joined), metas: [...former.values()] } }
  }
}

const entryOf = (state: PresenceState, key: string): PresenceEntry | undefined =>
  Object.hasOwn(state, key) ? state[key] : undefined

import type { Meta, PresenceDiff, PresenceState } from "../wire/presence-payloads.ts"
import { countedValue, type PresenceCount } from "../wire/introduction.ts"

type Fields = Readonly<Record<string, unknown>>

/** Who is in one topic of a server in memory: devices of users, each with a reference. Each change returns its diff. */
export class FakePresences {
  readonly #devices = new Map<string, { readonly key: string; readonly meta: Meta }>()
  #refs = 0

  /** Adds a device of a user. */
  join(key: string, fields: object): { readonly ref: string; readonly diff: PresenceDiff } {
    const ref = this.#add(key, { ...fields })
    return { ref, diff: { joins: this.#state([ref]), leaves: {} } }
  }

  /** Replaces the fields of a device. A field that is `undefined` is removed. Returns the new reference. */
  update(ref: string, fields: object): { readonly ref: string; readonly diff: PresenceDiff } {
    const { key, meta } = this.#devices.get(ref)!
    const { phx_ref: _ref, phx_ref_prev: _prev, ...former } = meta
    const leaves = this.#state([ref])
    const kept = Object.entries({ ...former, ...fields }).filter(([, value]) => value !== undefined)
    const next = this.#add(key, Object.fromEntries(kept), ref)
    this.#devices.delete(ref)
    return { ref: next, diff: { joins: this.#state([next]), leaves } }
  }

  /** Removes devices. */
  leave(refs: readonly string[]): PresenceDiff {
    const leaves = this.#state(refs)
    for (const ref of refs) this.#devices.delete(ref)
    return { joins: {}, leaves }
  }

  /** Returns the references of a user's devices, oldest first. */
  refsOf(key: string): string[] {
    return [...this.#devices].flatMap(([ref, device]) => (device.key === key ? [ref] : []))
  }

  state(): PresenceState {
    return this.#state([...this.#devices.keys()])
  }

  /** Counts the users. @param field by whose values to count, or `""` for the total alone */
  count(field: string): PresenceCount {
    const users = Object.values(this.state())
    if (field === "") return { total: users.length }
    const by = new Map<string, number>()
    for (const { metas } of users) {
      const value = countedValue(metas[0]?.[field])
      if (value !== undefined) by.set(value, (by.get(value) ?? 0) + 1)
    }
    return { total: users.length, by: Object.fromEntries([...by].sort(([, a], [, b]) => b - a)) }
  }

  #add(key: string, fields: Fields, previous?: string): string {
    const ref = `fake-${(this.#refs += 1)}`
    this.#devices.set(ref, { key, meta: { ...fields, phx_ref: ref, ...(previous && { phx_ref_prev: previous }) } })
    return ref
  }

  #state(refs: readonly string[]): PresenceState {
    const users = new Map<string, Meta[]>()
    for (const ref of refs) {
      const { key, meta } = this.#devices.get(ref)!
      users.set(key, [...(users.get(key) ?? []), meta])
    }
    return Object.fromEntries([...users].map(([key, metas]) => [key, { metas }]))
  }
}

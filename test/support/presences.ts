/** Builds presences for tests, and freezes them. */
import type { PresenceEntry, PresenceState } from "../../src/client/index.ts"

export const meta = (phx_ref: string, fields: object = {}): any => ({ phx_ref, ...fields })

/** `user("1", "2")`: a user with two devices. */
export const user = (...refs: string[]): PresenceEntry => ({ metas: refs.map((ref) => meta(ref)) })

/** A state in short: key → refs. */
export const refs = (state: PresenceState): Record<string, (string | undefined)[]> =>
  Object.fromEntries(Object.entries(state).map(([key, { metas }]) => [key, metas.map((each) => each.phx_ref)]))

export function deepFreeze<T>(value: T): T {
  if (value && typeof value === "object" && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const each of Object.values(value)) deepFreeze(each)
  }
  return value
}

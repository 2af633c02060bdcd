/** Whether a payload is what it should be, told before anything of it is applied (rule 48). */
import { RollcallError } from "../error.ts"
import type { PresenceDiff, PresenceState } from "../wire/presence.ts"

const kindOf = (value: unknown): string => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value)

/** Throws `bad_frame` unless `value` is of this kind; `path` says where it stands. */
function expect(kind: string, value: unknown, path: () => string): void {
  if (kindOf(value) !== kind) {
    throw new RollcallError("bad_frame", `${path()}: expected ${kind}, got ${kindOf(value)}`)
  }
}

/** The value as an object that is no array, or `bad_frame`. */
export function expectObject<T>(value: T, name: string): T {
  expect("object", value, () => name)
  return value
}

/** The payload as a `presence_state`, or `bad_frame`: key → `{ metas: [{ phx_ref?, … }, …], … }`. */
export function expectState<F extends object>(payload: unknown, name = "presence_state"): PresenceState<F> {
  expectObject(payload, name)
  for (const [key, presence] of Object.entries(payload as PresenceState)) {
    const path = (): string => `${name}[${JSON.stringify(key)}]`
    expect("object", presence, path)
    expect("array", presence.metas, () => `${path()}.metas`)
    for (const meta of presence.metas) {
      expect("object", meta, () => `a meta in ${path()}`)
      if (meta.phx_ref !== undefined) expect("string", meta.phx_ref, () => `phx_ref in ${path()}`)
    }
  }
  return payload as PresenceState<F>
}

/** The payload as a `presence_diff`, or `bad_frame`: `{ joins, leaves }`, each shaped as a state. */
export function expectDiff<F extends object>(payload: unknown): PresenceDiff<F> {
  expectObject(payload, "presence_diff")
  const { joins, leaves } = payload as PresenceDiff
  expectState(joins, "joins")
  expectState(leaves, "leaves")
  return payload as PresenceDiff<F>
}

/** Whether a payload is what it should be, told before anything of it is applied (rule 48). */
import { RollcallError } from "../error.ts"
import type { PresenceDiff, PresenceState } from "../wire/presence.ts"
import { isObject } from "./metas.ts"

const isMeta = (meta: unknown): boolean => isObject(meta) && typeof (meta["phx_ref"] ?? "") === "string"

const isPresence = (value: unknown): boolean =>
  isObject(value) && Array.isArray(value["metas"]) && value["metas"].every(isMeta)

function refuse(place: string, expected: string, got: unknown): never {
  throw new RollcallError("bad_frame", `${place}: expected ${expected}, got ${JSON.stringify(got)?.slice(0, 80)}`)
}

/** The value as an object, or `bad_frame`. */
export const expectObject = (value: unknown, place: string): Record<string, unknown> =>
  isObject(value) ? value : refuse(place, "an object", value)

/** The payload as a `presence_state`, or `bad_frame`: key → `{ metas: [{ phx_ref?, … }, …], … }`. */
export function expectState<F extends object>(payload: unknown, place = "state"): PresenceState<F> {
  const state = expectObject(payload, place)
  for (const key of Object.keys(state)) {
    if (!isPresence(state[key])) refuse(`${place}.${key}`, "{ metas: [{ phx_ref }] }", state[key])
  }
  return state as PresenceState<F>
}

/** The payload as a `presence_diff`, or `bad_frame`: `{ joins, leaves }`, each shaped as a state. */
export function expectDiff<F extends object>(payload: unknown): PresenceDiff<F> {
  const { joins, leaves } = expectObject(payload, "diff")
  return { joins: expectState(joins, "joins"), leaves: expectState(leaves, "leaves") }
}

/** Whether a payload is what it should be, told before anything of it is applied (rule 48). */
import { RollcallError } from "../error.ts"
import type { PresenceEntry, PresenceState } from "../wire/presence.ts"
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

/** A state's users as they were sent, in its own order: to look keys up twice is what a large frame would cost most. */
export type Users<F extends object> = readonly (readonly [key: string, sent: PresenceEntry<F>])[]

/** The payload of a `presence_state`, or `bad_frame`: key → `{ metas: [{ phx_ref?, … }, …], … }`. */
export function expectState<F extends object>(payload: unknown, place = "state"): Users<F> {
  const state = expectObject(payload, place) as PresenceState<F>
  return Object.keys(state).map((key) => {
    const sent = state[key]!
    if (!isPresence(sent)) refuse(`${place}.${key}`, "{ metas: [{ phx_ref }] }", sent)
    return [key, sent]
  })
}

/** The payload of a `presence_diff`, or `bad_frame`: `{ joins, leaves }`, each shaped as a state. */
export function expectDiff<F extends object>(payload: unknown): Diff<F> {
  const { joins, leaves } = expectObject(payload, "diff")
  return { joins: expectState(joins, "joins"), leaves: expectState(leaves, "leaves") }
}

export type Diff<F extends object> = { readonly joins: Users<F>; readonly leaves: Users<F> }

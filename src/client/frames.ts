/** Whether a payload is what it should be, told before anything of it is applied (rule 48). */
import { RollcallError } from "../error.ts"
import type { PresenceDiff, PresenceState } from "../wire/presence.ts"
import { isObject } from "./metas.ts"

function refuse(path: string, expected: string, got: unknown): never {
  throw new RollcallError("bad_frame", `${path}: expected ${expected}, got ${JSON.stringify(got)?.slice(0, 80)}`)
}

const isMeta = (meta: unknown): boolean => isObject(meta) && typeof (meta["phx_ref"] ?? "") === "string"

/** The payload as a `presence_state`, or `bad_frame`: key → `{ metas: [{ phx_ref?, … }, …], … }`. */
export function expectState<F extends object>(payload: unknown, name = "state"): PresenceState<F> {
  if (!isObject(payload)) refuse(name, "an object", payload)
  for (const [key, presence] of Object.entries(payload)) {
    if (!isObject(presence) || !Array.isArray(presence["metas"]) || !presence["metas"].every(isMeta)) {
      refuse(`${name}.${key}`, "{ metas: [{ phx_ref }] }", presence)
    }
  }
  return payload as PresenceState<F>
}

/** The payload as a `presence_diff`, or `bad_frame`: `{ joins, leaves }`, each shaped as a state. */
export function expectDiff<F extends object>(payload: unknown): PresenceDiff<F> {
  if (!isObject(payload)) refuse("diff", "an object", payload)
  expectState(payload["joins"], "joins")
  expectState(payload["leaves"], "leaves")
  return payload as PresenceDiff<F>
}

/** Whether a payload is what it should be, told before anything of it is applied (rule 48). */
import { RollcallError } from "../error.ts"
import type { PresenceEntry } from "../wire/presence.ts"
import { isObject } from "./metas.ts"

const isMeta = (meta: unknown): boolean => isObject(meta) && typeof (meta["phx_ref"] ?? "") === "string"

function expect(ok: boolean, place: string, expected: string, got: unknown): void {
  if (ok) return
  throw new RollcallError("bad_frame", `${place}: expected ${expected}, got ${JSON.stringify(got)?.slice(0, 80)}`)
}

/** Throws `bad_frame` unless `value` is an object; `place` is its name in the message. */
export function expectObject(value: unknown, place: string): asserts value is Record<string, unknown> {
  expect(isObject(value), place, "an object", value)
}

/** Throws `bad_frame` unless `value` is `{ metas: [{ phx_ref?, … }, …], … }`. */
export function expectPresence<F extends object>(value: unknown, place: string): asserts value is PresenceEntry<F> {
  const ok = isObject(value) && Array.isArray(value["metas"]) && value["metas"].every(isMeta)
  expect(ok, place, "{ metas: [{ phx_ref }] }", value)
}

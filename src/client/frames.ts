/** Whether a payload is what it should be, told before anything of it is applied (rule 48). */
import { RollcallError } from "../error.ts"
import type { PresenceEntry } from "../wire/presence.ts"
import { isObject } from "./metas.ts"

const isMeta = (meta: unknown): boolean => isObject(meta) && typeof (meta["phx_ref"] ?? "") === "string"

function expect(ok: boolean, got: unknown, ...place: string[]): void {
  if (ok) return
  const came = JSON.stringify(got)?.slice(0, 80)
  throw new RollcallError("bad_frame", `${place.join(" of ")}: expected { metas: [] } by key, got ${came}`)
}

/** Throws `bad_frame` unless `value` is an object, presences by key; `place` is its name in the message. */
export function expectPresences(value: unknown, place: string): asserts value is Record<string, unknown> {
  expect(isObject(value), value, place)
}

/** Throws `bad_frame` unless `value` is one presence, `{ metas: [{ phx_ref?, … }, …], … }`. */
export function expectPresence<F extends object>(
  value: unknown,
  place: string,
  key: string,
): asserts value is PresenceEntry<F> {
  expect(isObject(value) && Array.isArray(value["metas"]) && value["metas"].every(isMeta), value, place, key)
}

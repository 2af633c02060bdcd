/** Whether a payload is what it should be, told before anything of it is applied (C48). */
import { RollcallError } from "../error.ts"
import type { Meta, PresenceEntry } from "../wire/presence.ts"
import { idOf, isObject } from "./metas.ts"

const isMeta = (meta: unknown): boolean => isObject(meta) && typeof idOf(meta as Meta<object>) === "string"

/** Whether this is one user, `{ metas: [{ phx_ref?, … }, …], … }`. */
export const isPresence = (value: unknown): value is PresenceEntry =>
  Array.isArray((value as PresenceEntry | undefined)?.metas) && (value as PresenceEntry).metas.every(isMeta)

/** Throws `bad_frame` unless `got` passes: by default, unless it is an object, presences by key. */
export function expect<T = Record<string, unknown>>(
  got: unknown,
  passes: (value: unknown) => boolean = isObject,
): asserts got is T {
  if (!passes(got)) throw new RollcallError("bad_frame", `expected {metas:[]}, got ${JSON.stringify(got)}`)
}

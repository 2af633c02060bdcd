/** Functions that check the shape of a presence payload, before any of it is applied (C48). */
import { RollcallError } from "../error.ts"
import type { Meta, PresenceEntry } from "../wire/presence-payloads.ts"
import { isObject } from "../json.ts"
import { idOf } from "./metas.ts"

const isMeta = (meta: unknown): boolean => isObject(meta) && typeof idOf(meta as Meta<object>) === "string"

/** Whether a value is one user, `{ metas: [{ phx_ref?, … }, …], … }`. */
export const isPresence = (value: unknown): value is PresenceEntry =>
  Array.isArray((value as PresenceEntry | undefined)?.metas) && (value as PresenceEntry).metas.every(isMeta)

/**
 * Throws unless `value` passes `check`, which by default requires an object, such as presences by key.
 *
 * @throws RollcallError `bad_frame`
 */
export function assertPayload<T = Record<string, unknown>>(
  value: unknown,
  check: (value: unknown) => boolean = isObject,
): asserts value is T {
  if (!check(value)) throw new RollcallError("bad_frame", `expected {metas:[]}, got ${JSON.stringify(value)}`)
}

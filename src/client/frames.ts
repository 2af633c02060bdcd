/** Whether a payload is what it should be, told before anything of it is applied (rule 48). */
import { RollcallError } from "../error.ts"
import type { Meta } from "../wire/presence.ts"
import { idOf, isObject } from "./metas.ts"

const isMeta = (meta: unknown): boolean => isObject(meta) && typeof idOf(meta as Meta<object>) === "string"

/** Whether this is one user, `{ metas: [{ phx_ref?, … }, …], … }`. */
export const isPresence = (user: { metas?: unknown } | null | undefined): boolean =>
  Array.isArray(user?.metas) && user.metas.every(isMeta)

/** Throws `bad_frame` unless `got` passes, which is, by default, to be an object: presences by key. */
export function expect<T = Record<string, object>>(got: unknown, passes: boolean = isObject(got)): asserts got is T {
  if (!passes) throw new RollcallError("bad_frame", `expected { metas: [] }, got ${JSON.stringify(got)}`.slice(0, 100))
}

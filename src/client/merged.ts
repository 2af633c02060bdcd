import { CHOSEN } from "../wire/choices.ts"
import type { Meta } from "../wire/presence-payloads.ts"
import { latestChoice } from "./choices.ts"
import { merge, valueAt } from "./update-batch.ts"

/** Options of `merged`. */
export interface MergedOptions {
  /** The fields that count only if all devices have them, with a value other than `false`, `null`, `0` or `""`. Default `["away"]`. */
  readonly every?: readonly string[]
}

/**
 * Returns one object with the fields of all devices of a user, without references; `{}` for no user.
 *
 * - A field that was chosen, with `room.update({ status }, { chosen: true })`, has the value of the latest choice.
 * - A field of `every` is there only if all devices have it.
 * - Any other field has the value of the newest device that has it.
 *
 * All viewers get the same value of a chosen field, in whatever order they learned of the devices.
 */
export function merged<F extends object = Record<string, unknown>>(
  user: { readonly metas: readonly Meta<F>[] } | undefined,
  { every = ["away"] }: MergedOptions = {},
): Readonly<Partial<F>> {
  const metas = (user?.metas ?? []) as readonly Meta[]
  const newest = merge(...metas)
  const fields = Object.entries(newest).flatMap(([field, value]) => {
    if (field === "phx_ref" || field === "phx_ref_prev" || field === CHOSEN) return []
    if (every.includes(field)) return metas.every((meta) => valueAt(meta, field)) ? [[field, value]] : []
    return [[field, (latestChoice(metas, field) ?? newest)[field]]]
  })
  return Object.freeze(Object.fromEntries(fields) as Partial<F>)
}

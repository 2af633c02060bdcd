/**
 * Which of a user's devices has chosen a field last. Each choice is counted: one more than the highest counter that the device has
 * seen. So a device that reconnects with an older choice does not undo a later one, and no clock is needed.
 */
import { CHOSEN, isCount } from "../wire/choices.ts"
import { same } from "./metas.ts"

type Fields = Readonly<Record<string, unknown>>

/** Returns the counter of a field; 0 if it was not chosen, or if the field is not there. */
const countOf = (meta: Fields | undefined, field: string): number => {
  const count = (meta?.[CHOSEN] as Fields | null | undefined)?.[field]
  return isCount(count) && Object.hasOwn(meta!, field) ? count : 0
}

const refOf = (meta: Fields): unknown => meta["phx_ref"] ?? ""

/** Returns the meta whose choice of a field is the latest, `undefined` if none has chosen it. Of equal counters, the greater ref wins. */
export function latestChoice<M extends Fields>(metas: readonly M[], field: string): M | undefined {
  let latest: M | undefined
  // In the same order for all viewers.
  for (const meta of [...metas].sort((a, b) => (refOf(a)! < refOf(b)! ? -1 : 1))) {
    const count = countOf(meta, field)
    const best = countOf(latest, field)
    if (count && (!best || ((count - best) | 0) >= 0)) latest = meta
  }
  return latest
}

/**
 * Returns the counter with which a device chooses a value.
 *
 * @param others the metas of the user's other devices
 * @param mine the fields of this device. If its choice is the latest and has this value, the counter stays
 */
export function nextCount(others: readonly Fields[], mine: Fields, field: string, value: unknown): number {
  const latest = latestChoice([mine, ...others], field)
  const count = countOf(latest, field)
  // 0 is no choice.
  return latest === mine && same(mine[field], value) ? count : (count + 1) >>> 0 || 1
}

/**
 * Which of a user's devices has chosen a field last. Each choice is counted: one more than the highest counter that the device has
 * seen. So a device that reconnects with an older choice does not undo a later one, and no clock is needed.
 */
import { CHOSEN, isCount } from "../wire/choices.ts"
import { same } from "./metas.ts"

type Fields = Readonly<Record<string, unknown>>

/**
 * Counters from one multiple of this to the next are on one level. A counter that is two levels above all lower ones of the user was
 * not made by choosing, and does not count. So no device can send a counter that others cannot exceed: 2^53, the end of exact
 * integers, is 8 192 levels away.
 */
const LEVEL = 2 ** 40

const levelOf = (count: number): number => Math.floor(count / LEVEL)

/** Returns the counter of a field; 0 if it was not chosen, or if the field is not there. */
const countOf = (meta: Fields | undefined, field: string): number => {
  const count = (meta?.[CHOSEN] as Fields | null | undefined)?.[field]
  return isCount(count) && Object.hasOwn(meta!, field) ? count : 0
}

const refOf = (meta: Fields): unknown => meta["phx_ref"] ?? ""

/** Returns the meta whose choice of a field is the latest, `undefined` if none has chosen it. Of equal counters, the greater ref wins. */
export function latestChoice<M extends Fields>(metas: readonly M[], field: string): M | undefined {
  let latest: M | undefined
  const inOrder = [...metas].sort((a, b) => countOf(a, field) - countOf(b, field) || (refOf(a)! < refOf(b)! ? -1 : 1))
  for (const meta of inOrder) {
    const count = countOf(meta, field)
    if (count && levelOf(count) - levelOf(countOf(latest, field)) < 2) latest = meta
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
  return countOf(latest, field) + (latest === mine && same(mine[field], value) ? 0 : 1)
}

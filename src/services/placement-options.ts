import { ConfigError, kindOf } from "../error.ts"
import { isWeight } from "./instance-row.ts"
import type { PlacedKind, PlaceOptions } from "./placement.ts"

const DEFAULT_MOVES_PER_SECOND = 500
const DEFAULT_MAX_HELD_CALLS = 1_000
const DEFAULT_HAND_OVER_MS = 5_000

/** Returns the options of a placement with their defaults. @throws ConfigError for an invalid one */
export function checkedPlacement(
  options: PlaceOptions & { readonly definition: PlacedKind },
): Required<Pick<PlaceOptions, "movesPerSecond" | "maxHeldCalls" | "handOverMs">> {
  const { definition, movesPerSecond = DEFAULT_MOVES_PER_SECOND, maxHeldCalls = DEFAULT_MAX_HELD_CALLS } = options
  const { handOverMs = DEFAULT_HAND_OVER_MS } = options
  for (const name of ["start", "stop"] as const) {
    const given: unknown = (Object(definition) as Partial<PlacedKind>)[name]
    if (typeof given !== "function") throw new ConfigError(`expected ${name} to be a function, got ${kindOf(given)}`)
  }
  if (!isWeight(movesPerSecond)) {
    throw new ConfigError(`expected movesPerSecond to be a number above 0, got ${String(movesPerSecond)}`)
  }
  for (const [name, value] of Object.entries({ maxHeldCalls, handOverMs })) {
    if (!(typeof value === "number" && value >= 0)) {
      throw new ConfigError(`expected ${name} to be a number from 0 up, got ${String(value)}`)
    }
  }
  return { movesPerSecond, maxHeldCalls, handOverMs }
}

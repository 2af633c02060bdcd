import { ConfigError, kindOf } from "../error.ts"
import type { Undo } from "../listeners.ts"
import type { Timers } from "../timers.ts"
import type { Tracker } from "../tracker/tracker.ts"
import type { CallOptions } from "./call-options.ts"
import { MAX_MS } from "./cancellation.ts"
import type { ServicesCounter } from "./counter-names.ts"
import { isWeight, WEIGHT } from "./instance-row.ts"
import type { Instance } from "./instance-row.ts"
import { placedKind } from "./option-names.ts"
import type { PlacedKind, PlaceOptions } from "./placement.ts"
import { shownNumber } from "./shown.ts"
import type { OwnInstance } from "./registry.ts"
import type { CallReceiver } from "./served-instance.ts"
import type { Served } from "./services.ts"

/** What a placement needs of the services of its node. */
export interface NodePlacementOptions extends PlaceOptions {
  readonly kind: string
  readonly definition: PlacedKind
  readonly tracker: Tracker
  readonly timers: Timers
  readonly random: () => number
  /** Returns a name that no other start of a node has. */
  newName(): string
  readonly count: (name: ServicesCounter) => void
  readonly onError: (error: unknown) => void
  /** The name of the service whose instances are the nodes that take part. */
  readonly service: string
  instances(): readonly Instance[]
  watch(listener: () => void): Undo
  call(request: string, input: object, options: CallOptions): Promise<unknown>
  /** Announces an instance. `serve` lets a receiver handle its calls. */
  host(meta: object): {
    readonly own: OwnInstance
    serve(receiver: CallReceiver): Pick<Served, "ready" | "end">
  }
  /** Whether there is no bus, and so no other node. */
  readonly isAlone: boolean
  /** Returns what runs the methods of a router. */
  methods(id: string, router: object): CallReceiver
}

const DEFAULT_MOVES_PER_SECOND = 500
const DEFAULT_MAX_HELD_CALLS = 1_000
const DEFAULT_HAND_OVER_MS = 5_000
const DEFAULT_ALONE_AFTER_MS = 500

/** Returns the options of a placement with their defaults. @throws ConfigError for an invalid one */
export function checkedPlacement(
  options: PlaceOptions & { readonly definition: PlacedKind },
): Required<Pick<PlaceOptions, "movesPerSecond" | "maxHeldCalls" | "handOverMs" | "aloneAfterMs">> {
  const { definition, movesPerSecond = DEFAULT_MOVES_PER_SECOND, maxHeldCalls = DEFAULT_MAX_HELD_CALLS } = options
  const { handOverMs = DEFAULT_HAND_OVER_MS, aloneAfterMs = DEFAULT_ALONE_AFTER_MS } = options
  placedKind(definition)
  for (const name of ["start", "stop"] as const) {
    const given: unknown = (Object(definition) as Partial<PlacedKind>)[name]
    if (typeof given !== "function") throw new ConfigError(`expected ${name} to be a function, got ${kindOf(given)}`)
  }
  if (!isWeight(movesPerSecond)) {
    throw new ConfigError(`expected movesPerSecond to be ${WEIGHT}, got ${shownNumber(movesPerSecond)}`)
  }
  if (!(typeof maxHeldCalls === "number" && maxHeldCalls >= 0)) {
    throw new ConfigError(`expected maxHeldCalls to be a number from 0 up, got ${shownNumber(maxHeldCalls)}`)
  }
  for (const [name, value] of Object.entries({ handOverMs, aloneAfterMs })) {
    if (!(typeof value === "number" && value >= 0 && value <= MAX_MS)) {
      throw new ConfigError(`expected ${name} to be a time from 0 to ${MAX_MS} ms, got ${shownNumber(value)}`)
    }
  }
  return { movesPerSecond, maxHeldCalls, handOverMs, aloneAfterMs }
}

import type { SeededNetwork } from "../../src/testing/seeded-network.ts"
import type { mulberry32 } from "../../src/testing/prng.ts"
import type { createTracker } from "../../src/tracker/tracker.ts"

/** What the scenario is made of. */
export interface Parts {
  readonly createTracker: typeof createTracker
  readonly SeededNetwork: typeof SeededNetwork
  readonly mulberry32: typeof mulberry32
}

/** A rule broken on purpose: what a node hears instead of the bytes; `undefined` is nothing. */
export interface Breach {
  receives(bytes: Uint8Array, from: string, to: string): Uint8Array | undefined
}

/** What happened, and what of it was wrong. */
export interface Outcome {
  readonly story: readonly string[]
  readonly failures: readonly string[]
}

export function runScenario(seed: number, parts: Parts, breach?: Breach): Promise<Outcome>

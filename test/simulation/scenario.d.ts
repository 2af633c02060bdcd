import type { SeededNetwork } from "../../src/testing/seeded-network.ts"
import type { mulberry32 } from "../../src/testing/prng.ts"
import type { createTracker } from "../../src/tracker/tracker.ts"

/** The implementations that the scenario runs. */
export interface Parts {
  readonly createTracker: typeof createTracker
  readonly SeededNetwork: typeof SeededNetwork
  readonly mulberry32: typeof mulberry32
}

/** A rule that is broken on purpose. */
export interface Breach {
  /** Returns what a node receives instead of the bytes; `undefined` drops the message. */
  receives(bytes: Uint8Array, from: string, to: string): Uint8Array | undefined
}

/** The log of a day, its failures, and the number of messages that its nodes received. */
export interface Outcome {
  readonly log: readonly string[]
  readonly failures: readonly string[]
  readonly messages: number
  /** The number of messages that arrived truncated or altered. */
  readonly altered: number
}

export function runScenario(
  seed: number,
  parts: Parts,
  breach?: Breach,
  options?: { readonly isWorse?: boolean; readonly nodes?: number },
): Promise<Outcome>

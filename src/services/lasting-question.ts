import type { Timers } from "../timers.ts"
import { hasCode } from "./errors.ts"

/** A question to another node, over a bus that may lose it or its answer. It must be one that can be asked twice. */
export interface LastingQuestion<Answer> {
  readonly timers: Timers
  /** How long a node may be silent until it counts as one that has died and is still listed, in ms. */
  readonly silentMs: number
  /** Whether the node is still listed. */
  isThere(): boolean
  ask(timeoutMs: number): Promise<Answer>
}

/** How long one attempt waits for its answer, in ms. */
const ATTEMPT_MS = 250

/** Asks until there is an answer. Resolves to `undefined` if the node has ended, or is silent for too long. */
export async function lastingAnswer<Answer>(question: LastingQuestion<Answer>): Promise<Answer | undefined> {
  const { timers, silentMs, isThere, ask } = question
  const deadline = timers.now() + silentMs
  for (let left = silentMs; left > 0 && isThere(); left = deadline - timers.now()) {
    try {
      return await ask(ATTEMPT_MS)
    } catch (error) {
      // An instance that has ended runs nothing any more.
      if (!hasCode(error, "timeout", "overloaded", "no_instance")) return undefined
      // It does not take calls yet.
      if (!hasCode(error, "timeout")) await new Promise<void>((resolve) => timers.set(resolve, ATTEMPT_MS / 5))
    }
  }
  return undefined
}

import type { Timers } from "../timers.ts"
import type { Instance } from "./instance-row.ts"
import { lastingAnswer } from "./lasting-question.ts"
import { isListed } from "./placement-plan.ts"

/** What a node knows of the process of an id that another node has stopped. */
export type StopAnswer =
  /** It runs here, or is seen to run somewhere. */
  | "runs"
  /** Its node had died, and this one remembered it. It does not any more. */
  | "lost"
  | "unknown"

/** A process that has been stopped. */
export interface StopNotice {
  readonly id: string
  /** Its `phx_ref`; an empty text if it did not run. */
  readonly ref: string
  /**
   * What else a node may still see of it: the `phx_ref` of its row since its stop began, and those of the processes whose state it
   * had.
   */
  readonly replaced?: readonly string[]
}

/** What notices need. */
export interface StopNoticesOptions {
  readonly timers: Timers
  /** The id of this node's instance. */
  readonly self: string
  /** Returns the instances that take part. */
  instances(): readonly Instance[]
  /** Notifies another node. Resolves to its answer. */
  notify(instance: string, notice: StopNotice, timeoutMs: number): Promise<unknown>
}

/** How long a node may be silent until it counts as dead, in ms, if it may have the process started again at any time. */
const LOST_SILENT_MS = 2_000
/** The same for a process that ran until now. All see its row leave soon, so that only a death before that is at stake. */
const SILENT_MS = 250

/**
 * Notifies all other nodes that a process has been stopped.
 *
 * Without this, a node that sees the process leave together with its node, or remembers it from before, takes it for lost and has
 * it started again: an hour-long job that was cancelled runs once more.
 */
export class StopNotices {
  readonly #options: StopNoticesOptions

  constructor(options: StopNoticesOptions) {
    this.#options = options
  }

  /** Notifies the others of a process that ran on this node. */
  async stopped(id: string, ref: string, replaced: readonly string[]): Promise<void> {
    await this.#answers({ id, ref, replaced }, SILENT_MS)
  }

  /** Notifies the others that a process must not be started, which ran on a node that has died. Resolves to what they answer. */
  lost(id: string): Promise<readonly unknown[]> {
    return this.#answers({ id, ref: "" }, LOST_SILENT_MS)
  }

  #answers(notice: StopNotice, silentMs: number): Promise<readonly unknown[]> {
    const { timers, self, instances, notify } = this.#options
    const answerOf = (other: Instance): Promise<unknown> =>
      lastingAnswer({
        timers,
        silentMs,
        isThere: () => isListed(instances(), other),
        ask: (timeoutMs) => notify(other.id, notice, timeoutMs),
      })
    const others = instances().filter(({ id }) => id !== self)
    return Promise.all(others.map(answerOf))
  }
}

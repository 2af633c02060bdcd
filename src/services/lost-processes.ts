import type { Timers } from "../timers.ts"
import type { Tracker } from "../tracker/tracker.ts"
import type { Instance } from "./instance-row.ts"
import type { PlacedProcess } from "./placement-plan.ts"

/** What is needed to tell which processes are lost. */
export interface LostProcessesOptions {
  readonly tracker: Tracker
  readonly timers: Timers
  /** Returns the instances that take part. */
  instances(): readonly Instance[]
}

/** How long a process is remembered that no node has started anew yet, in ms: its new owner may die, too. */
const LOST_MS = 60_000

/** The processes whose node is gone, and that run nowhere yet. All nodes remember them; the owner starts them. */
export class LostProcesses {
  readonly #options: LostProcessesOptions
  /** Id → when it was lost. */
  readonly #lost = new Map<string, number>()

  constructor(options: LostProcessesOptions) {
    this.#options = options
  }

  /**
   * Adds a process that has left, if its node is gone. Otherwise it was stopped, or is on another node by now. Returns whether
   * it was added.
   * @param run the start of the node that the process belongs to
   */
  add({ id, instance, node }: PlacedProcess, run: unknown): boolean {
    const { tracker, timers, instances } = this.#options
    const isUp = tracker.nodes().some((other) => other.node === node && other.status === "up")
    // A node that was restarted is up, but is another one.
    const member = instances().find((each) => each.id === instance)
    if (isUp && (member?.meta as { run?: unknown } | undefined)?.run === run) return false
    this.#lost.set(id, timers.now())
    return true
  }

  /** Returns whether the process was lost, and forgets it. */
  forget(id: string): boolean {
    return this.#lost.delete(id)
  }

  has(id: string): boolean {
    return this.#lost.has(id)
  }

  /** Returns the ids that are still lost. @param isFound whether a process of an id is seen again */
  ids(isFound: (id: string) => boolean): string[] {
    const now = this.#options.timers.now()
    for (const [id, at] of this.#lost) if (now - at > LOST_MS || isFound(id)) this.#lost.delete(id)
    return [...this.#lost.keys()]
  }
}

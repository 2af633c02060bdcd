import type { Timers } from "../timers.ts"
import type { Tracker } from "../tracker/tracker.ts"
import type { Instance } from "./instance-row.ts"
import { runOf } from "./placement-plan.ts"
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
/** How long the row of a process may take until it is seen, in ms. It comes at once, or with a heartbeat. */
const EXPECTED_MS = 10_000

/** The processes whose node is gone, and that run nowhere yet. All nodes remember them; the owner starts them. */
export class LostProcesses {
  readonly #options: LostProcessesOptions
  /** Id → when it was lost. */
  readonly #lost = new Map<string, number>()
  /** Id → a process that another node has confirmed, and whose row has not come yet. */
  readonly #expected = new Map<string, { readonly instance: string; readonly run: unknown; readonly at: number }>()

  constructor(options: LostProcessesOptions) {
    this.#options = options
  }

  /**
   * Adds a process that has left, if its node is gone. Otherwise it was stopped, or is on another node by now. Returns whether
   * it was added.
   */
  add({ id, instance, node, run }: PlacedProcess): boolean {
    const isUp = this.#options.tracker.nodes().some((other) => other.node === node && other.status === "up")
    if (isUp && this.#runOf(instance) === run) return false
    this.#lost.set(id, this.#options.timers.now())
    return true
  }

  /**
   * Remembers that a process runs at another node, which has confirmed it. If that node dies before its row has come, nobody
   * else knows of the process.
   */
  expect(id: string, instance: string): void {
    const at = this.#options.timers.now()
    this.#expected.delete(id)
    this.#expected.set(id, { instance, run: this.#runOf(instance), at })
    // The oldest are first.
    for (const [other, expected] of this.#expected) {
      if (at - expected.at <= EXPECTED_MS) return
      this.#expected.delete(other)
    }
  }

  /** Forgets a process that is seen, or has been stopped. Returns whether it was lost. */
  forget(id: string): boolean {
    this.#expected.delete(id)
    return this.#lost.delete(id)
  }

  has(id: string): boolean {
    return this.#lost.has(id)
  }

  /** Returns the ids that are still lost. @param isFound whether a process of an id is seen to run again */
  ids(isFound: (id: string) => boolean): string[] {
    const now = this.#options.timers.now()
    for (const [id, { instance, run, at }] of this.#expected) {
      if (now - at <= EXPECTED_MS && this.#runOf(instance) === run) continue
      this.#expected.delete(id)
      if (now - at <= EXPECTED_MS) this.#lost.set(id, now)
    }
    for (const [id, at] of this.#lost) if (now - at > LOST_MS || isFound(id)) this.#lost.delete(id)
    return [...this.#lost.keys()]
  }

  #runOf(instance: string): unknown {
    const member = this.#options.instances().find(({ id }) => id === instance)
    return member && runOf(member)
  }
}

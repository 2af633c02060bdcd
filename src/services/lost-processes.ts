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

/** A process that another node has confirmed, and whose row has not come yet. */
interface ExpectedProcess {
  readonly instance: string
  /** The start of its node; `undefined` as long as this node has not listed that one. */
  run: unknown
  readonly at: number
}

/** The processes whose node is gone, and that run nowhere yet. All nodes remember them; the owner starts them. */
export class LostProcesses {
  readonly #options: LostProcessesOptions
  /** Id → when it was lost. */
  readonly #lost = new Map<string, number>()
  readonly #expected = new Map<string, ExpectedProcess>()
  /** Id → when its process was stopped for good. The oldest are first. */
  readonly #stopped = new Map<string, number>()

  constructor(options: LostProcessesOptions) {
    this.#options = options
  }

  /** Adds a process that has left, if its node is gone. Otherwise it was stopped, or is on another node by now. */
  add({ id, instance, node, run }: PlacedProcess): void {
    const isUp = this.#options.tracker.nodes().some((other) => other.node === node && other.status === "up")
    if (isUp && this.#runOf(instance) === run) return
    this.#lost.set(id, this.#options.timers.now())
  }

  /**
   * Remembers that a process runs at another node, which has confirmed it. If that node dies before its row has come, nobody
   * else knows of the process. Returns whether that node is listed: one that is not yet does not leave, so `ids` must be looked
   * at again.
   */
  expect(id: string, instance: string): boolean {
    const at = this.#options.timers.now()
    const run = this.#runOf(instance)
    this.#expected.delete(id)
    this.#expected.set(id, { instance, run, at })
    // The oldest are first. `ids` decides on those whose nodes are not listed.
    for (const [other, expected] of this.#expected) {
      if (at - expected.at <= EXPECTED_MS || expected.run === undefined) break
      this.#expected.delete(other)
    }
    return run !== undefined
  }

  /** Returns the instance that has confirmed a process in the last so many ms, if its row has not come and it has not left. */
  expectedAt(id: string, ms: number): string | undefined {
    const expected = this.#expected.get(id)
    if (expected === undefined || this.#options.timers.now() - expected.at > ms) return undefined
    const { instance, run } = expected
    return run === undefined || run === this.#runOf(instance) ? instance : undefined
  }

  /** Whether `ids` must be looked at again, although no node has left: one that is expected is not listed. */
  get isWaiting(): boolean {
    for (const { run } of this.#expected.values()) if (run === undefined) return true
    return false
  }

  /** Forgets a process that is seen. Returns whether it was lost. */
  forget(id: string): boolean {
    this.#expected.delete(id)
    this.#stopped.delete(id)
    return this.#lost.delete(id)
  }

  /**
   * Forgets a process that has been stopped. A node that has not received that yet may ask for it: see `wasStopped`. Returns
   * whether it was lost.
   */
  stop(id: string): boolean {
    const wasLost = this.forget(id)
    const now = this.#options.timers.now()
    this.#stopped.set(id, now)
    // The oldest are first.
    for (const [other, at] of this.#stopped) {
      if (now - at <= LOST_MS) break
      this.#stopped.delete(other)
    }
    return wasLost
  }

  /** Whether a process has been stopped since it was lost, as long as any node may remember it. */
  wasStopped(id: string): boolean {
    return this.#options.timers.now() - (this.#stopped.get(id) ?? -Infinity) <= LOST_MS
  }

  has(id: string): boolean {
    return this.#lost.has(id)
  }

  /**
   * Returns the ids that are still lost. One that is found stays remembered until its row comes: what is seen may be the row of its
   * former place, which has not left yet. @param isFound whether a process of an id is seen to run
   */
  ids(isFound: (id: string) => boolean): string[] {
    const now = this.#options.timers.now()
    for (const [id, expected] of this.#expected) {
      const run = this.#runOf(expected.instance)
      const isNew = expected.run === undefined
      expected.run ??= run
      const isLate = now - expected.at > EXPECTED_MS
      if (!isLate && expected.run === run) continue
      this.#expected.delete(id)
      // A node that was not listed in all that time is gone. One that was has had the time to send the row, or had stopped it.
      if (!isLate || (isNew && run === undefined)) this.#lost.set(id, now)
    }
    for (const [id, at] of this.#lost) if (now - at > LOST_MS) this.#lost.delete(id)
    return [...this.#lost.keys()].filter((id) => !isFound(id))
  }

  #runOf(instance: string): unknown {
    const member = this.#options.instances().find(({ id }) => id === instance)
    return member && runOf(member)
  }
}

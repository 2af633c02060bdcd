import type { Timers } from "../timers.ts"
import type { Instance } from "./instance-row.ts"
import { lastingAnswer } from "./lasting-question.ts"
import { isListed, startOf } from "./placement-plan.ts"

/** What a node answers that is asked. */
export interface ClaimAnswer {
  /** The ids that must not be started. */
  readonly refused: readonly string[]
  /**
   * Those of the ids that have been stopped, so that their processes are not lost: a node that has just come missed the notice.
   * A node of an older version does not say it.
   */
  readonly stopped?: readonly string[]
  /** Whether the node has been up for long enough to know the others. */
  readonly isOpen: boolean
}

/** What claims need. */
export interface ClaimsOptions {
  readonly timers: Timers
  /** The id of this node's instance. */
  readonly self: string
  /** How long this node waits for others after its start, in ms, until it takes those that it sees for all. */
  readonly aloneAfterMs: number
  /** Returns the instances that take part. */
  instances(): readonly Instance[]
  /** Asks another node whether this one may start processes. */
  ask(instance: string, ids: readonly string[], timeoutMs: number): Promise<ClaimAnswer>
}

/** Ids that are asked for with one message. */
interface Batch {
  readonly ids: Set<string>
  readonly answers: Promise<readonly (ClaimAnswer | undefined)[]>
}

const MAX_BATCH = 1_000
/** How long after a change of the members other nodes may not know of it, in ms. Several heartbeats, as some may be lost. */
const SETTLING_MS = 10_000
/** How long a node may be silent until it counts as one that has died and is still listed, in ms. */
const SILENT_MS = 2_000

/**
 * Asks the other nodes before a process is started anew.
 *
 * Without this, a node that comes owns ids of which it has not received yet that they run elsewhere, and starts them a second
 * time. Nodes are only asked for a while after the members have changed; otherwise all agree on the owners.
 */
export class Claims {
  readonly #options: ClaimsOptions
  readonly #openAt: number
  #settledAt = 0
  /** What waits until this node is open, or sees other members. */
  readonly #opening = new Set<() => void>()
  /**
   * The start of an instance that has not answered → since when, and when it was asked last. Who asks for a process asks again before
   * that instance counts as dead: if the time began anew with each question, the process would never be started.
   */
  readonly #silent = new Map<string, { readonly since: number; readonly askedAt: number }>()
  /** The claims of this turn. */
  #batch: Batch | undefined

  constructor(options: ClaimsOptions) {
    this.#options = options
    this.#openAt = options.timers.now() + options.aloneAfterMs
    this.membersChanged()
  }

  /** Whether this node has been up for long enough to know the others. */
  get isOpen(): boolean {
    return this.#options.timers.now() >= this.#openAt
  }

  membersChanged(): void {
    this.#settledAt = Math.max(this.#openAt, this.#options.timers.now() + SETTLING_MS)
    for (const changed of this.#opening) changed()
    const listed = new Set(this.#others().map(startOf))
    for (const start of this.#silent.keys()) if (!listed.has(start)) this.#silent.delete(start)
  }

  /** Resolves to whether this node may start a process that it does not know to run anywhere. */
  async mayStart(id: string): Promise<boolean> {
    const { timers } = this.#options
    for (;;) {
      const { isOpen } = this
      if (timers.now() >= this.#settledAt) return true
      const answers = this.#others().length === 0 ? [] : await this.#asked(id)
      if (answers.some((answer) => answer?.refused.includes(id))) return false
      // Nodes that have come together may all have missed those that were there before.
      if (isOpen || answers.some((answer) => answer?.isOpen)) return true
      await this.#opened()
    }
  }

  #asked(id: string): Batch["answers"] {
    if (this.#batch === undefined || this.#batch.ids.size >= MAX_BATCH) this.#batch = this.#newBatch()
    this.#batch.ids.add(id)
    return this.#batch.answers
  }

  async #opened(): Promise<void> {
    const { timers } = this.#options
    await new Promise<void>((resolve) => {
      const opened = (): void => {
        this.#opening.delete(opened)
        timers.clear(timer)
        resolve()
      }
      const timer = timers.set(opened, this.#openAt - timers.now())
      this.#opening.add(opened)
    })
  }

  #newBatch(): Batch {
    const ids = new Set<string>()
    const answers = new Promise<void>((resolve) => this.#options.timers.set(resolve, 0)).then(() => {
      if (this.#batch === batch) this.#batch = undefined
      return Promise.all(this.#others().map((instance) => this.#answerOf(instance, [...ids])))
    })
    const batch = { ids, answers }
    return batch
  }

  /** Returns the answer of a node; `undefined` if it has none. */
  async #answerOf(instance: Instance, ids: readonly string[]): Promise<ClaimAnswer | undefined> {
    const { timers, instances, ask } = this.#options
    const start = startOf(instance)
    const now = timers.now()
    const known = this.#silent.get(start)
    // One that was asked nothing for a while may have recovered. It must not count as dead for a single message that is lost.
    const since = known !== undefined && now - known.askedAt <= 2 * SILENT_MS ? known.since : now
    this.#silent.set(start, { since, askedAt: now })
    const answer = await lastingAnswer({
      timers,
      // It is asked once in any case: it may answer again.
      silentMs: Math.max(1, since + SILENT_MS - now),
      isThere: () => isListed(instances(), instance),
      ask: (timeoutMs) => ask(instance.id, ids, timeoutMs),
    })
    if (answer !== undefined) this.#silent.delete(start)
    return answer
  }

  #others(): readonly Instance[] {
    const { self, instances } = this.#options
    return instances().filter(({ id }) => id !== self)
  }
}

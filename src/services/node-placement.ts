import type { Undo } from "../listeners.ts"
import { nodeOfInstance, placedTopic } from "./instance-row.ts"
import { setUnref } from "../timers.ts"
import { nodePid } from "../tracker/replica-ref.ts"
import type { Diff } from "../tracker/tracker.ts"
import { checkedWait } from "./cancellation.ts"
import { CALLS_ONLY } from "./calls-only.ts"
import { Claims } from "./claims.ts"
import type { ClaimAnswer } from "./claims.ts"
import { farewell } from "./farewell.ts"
import { HandOvers } from "./hand-overs.ts"
import { HeldCalls } from "./held-calls.ts"
import { LocalProcesses } from "./local-processes.ts"
import { LostProcesses } from "./lost-processes.ts"
import { placedInstance } from "./placed-instance.ts"
import { PlacedCalls } from "./placed-calls.ts"
import type { Location, PlacedCallOptions, Placement } from "./placement.ts"
import { checkedPlacement } from "./placement-options.ts"
import type { NodePlacementOptions } from "./placement-options.ts"
import { placementRequests } from "./placement-requests.ts"
import { idsToMove, isListed, ownerOfId, placedProcess, takers } from "./placement-plan.ts"
import { RateLimitedWork } from "./rate-limited-work.ts"
import type { OwnInstance } from "./registry.ts"
import { seenProcesses } from "./seen-processes.ts"
import type { SeenProcesses } from "./seen-processes.ts"

const DRAIN_MS = 30_000
/** How long this node waits until it looks again for processes that have to move, or that are lost, in ms. */
const RETRY_MS = 500
/** How often a node that drains looks whether it is done, in ms. */
const CHECK_MS = 20
/** How long a request that is made again waits for its answer, in ms. */
const ATTEMPT_MS = 1_000

/** One node's part in a placement. */
export class NodePlacement implements Placement {
  readonly ready: Promise<void>
  readonly #options: NodePlacementOptions
  readonly #topic: string
  readonly #own: OwnInstance
  readonly #endInstance: () => void
  readonly #locals: LocalProcesses
  readonly #seen: SeenProcesses
  readonly #lost: LostProcesses
  readonly #claims: Claims
  readonly #handOvers: HandOvers
  readonly #held: HeldCalls
  readonly #calls: PlacedCalls
  readonly #work: RateLimitedWork
  readonly #undo: readonly Undo[]
  #planning: unknown
  #retrying: unknown
  /** Whether it takes no processes: it drains, or has never run any. */
  #isLeaving: boolean
  #ending: Promise<void> | undefined

  constructor(options: NodePlacementOptions) {
    const { kind, definition, tracker, timers, random, onError, count, instances } = options
    const { movesPerSecond, maxHeldCalls, handOverMs, aloneAfterMs } = checkedPlacement(options)
    const run = options.newName()
    this.#isLeaving = definition === CALLS_ONLY
    const { own, serve } = options.host(this.#isLeaving ? { run, leaving: true } : { run })
    const self = own.id
    const topic = placedTopic(kind)
    let moves = 0
    const pid = nodePid(self, nodeOfInstance(self))
    this.#options = options
    this.#topic = topic
    this.#own = own
    this.#work = new RateLimitedWork(timers, movesPerSecond)
    this.#held = new HeldCalls(timers, maxHeldCalls)
    this.#lost = new LostProcesses({ tracker, timers, instances })
    const local = { kind, definition, tracker, timers, topic, instance: self, pid, run, handOverMs, onError }
    const locals = (this.#locals = new LocalProcesses(local))
    const seen = (this.#seen = seenProcesses({ tracker, topic, self, locals, instances }))
    this.#claims = new Claims({
      timers,
      self,
      aloneAfterMs: options.isAlone ? 0 : aloneAfterMs,
      instances,
      ask: async (instance, ids, timeoutMs) => {
        const answer = (await this.#request(instance, "claim", { id: self, ids }, timeoutMs)) as ClaimAnswer
        for (const id of answer.stopped ?? []) requests.stopped(id, [])
        return answer
      },
    })
    this.#handOvers = new HandOvers({
      kind,
      self,
      locals,
      timers,
      random,
      count,
      onError,
      reason: seen.reasonToLeave,
      target: (id) => {
        const winner = seen.elsewhere(id)?.instance
        return instances().find((each) => each.id === winner) ?? ownerOfId(instances(), id)
      },
      isThere: (instance) => isListed(instances(), instance),
      give: (instance, request) => this.#request(instance, "give", request, ATTEMPT_MS),
      given: (id, instance) => this.#located(id, instance),
      newMove: () => `${run} ${(moves += 1)}`,
    })
    this.#calls = new PlacedCalls({
      kind,
      self,
      timers,
      random,
      held: this.#held,
      instances,
      call: options.call,
      find: seen.find,
      hasLeft: (instance) => requests.hasLeft(instance),
      located: (id, instance) => this.#located(id, instance),
      stopped: (id, ref) => void requests.stopped(id, ref === "" ? [] : [ref]),
    })
    const requests = placementRequests({
      kind,
      self,
      locals,
      timers,
      seen,
      lost: this.#lost,
      handOvers: this.#handOvers,
      claims: this.#claims,
      instances,
      notify: (instance, notice, timeoutMs) => this.#request(instance, "stopped", notice, timeoutMs),
      isLeaving: () => this.#isLeaving,
    })
    const methods = definition.router === undefined ? undefined : options.methods(self, definition.router)
    const served = serve(placedInstance(self, { kind, locals, methods, requests }))
    this.ready = served.ready
    this.#endInstance = served.end
    this.#undo = [tracker.onDiff((diff) => this.#changed(diff)), options.watch(() => this.#membersChanged())]
    this.#plan()
  }

  ensure(id: string, options?: PlacedCallOptions): Promise<Location & { readonly created: boolean }> {
    return this.#calls.ensure(id, options)
  }

  whereis(id: string): Location | undefined {
    const process = this.#seen.find(id)
    return process && { id, node: process.node, instance: process.instance }
  }

  call<Output>(
    id: string,
    method: string | readonly string[],
    input?: unknown,
    options?: PlacedCallOptions,
  ): Promise<Output> {
    return this.#calls.call(id, method, input, options) as Promise<Output>
  }

  stop(id: string, options?: PlacedCallOptions): Promise<boolean> {
    return this.#calls.stop(id, options)
  }

  local(): readonly string[] {
    return this.#locals.ids().filter((id) => this.#locals.status(id) === "running")
  }

  async drain({ timeoutMs = DRAIN_MS }: { readonly timeoutMs?: number } = {}): Promise<boolean> {
    const { timers } = this.#options
    checkedWait("timeoutMs", timeoutMs)
    if (this.#ending !== undefined) return this.#locals.size === 0
    if (!this.#isLeaving) {
      this.#isLeaving = true
      this.#own.change((row) => ({ ...row, meta: { ...row.meta, leaving: true } }))
      this.#plan()
    }
    // What is not moved in time is lost, so it may go faster than otherwise.
    this.#work.hurry(timeoutMs / 2)
    const deadline = timers.now() + timeoutMs
    while (this.#locals.size > 0 && timers.now() < deadline) {
      // With nowhere to go, waiting does not help. A node that has just come may not see the others yet.
      if (this.#claims.isOpen && takers(this.#options.instances()).length === 0) break
      await new Promise<void>((resolve) => timers.set(resolve, Math.min(CHECK_MS, deadline - timers.now())))
    }
    return this.#locals.size === 0
  }

  end(): Promise<void> {
    this.#ending ??= this.#end()
    return this.#ending
  }

  async #end(): Promise<void> {
    const { timers } = this.#options
    this.#isLeaving = true
    for (const undo of this.#undo) undo()
    this.#work.close()
    this.#handOvers.close()
    timers.clear(this.#planning)
    timers.clear(this.#retrying)
    await this.#locals.close()
    const { id } = this.#own
    await farewell({
      timers,
      others: () => this.#options.instances().filter((other) => other.id !== id),
      leave: (other, timeoutMs) => this.#request(other, "leave", { id, left: this.#locals.size }, timeoutMs),
    })
    // The instance first: a process that leaves with its node is started anew by the others.
    this.#endInstance()
    for (const id of this.#locals.ids()) this.#locals.forget(id)
  }

  #request(instance: string, request: string, input: object, timeoutMs: number): Promise<unknown> {
    return this.#calls.request(instance, request, input, { timeoutMs, retries: 0, idempotent: false })
  }

  /** Remembers a process of another node, until its row comes. */
  #located(id: string, instance: string): void {
    if (instance === this.#own.id || this.#seen.find(id)?.instance === instance) return
    if (!this.#lost.expect(id, instance)) this.#retry()
  }

  #changed(diff: Diff): void {
    const change = diff.get(this.#topic)
    if (change === undefined) return
    for (const row of change.joins) {
      const { key } = row
      // One that is moving may have left its state to the very process that is lost.
      if (placedProcess(row)?.isMoving === false) this.#lost.forget(key)
      if (this.#locals.status(key) === "running" && this.#seen.reasonToLeave(key) !== undefined) this.#handOver(key)
    }
    for (const row of change.leaves) {
      // One that had been stopped before its node died is not lost.
      const process = this.#seen.left(row.meta.phx_ref) ? undefined : placedProcess(row)
      if (process !== undefined && process.instance !== this.#own.id) this.#lost.add(process)
      if (this.#lost.has(row.key)) this.#planSoon()
    }
    for (const { key } of [...change.joins, ...change.leaves]) this.#held.wake(key)
  }

  #membersChanged(): void {
    this.#claims.membersChanged()
    this.#held.wakeAll()
    this.#planSoon()
  }

  /** Plans once for all changes of a turn: for 10 000 processes, a plan takes some ms. */
  #planSoon(): void {
    this.#planning ??= setUnref(this.#options.timers, () => this.#plan(), 0)
  }

  #plan(): void {
    this.#planning = undefined
    if (this.#ending !== undefined) return
    const own = this.#locals.ids()
    for (const id of own) if (this.#seen.isBeaten(id)) this.#handOver(id)
    for (const id of idsToMove(this.#options.instances(), this.#own.id, own)) this.#handOver(id)
    const lost = this.#lost.ids((id) => this.#seen.find(id)?.isMoving === false)
    for (const id of lost) this.#begin(id, () => this.#restart(id))
    if (lost.length > 0 || this.#lost.isWaiting) this.#retry()
  }

  #handOver(id: string): void {
    this.#begin(id, () => this.#handOvers.handOver(id))
  }

  /** Begins work on an id, unless there is some already. What changes meanwhile is looked at when it has ended. */
  #begin(id: string, work: () => Promise<void>): void {
    this.#work.add(id, async () => {
      await work()
      this.#held.wake(id)
      const isDone = this.#locals.status(id) !== "running" || this.#handOvers.isStuck(id)
      if (!isDone && this.#seen.reasonToLeave(id) !== undefined) this.#retry()
    })
  }

  /**
   * Starts a process whose node has died, at its owner: one that has just come does not know of it. It stays lost until it is
   * seen. An owner that has not seen the node die answers that it runs there, and may be gone before it sees that.
   */
  async #restart(id: string): Promise<void> {
    if (!this.#lost.has(id) || this.#seen.find(id) !== undefined) return
    try {
      const { created, instance } = await this.#calls.restart(id)
      if (instance === "") this.#lost.stop(id)
      if (created) this.#options.count("services_restarts")
    } catch {
      // Reported where it failed. It is tried again, for as long as it is lost.
    }
  }

  #retry(): void {
    this.#retrying ??= setUnref(
      this.#options.timers,
      () => {
        this.#retrying = undefined
        this.#plan()
      },
      RETRY_MS,
    )
  }
}

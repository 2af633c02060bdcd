import type { Undo } from "../listeners.ts"
import { nodeOfInstance, placedTopic } from "./instance-row.ts"
import { setUnref } from "../timers.ts"
import { nodePid } from "../tracker/replica-ref.ts"
import type { Diff } from "../tracker/tracker.ts"
import { HandOvers } from "./hand-overs.ts"
import { HeldCalls } from "./held-calls.ts"
import { LocalProcesses } from "./local-processes.ts"
import { LostProcesses } from "./lost-processes.ts"
import { placedInstance } from "./placed-instance.ts"
import type { PlacementRequests } from "./placed-instance.ts"
import { PlacedCalls } from "./placed-calls.ts"
import type { Location, PlacedCallOptions, Placement } from "./placement.ts"
import { checkedPlacement } from "./placement-options.ts"
import type { NodePlacementOptions } from "./placement-options.ts"
import { placementRequests } from "./placement-requests.ts"
import { currentOf, idsToMove, ownerOfId, placedProcess, takers, winnerOf } from "./placement-plan.ts"
import type { PlacedProcess } from "./placement-plan.ts"
import { RateLimitedWork } from "./rate-limited-work.ts"
import type { OwnInstance } from "./registry.ts"

const DRAIN_MS = 30_000
/** How long this node waits until it tries again to start such a process, and how often a drain looks whether it is done, in ms. */
const RETRY_MS = 500
const DRAIN_CHECK_MS = 20

/** One node's part in a placement. */
export class NodePlacement implements Placement {
  readonly ready: Promise<void>
  readonly #options: NodePlacementOptions
  readonly #topic: string
  readonly #self: string
  readonly #own: OwnInstance
  readonly #endInstance: () => void
  #locals!: LocalProcesses
  readonly #handOvers: HandOvers
  readonly #held: HeldCalls
  readonly #calls: PlacedCalls
  readonly #work: RateLimitedWork
  /** The start of this node's part. Rows of an earlier start are those of a process that has died. */
  readonly #run: string
  readonly #lost: LostProcesses
  /** Id → the `phx_ref` of a process whose state this node has taken, for as long as its row says that it still runs. */
  readonly #stopped = new Map<string, string>()
  readonly #undo: readonly Undo[]
  #planning: unknown
  #retrying: unknown
  #isLeaving = false
  #ending: Promise<void> | undefined

  constructor(options: NodePlacementOptions) {
    const { kind, definition, tracker, timers, random, onError, count, instances, call } = options
    const { movesPerSecond, maxHeldCalls, handOverMs } = checkedPlacement(options)
    this.#options = options
    this.#topic = placedTopic(kind)
    this.#run = options.newName()
    this.#lost = new LostProcesses({ tracker, timers, instances })
    this.#held = new HeldCalls(timers, maxHeldCalls)
    this.#work = new RateLimitedWork(timers, movesPerSecond)
    const { own, served } = options.host({ run: this.#run }, ({ id }) => {
      const pid = nodePid(id, nodeOfInstance(id))
      const topic = this.#topic
      const locals = (this.#locals = new LocalProcesses({
        kind,
        definition,
        tracker,
        timers,
        topic,
        instance: id,
        pid,
        run: this.#run,
        handOverMs,
        onError,
      }))
      const methods = definition.router === undefined ? undefined : options.methods(id, definition.router)
      return placedInstance(id, { kind, locals, methods, requests: this.#requests(id) })
    })
    this.#own = own
    this.#endInstance = served.end
    this.ready = served.ready
    this.#self = own.id
    this.#handOvers = new HandOvers({
      kind,
      self: this.#self,
      locals: this.#locals,
      timers,
      random,
      count,
      onError,
      reason: (id) => this.#reasonToLeave(id),
      target: (id) => winnerOf(this.#others(id))?.instance ?? ownerOfId(instances(), id)?.id,
      give: (instance, request) => this.#calls.request(instance, "give", request, {}),
      newMove: () => options.newName(),
    })
    this.#calls = new PlacedCalls({
      kind,
      timers,
      random,
      held: this.#held,
      instances,
      call,
      find: (id) => this.#find(id),
    })
    this.#undo = [tracker.onDiff((diff) => this.#changed(diff)), options.watch(() => this.#membersChanged())]
    this.#plan()
  }

  ensure(id: string, options?: PlacedCallOptions): Promise<Location & { readonly created: boolean }> {
    return this.#calls.ensure(id, options)
  }

  whereis(id: string): Location | undefined {
    const process = this.#find(id)
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
    if (this.#ending !== undefined) return this.#locals.size === 0
    if (!this.#isLeaving) {
      this.#isLeaving = true
      this.#own.change((row) => ({ ...row, meta: { ...row.meta, leaving: true } }))
      this.#plan()
    }
    const deadline = timers.now() + timeoutMs
    while (this.#locals.size > 0 && timers.now() < deadline) {
      // With nowhere to go, waiting does not help.
      if (takers(this.#options.instances()).length === 0) break
      await new Promise<void>((resolve) => timers.set(resolve, Math.min(DRAIN_CHECK_MS, deadline - timers.now())))
    }
    return this.#locals.size === 0
  }

  end(): Promise<void> {
    this.#ending ??= this.#end()
    return this.#ending
  }

  async #end(): Promise<void> {
    this.#isLeaving = true
    for (const undo of this.#undo) undo()
    this.#work.close()
    this.#handOvers.close()
    const { timers } = this.#options
    timers.clear(this.#planning)
    timers.clear(this.#retrying)
    await Promise.all(
      this.#locals.ids().map(async (id) => {
        await this.#locals.started(id).catch(() => undefined)
        if (this.#locals.status(id) !== "running") return
        await this.#locals.stop(id, "closed")
      }),
    )
    // The instance first: a process that leaves with its node is started anew by the others.
    this.#endInstance()
    for (const id of this.#locals.ids()) this.#locals.forget(id)
  }

  /** Returns what handles the requests of other nodes. */
  #requests(self: string): PlacementRequests {
    const { kind } = this.#options
    return placementRequests({
      kind,
      self,
      locals: this.#locals,
      find: (id) => this.#find(id),
      mayStart: (id) => !this.#isLeaving && ownerOfId(this.#options.instances(), id)?.id === self,
      mayTake: () => !this.#isLeaving,
      take: (request) => {
        this.#stopped.set(request.id, request.ended)
        return this.#handOvers.give(request)
      },
      forgetLost: (id) => this.#lost.forget(id),
    })
  }

  #processes(id: string): PlacedProcess[] {
    const processes = this.#options.tracker.getByKey(this.#topic, id).flatMap((row) => placedProcess(row) ?? [])
    const stopped = this.#stopped.get(id)
    return stopped === undefined
      ? processes
      : processes.map((process) => (process.ref === stopped ? { ...process, isMoving: true } : process))
  }

  #others(id: string): PlacedProcess[] {
    return this.#processes(id).filter(({ instance }) => instance !== this.#self)
  }

  #find(id: string): PlacedProcess | undefined {
    return currentOf(this.#processes(id))
  }

  #reasonToLeave(id: string): "moved" | "conflict" | undefined {
    if (this.#isBeaten(id)) return "conflict"
    return idsToMove(this.#options.instances(), this.#self, [id]).length > 0 ? "moved" : undefined
  }

  /** Whether another process of the id stays, and not this node's. */
  #isBeaten(id: string): boolean {
    const winner = winnerOf(this.#processes(id))
    return winner !== undefined && winner.instance !== this.#self
  }

  #changed(diff: Diff): void {
    const change = diff.get(this.#topic)
    if (change === undefined) return
    for (const { key } of change.joins) {
      if (this.#locals.status(key) === "running" && this.#reasonToLeave(key) !== undefined) this.#handOver(key)
    }
    for (const row of change.leaves) {
      if (this.#stopped.get(row.key) === row.meta.phx_ref) this.#stopped.delete(row.key)
      const process = placedProcess(row)
      if (process === undefined || process.instance === this.#self) continue
      if (this.#lost.add(process, row.meta["run"])) this.#planSoon()
    }
    for (const { key } of [...change.joins, ...change.leaves]) this.#held.wake(key)
  }

  #membersChanged(): void {
    this.#held.wake()
    this.#planSoon()
  }

  /** Plans once for all changes of a turn: for 10 000 processes, a plan takes some ms. */
  #planSoon(): void {
    this.#planning ??= setUnref(this.#options.timers, () => this.#plan(), 0)
  }

  #plan(): void {
    this.#planning = undefined
    if (this.#ending !== undefined) return
    const { instances } = this.#options
    const own = this.#locals.ids()
    for (const id of own) if (this.#isBeaten(id)) this.#handOver(id)
    for (const id of idsToMove(instances(), this.#self, own)) this.#handOver(id)
    const lost = this.#lost.ids((id) => this.#processes(id).length > 0)
    for (const id of lost) this.#begin(id, () => this.#restart(id))
    if (lost.length > 0) this.#retry()
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
      if (!isDone && this.#reasonToLeave(id) !== undefined) this.#retry()
    })
  }

  /** Starts a process whose node has died, or asks its owner to: one that has just come does not know of it. */
  async #restart(id: string): Promise<void> {
    const { count, instances } = this.#options
    if (!this.#lost.has(id) || this.#locals.status(id) !== undefined || this.#processes(id).length > 0) return
    try {
      if (this.#isLeaving || ownerOfId(instances(), id)?.id !== this.#self) await this.#calls.ensure(id)
      else {
        await this.#locals.start(id, undefined)
        count("services_restarts")
      }
      this.#lost.forget(id)
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

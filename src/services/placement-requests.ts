import type { Abortable } from "./cancellation.ts"
import type { ClaimAnswer, Claims } from "./claims.ts"
import { moving } from "./errors.ts"
import type { HandOvers, MoveRequest } from "./hand-overs.ts"
import { nodeOfInstance } from "./instance-row.ts"
import type { Instance } from "./instance-row.ts"
import type { LocalProcesses } from "./local-processes.ts"
import type { LostProcesses } from "./lost-processes.ts"
import type { Timers } from "../timers.ts"
import type { Location } from "./placement.ts"
import { ownerOfId, startOf } from "./placement-plan.ts"
import type { SeenProcesses } from "./seen-processes.ts"
import { StopNotices } from "./stop-notices.ts"
import type { StopAnswer, StopNotice } from "./stop-notices.ts"

/** What other nodes ask of a node that takes part in a placement. */
export interface PlacementRequests {
  /**
   * Finds a process, or starts it if it runs nowhere. @param caller the node that asks
   * @param isLost whether it asks since the node of the process has died; one that has been stopped since has an empty `instance`
   * @param signal aborts once the node that asks does not wait any more: a process that starts then may come after its stop
   */
  ensure(
    id: string,
    caller: string,
    isLost: boolean,
    signal: Abortable,
  ): Promise<Location & { readonly created: boolean }>
  /** Takes the state of a process from another node. A move that comes twice is taken once. */
  give(request: MoveRequest, caller: string): Promise<void>
  /** Stops a process. Returns its `phx_ref`, or whether there was one if this node does not know it. */
  stop(id: string): Promise<string | boolean>
  /** Notes that another node has stopped a process. @param refs the `phx_ref`s that it had; none if it did not run */
  stopped(id: string, refs: readonly string[]): StopAnswer
  /** Returns whether another instance may start processes, as far as this node knows. */
  claim(instance: string, ids: readonly string[]): ClaimAnswer
  /** Whether this node needs an instance no more. @param left how many processes it has not handed over */
  leave(instance: string, left: number): boolean
  /** Whether an instance that is still listed has been told that it is needed no more. */
  hasLeft(instance: string): boolean
}

/** What the requests need. */
export interface PlacementRequestsOptions {
  readonly kind: string
  /** The id of this node's instance. */
  readonly self: string
  readonly locals: LocalProcesses
  readonly seen: SeenProcesses
  readonly lost: LostProcesses
  readonly handOvers: HandOvers
  readonly claims: Claims
  /** Returns the instances that take part. */
  instances(): readonly Instance[]
  /** Notifies another node that a process has been stopped. */
  readonly notify: (instance: string, notice: StopNotice, timeoutMs: number) => Promise<unknown>
  /** Whether this node hands its processes over, and takes no new ones. */
  isLeaving(): boolean
  readonly timers: Timers
}

/** How long the row may take of a process that runs at another node, or may be started by it, in ms. */
const GRANTED_MS = 2_000

/** Returns what this node does for the other nodes of a placement. */
export function placementRequests(options: PlacementRequestsOptions): PlacementRequests {
  const { kind, self, locals, seen, lost, handOvers, claims, instances, isLeaving, timers } = options
  const notices = new StopNotices(options)
  const owner = (id: string): string | undefined => ownerOfId(instances(), id)?.id
  /** Id → the instance that may start its process, as this node has answered. */
  const granted = new Map<string, { readonly instance: string; readonly at: number }>()
  /** The starts of the instances that have left, as long as they are listed. */
  const departed = new Set<string>()
  const memberOf = (id: string): Instance | undefined => instances().find((instance) => instance.id === id)
  const isSeen = (caller: string): boolean => instances().some(({ node }) => node === caller)
  const isOwn = (id: string): boolean => !isLeaving() && owner(id) === self
  /** Whether it runs at another node, as that one has said just before. */
  const isExpected = (id: string): boolean => lost.expectedAt(id, GRANTED_MS) !== undefined
  async function ensure(
    id: string,
    caller: string,
    isLost: boolean,
    signal: Abortable,
  ): Promise<Location & { readonly created: boolean }> {
    const here = { id, node: nodeOfInstance(self), instance: self }
    if (locals.status(id) === "starting") await locals.started(id)
    if (locals.status(id) === "running") return { ...here, created: false }
    const process = seen.find(id)
    if (process !== undefined && !process.isMoving && process.instance !== self) {
      return { id, node: process.node, instance: process.instance, created: false }
    }
    if (process !== undefined || locals.status(id) !== undefined || isExpected(id)) throw moving(kind, id)
    // Two nodes that do not see the same members yet would otherwise both start it.
    if (!isOwn(id) || !isSeen(caller)) throw moving(kind, id)
    const may = await claims.mayStart(id)
    // Its state may have come meanwhile. If it had to wait for the permission, the node that hands it over might be gone first.
    if (locals.status(id) !== undefined) return ensure(id, caller, isLost, signal)
    // Or its row, or the owner has changed. All is checked in one turn: a `start` that has just begun may fail in the next.
    if (!may || !isOwn(id) || seen.find(id) !== undefined || isExpected(id)) throw moving(kind, id)
    if (signal.aborted) throw signal.reason
    if (isLost && lost.wasStopped(id)) return { id, node: "", instance: "", created: false }
    await locals.start(id, undefined)
    return { ...here, created: true }
  }
  /** Id → the stop of a process that runs nowhere. It can take longer than an attempt of its caller. */
  const stopping = new Map<string, Promise<boolean>>()
  function stopLost(id: string): Promise<boolean> {
    const known = stopping.get(id)
    if (known !== undefined) return known
    const stopped = forgetLost(id).finally(() => stopping.delete(id))
    stopping.set(id, stopped)
    return stopped
  }
  async function forgetLost(id: string): Promise<boolean> {
    // Any node that remembers it would have it started again. With no node that takes processes, there is no owner to agree on.
    const agreed = owner(id) === undefined || claims.mayStart(id)
    const [may, answers] = await Promise.all([agreed, notices.lost(id)])
    // Its row may have come meanwhile. Marked as stopped, it would not run again after the death of its node.
    const runs = answers.includes("runs") || locals.status(id) !== undefined || seen.find(id) !== undefined
    if (!may || runs) throw moving(kind, id)
    return lost.stop(id) || answers.includes("lost")
  }
  return {
    ensure,
    // A node that does not see the others yet has nowhere to hand its processes to if it closes.
    give: (request, caller) => handOvers.take(request, !isLeaving() && isSeen(caller)),
    async stop(id) {
      if (locals.status(id) === "starting") await locals.started(id).catch(() => undefined)
      const status = locals.status(id)
      if (status === undefined) {
        // It has been found at another node meanwhile, or may run at one whose row has not come yet.
        if (seen.find(id) !== undefined) throw moving(kind, id)
        return stopLost(id)
      }
      if (status !== "running") throw moving(kind, id)
      // The caller may still see its row: a later `ensure` must not find it there.
      const ref = locals.refOf(id)
      await locals.stop(id, "stopped")
      const replaced = [...locals.replacedBy(id), locals.refOf(id)]
      const isElsewhere = seen.hasOther(id)
      locals.forget(id)
      // After a split, the state of another one may be on its way here.
      if (isElsewhere) throw moving(kind, id)
      // A node that does not list this one yet takes the process for lost, and asks for it.
      lost.stop(id)
      // The others learn of it with its row, but if this node dies before it has come, they take the process for lost.
      await notices.stopped(id, ref, replaced)
      return ref
    },
    stopped(id, refs) {
      for (const ref of refs) seen.ended(ref)
      if (locals.status(id) !== undefined || seen.find(id) !== undefined) return "runs"
      return lost.stop(id) ? "lost" : "unknown"
    },
    claim(instance, ids) {
      const now = timers.now()
      // The oldest are first.
      for (const [id, { at }] of granted) {
        if (now - at <= GRANTED_MS) break
        granted.delete(id)
      }
      const refused = ids.filter((id) => {
        if (locals.status(id) !== undefined || owner(id) !== instance) return true
        // This node may have handed it over just before, to one that the other does not see yet.
        const there = seen.find(id)?.instance ?? lost.expectedAt(id, GRANTED_MS)
        if (there !== undefined && there !== instance) return true
        // The owner of just before may have started it already. A node that has just come may not see that one yet.
        const other = granted.get(id)?.instance
        return other !== undefined && other !== instance && memberOf(other) !== undefined
      })
      const isRefused = new Set(refused)
      for (const id of ids) {
        if (isRefused.has(id)) continue
        granted.delete(id)
        granted.set(id, { instance, at: now })
      }
      return { refused, stopped: ids.filter((id) => lost.wasStopped(id)), isOpen: claims.isOpen }
    },
    leave(instance, left) {
      // If the row of a process that it has handed over is seen to leave with its node, that process counts as lost.
      if (seen.isOutdated(instance, left) || handOvers.isGivingTo(instance)) return false
      const listed = new Set(instances().map(startOf))
      for (const start of departed) if (!listed.has(start)) departed.delete(start)
      const member = memberOf(instance)
      if (member !== undefined) departed.add(startOf(member))
      return true
    },
    hasLeft(instance) {
      const member = memberOf(instance)
      return member !== undefined && departed.has(startOf(member))
    },
  }
}

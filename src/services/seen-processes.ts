import type { Tracker } from "../tracker/tracker.ts"
import type { Instance } from "./instance-row.ts"
import type { LocalProcesses } from "./local-processes.ts"
import { currentOf, idsToMove, placedProcess, winnerOf } from "./placement-plan.ts"
import type { PlacedProcess } from "./placement-plan.ts"

/** What this node sees of the processes of a placement. */
export interface SeenProcesses {
  /** Returns the processes of an id: one, or more in a split and after it. */
  all(id: string): readonly PlacedProcess[]
  /** Returns the process that calls go to. */
  find(id: string): PlacedProcess | undefined
  /** Returns the process on another node that stays, if there are some. */
  elsewhere(id: string): PlacedProcess | undefined
  /** Whether a process of the id is seen on another node whose state is not in the one of this node. */
  hasOther(id: string): boolean
  /** Notes that a process has been stopped, although its row may still be seen. */
  ended(ref: string): void
  /** Notes that a row has left. Returns whether its process had been stopped before. */
  left(ref: string): boolean
  /** Whether an instance that hands its processes over is seen to run one, or to have more of them than it has left. */
  isOutdated(instance: string, left: number): boolean
  /** Returns why a process of this node has to leave it; `undefined` if it may stay. */
  reasonToLeave(id: string): "moved" | "conflict" | undefined
  /** Whether another process of the id stays, and not this node's. */
  isBeaten(id: string): boolean
}

/** What is needed to see processes. */
export interface SeenProcessesOptions {
  readonly tracker: Tracker
  readonly topic: string
  /** The id of this node's instance. */
  readonly self: string
  readonly locals: LocalProcesses
  /** Returns the instances that take part. */
  instances(): readonly Instance[]
}

/** How many stopped processes are remembered until their rows leave. The row of one that has just started may never come. */
const MAX_ENDED = 10_000

/** Returns what this node sees of the processes of a placement: the rows of the tracker, and what it knows better than them. */
export function seenProcesses({ tracker, topic, self, locals, instances }: SeenProcessesOptions): SeenProcesses {
  /** The `phx_ref`s of stopped processes whose rows have not left yet; the oldest first. */
  const ended = new Set<string>()
  // The state of a process may arrive before the news that it has stopped. If it counted as running, it could win against the
  // process that goes on with its state.
  const all = (id: string): PlacedProcess[] =>
    tracker.getByKey(topic, id).flatMap((row) => {
      const process = placedProcess(row)
      if (process === undefined || ended.has(process.ref)) return []
      return locals.hasReplaced(id, process.ref) ? { ...process, isMoving: true } : process
    })
  const isBeaten = (id: string): boolean => {
    const winner = winnerOf(all(id))
    return winner !== undefined && winner.instance !== self
  }
  return {
    all,
    find: (id) => currentOf(all(id)),
    elsewhere: (id) => winnerOf(all(id).filter(({ instance }) => instance !== self)),
    hasOther: (id) => all(id).some(({ instance, ref }) => instance !== self && !locals.hasReplaced(id, ref)),
    ended(ref) {
      ended.add(ref)
      if (ended.size > MAX_ENDED) ended.delete(ended.values().next().value!)
    },
    left: (ref) => ended.delete(ref),
    isOutdated(instance, left) {
      const rows = tracker.list(topic).filter(({ pid }) => pid === instance)
      return rows.length > left || rows.some((row) => placedProcess(row)?.isMoving === false)
    },
    isBeaten,
    reasonToLeave(id) {
      if (isBeaten(id)) return "conflict"
      return idsToMove(instances(), self, [id]).length > 0 ? "moved" : undefined
    },
  }
}

/**
 * Version vectors record how much of each replica's history a node has seen. This file compares and combines them.
 */

/**
 * Replica ref → the highest clock such that every dot from 1 up to it has been seen.
 *
 * A missing ref counts as 0: a node that knows a replica but has seen nothing of it is not ahead of a node that does
 * not know the replica.
 */
export type VersionVector = ReadonlyMap<string, number>

/** A node's name and its version vector, as heartbeats and transfer requests carry them. */
export interface NodeClock {
  /** The name to which a transfer request can be sent. */
  readonly name: string
  readonly clocks: VersionVector
}

/** Returns whether `left` has seen everything that `right` has seen. Equal vectors dominate each other. */
export function dominates(left: VersionVector, right: VersionVector): boolean {
  for (const [ref, clock] of right) if ((left.get(ref) ?? 0) < clock) return false
  return true
}

/** Returns the smallest vector that dominates both: each ref of either, with the greater clock. */
export function upperBound(left: VersionVector, right: VersionVector): VersionVector {
  const bound = new Map(left)
  for (const [ref, clock] of right) bound.set(ref, Math.max(clock, bound.get(ref) ?? 0))
  return bound
}

/**
 * Returns each ref of either vector, with the smaller clock where both have it.
 *
 * A ref that only one side has keeps its clock (T19). The bound is the start of a delta that was joined from two deltas. A
 * delta without dots of a replica requires no dots of that replica.
 */
export function lowerBound(left: VersionVector, right: VersionVector): VersionVector {
  const bound = new Map(left)
  for (const [ref, clock] of right) bound.set(ref, Math.min(clock, bound.get(ref) ?? clock))
  return bound
}

/** Returns `vector` without the refs that are not in `known`. */
export function restrict(vector: VersionVector, known: { has(ref: string): boolean }): VersionVector {
  return new Map([...vector].filter(([ref]) => known.has(ref)))
}

/**
 * Adds a clock to a clock set and returns the new set (T34). A clock set keeps the few nodes that together have seen the
 * most.
 *
 * A vector without refs is not added. A newer clock of a node replaces its older one. A node is not added if the others
 * together have seen everything that it has seen.
 */
export function appendClock(set: readonly NodeClock[], added: NodeClock): readonly NodeClock[] {
  if (added.clocks.size === 0) return set
  const others = set.filter((clock) => clock.name !== added.name)
  const seenByOthers = others.reduce<VersionVector>((bound, clock) => upperBound(bound, clock.clocks), new Map())
  if (dominates(added.clocks, seenByOthers)) return [added]
  if (dominates(seenByOthers, added.clocks)) return others
  return [...others.filter((clock) => !dominates(added.clocks, clock.clocks)), added]
}

/**
 * Returns the names of the nodes to send a transfer request to (T34).
 *
 * If one node has seen everything that the others have seen, only its name is returned. If the own vector dominates all
 * others, the result is empty.
 *
 * @param received the latest clocks of the other nodes
 */
export function nodesToAsk(received: Iterable<NodeClock>, own: NodeClock): readonly string[] {
  let set: readonly NodeClock[] = []
  for (const clock of received) set = appendClock(set, clock)
  return appendClock(set, own)
    .map((clock) => clock.name)
    .filter((name) => name !== own.name)
}

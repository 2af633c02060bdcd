/** Version vectors: how much of each replica's history a node has seen, and what follows from comparing two of them. */

/**
 * Replica ref → the highest clock such that every tick from 1 to it has been seen.
 *
 * A ref that is missing counts as 0: knowing of a replica and having seen nothing of it is no lead over not knowing it.
 */
export type VersionVector = ReadonlyMap<string, number>

/** What one node says that it has seen: its name beside its vector, as heartbeats and transfer requests carry it. */
export interface NodeClock {
  /** The name under which the node can be asked. */
  readonly name: string
  readonly clocks: VersionVector
}

/** Whether `left` has seen all that `right` has. Equal vectors dominate each other. */
export function dominates(left: VersionVector, right: VersionVector): boolean {
  for (const [ref, clock] of right) if ((left.get(ref) ?? 0) < clock) return false
  return true
}

/** The least vector that dominates both: each ref of either, with the greater clock. */
export function upperBound(left: VersionVector, right: VersionVector): VersionVector {
  const bound = new Map(left)
  for (const [ref, clock] of right) bound.set(ref, Math.max(clock, bound.get(ref) ?? 0))
  return bound
}

/**
 * Each ref of either vector, with the smaller clock where both have it.
 *
 * A ref that only one side has keeps its clock there (T19): the bound is the start of a delta made of two, and a
 * delta that says nothing of a replica asks nothing of it.
 */
export function lowerBound(left: VersionVector, right: VersionVector): VersionVector {
  const bound = new Map(left)
  for (const [ref, clock] of right) bound.set(ref, Math.min(clock, bound.get(ref) ?? clock))
  return bound
}

/** The part of `vector` that speaks of the refs of `known`. */
export function restrict(vector: VersionVector, known: { has(ref: string): boolean }): VersionVector {
  return new Map([...vector].filter(([ref]) => known.has(ref)))
}

/**
 * A clock set with one more clock (T34): of all the nodes heard, the few that together know the most.
 *
 * A vector without refs is left out, a newer clock of a name takes the place of the older one, and a node whose
 * vector is covered by what the others have together adds nothing.
 */
export function appendClock(set: readonly NodeClock[], added: NodeClock): readonly NodeClock[] {
  if (added.clocks.size === 0) return set
  const others = set.filter((clock) => clock.name !== added.name)
  const heard = others.reduce<VersionVector>((bound, clock) => upperBound(bound, clock.clocks), new Map())
  if (dominates(added.clocks, heard)) return [added]
  if (dominates(heard, added.clocks)) return others
  return [...others.filter((clock) => !dominates(added.clocks, clock.clocks)), added]
}

/**
 * The names to send a transfer request to (T34), given the clocks heard since the last time and one's own.
 *
 * One node that has seen all the others' ticks is asked alone, in place of each of them; when one's own vector
 * dominates, nobody is.
 */
export function nodesToAsk(heard: Iterable<NodeClock>, own: NodeClock): readonly string[] {
  let set: readonly NodeClock[] = []
  for (const clock of heard) set = appendClock(set, clock)
  return appendClock(set, own)
    .map((clock) => clock.name)
    .filter((name) => name !== own.name)
}

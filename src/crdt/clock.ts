/**
 * Version vectors record how much of each replica's history a node has seen. This file compares them.
 */

/**
 * Replica ref → the highest clock such that every dot from 1 up to it has been seen.
 *
 * A missing ref counts as 0: a node that knows a replica but has seen nothing of it is not ahead of a node that does
 * not know the replica.
 */
export type VersionVector = ReadonlyMap<string, number>

/**
 * Two numbers in place of a version vector. Of two nodes with different digests, at least one lacks something; the one with
 * the greater sum has probably seen more.
 */
export interface Digest {
  /** The sum of all clocks. */
  readonly sum: number
  /** A hash of 32 bits over all refs and clocks, in whatever order they are. */
  readonly hash: number
}

/** Returns whether `left` has seen everything that `right` has seen. Equal vectors dominate each other. */
export function dominates(left: VersionVector, right: VersionVector): boolean {
  for (const [ref, clock] of right) if ((left.get(ref) ?? 0) < clock) return false
  return true
}

/** Returns `vector` without the refs that are not in `known`. */
export function restrict(vector: VersionVector, known: { has(ref: string): boolean }): VersionVector {
  return new Map([...vector].filter(([ref]) => known.has(ref)))
}

/** Returns the digest of a vector. A ref with clock 0 is left out, as if it were missing. */
export function digestOf(vector: VersionVector): Digest {
  let sum = 0
  let hash = 0
  for (const [ref, clock] of vector) {
    if (clock === 0) continue
    sum += clock
    hash = (hash + hashOf(ref, clock)) >>> 0
  }
  return { sum, hash }
}

/** FNV-1a over the ref and the clock, with a last step that spreads the clock's low bits over all 32. */
function hashOf(ref: string, clock: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < ref.length; i += 1) hash = Math.imul(hash ^ ref.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (clock >>> 0), 0x01000193)
  hash = Math.imul(hash ^ Math.floor(clock / 2 ** 32), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return hash ^ (hash >>> 13)
}

import { xxHash32 } from "js-xxhash"
import type { Instance } from "./instance-row.ts"

/**
 * Returns the owner of a key by weighted rendezvous hashing: each instance gets a score for the key, and the highest wins.
 *
 * Nodes with equal lists choose equal owners, in whatever order the lists are. When an instance leaves, only its keys
 * move, and they spread over all others by weight.
 */
export function ownerOf<Candidate extends Instance>(instances: readonly Candidate[], key: string): Candidate {
  const bytes = new TextEncoder().encode(key)
  let owner = instances[0]!
  let highest = -Infinity
  for (const instance of instances) {
    const score = scoreOf(instance, bytes)
    // Equal scores are settled by id, since two nodes may hold the instances in different orders.
    if (score > highest || (score === highest && instance.id < owner.id)) {
      highest = score
      owner = instance
    }
  }
  return owner
}

/** The hashes of ids. An instance is the same object until it changes, so its id is hashed once and not for each call. */
const seeds = new WeakMap<Instance, number>()

function seedOf(instance: Instance): number {
  let seed = seeds.get(instance)
  if (seed === undefined) seeds.set(instance, (seed = xxHash32(instance.id)))
  return seed
}

/** A hash, as a number strictly between 0 and 1. The negative inverse of its logarithm has the odds that the weights ask for. */
function scoreOf(instance: Instance, key: Uint8Array): number {
  const share = (xxHash32(key, seedOf(instance)) + 0.5) / 2 ** 32
  return -instance.weight / Math.log(share)
}

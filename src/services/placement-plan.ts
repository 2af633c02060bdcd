import { xxHash32 } from "js-xxhash"
import type { Row } from "../tracker/tracker.ts"
import { INSTANCE_PID, nodeOfInstance } from "./instance-row.ts"
import type { Instance } from "./instance-row.ts"
import type { Location } from "./placement.ts"
import { ownerOf } from "./rendezvous.ts"

/** One process of an id, as the tracker shows it. In a split, and after it, an id can have several. */
export interface PlacedProcess extends Location {
  /** Whether it has been stopped, and its state is on its way to another node. */
  readonly isMoving: boolean
  /** The `phx_ref` of its row. */
  readonly ref: string
  /** The start of its node's part in the placement. */
  readonly run: unknown
}

/** Returns the process that a row of the tracker is for; `undefined` for a row of a client. */
export function placedProcess({ pid, key, meta }: Row): PlacedProcess | undefined {
  if (!INSTANCE_PID.test(pid)) return undefined
  const { phx_ref: ref, moving, run } = meta
  return { id: key, instance: pid, node: nodeOfInstance(pid), isMoving: moving === true, ref, run }
}

/** Returns the start of a node's part in the placement. A restarted node has the same instance, but another run. */
export const runOf = ({ meta }: Instance): unknown => (meta as { run?: unknown }).run

/** Names an instance and its start. */
export const startOf = (instance: Instance): string => `${String(runOf(instance))} ${instance.id}`

/** Whether an instance is listed, and has not ended since it was read. */
export const isListed = (instances: readonly Instance[], instance: Instance): boolean =>
  instances.some((each) => each.id === instance.id && runOf(each) === runOf(instance))

/** Returns the instances that take processes. One that drains says so in its meta, since its processes can still be called. */
export const takers = (instances: readonly Instance[]): readonly Instance[] =>
  instances.filter(({ meta }) => (meta as { leaving?: unknown }).leaving !== true)

/** Returns the instance that an id belongs to; `undefined` if there is none. */
export function ownerOfId(instances: readonly Instance[], id: string): Instance | undefined {
  const taking = takers(instances)
  return taking.length === 0 ? undefined : ownerOf(taking, id)
}

/**
 * Returns the process that stays, of those that run under one id.
 *
 * The order depends on the id and on the instances alone, so that any two nodes that see the same two processes agree: by time
 * they would not, and by the present members two losers could each take the other for the winner.
 */
export function winnerOf<Process extends PlacedProcess>(processes: readonly Process[]): Process | undefined {
  let winner: Process | undefined
  for (const process of processes) {
    if (!process.isMoving && (winner === undefined || outranks(process, winner))) winner = process
  }
  return winner
}

/** Returns the process that calls go to: the one that stays, or otherwise one that is moving. */
export const currentOf = (processes: readonly PlacedProcess[]): PlacedProcess | undefined =>
  winnerOf(processes) ?? processes[0]

function outranks(process: PlacedProcess, other: PlacedProcess): boolean {
  const [rank, otherRank] = [rankOf(process), rankOf(other)]
  return rank === otherRank ? process.instance > other.instance : rank > otherRank
}

const rankOf = ({ id, instance }: PlacedProcess): number => xxHash32(id, xxHash32(instance))

/** Returns the ids that an instance has to hand over, given those that it runs. */
export function idsToMove(instances: readonly Instance[], self: string, ids: Iterable<string>): string[] {
  const taking = takers(instances)
  // With nowhere to go, a process stays.
  if (taking.length === 0) return []
  return Array.from(ids).filter((id) => ownerOf(taking, id).id !== self)
}

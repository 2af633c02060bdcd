import { nodeOf } from "./replica-ref.ts"
import { ReplacedRefs } from "./replaced-refs.ts"
import { deadlineOf, statusAt, type Replica, type ReplicaStatus, type SilenceTimeouts } from "./replica.ts"

/** The status of another node, as this node sees it. */
export interface NodeStatus {
  readonly node: string
  /** `down` if the node has been silent for the down period; its presences have left. */
  readonly status: "up" | "down"
  /** The time since its last message, in ms. */
  readonly silentMs: number
}

/** A status change of a replica, to be applied to the set. */
export interface StatusChange {
  readonly ref: string
  /** `permdown` if the replica is permanently down and must be forgotten, whether it was up or down before. */
  readonly to: ReplicaStatus
}

/**
 * The effect of a heartbeat on the membership:
 * - `known`: the sender was already up.
 * - `appeared`: the sender is new or has returned.
 * - `stale`: the sender's ref is permanently down here.
 * - `crowded`: the sender is refused, because the maximum number of other nodes are up.
 */
export type HeartbeatEffect = "known" | "appeared" | "stale" | "crowded"

/** A ref that is permanently down here: it sent a goodbye, was replaced by a restart, or was silent for too long. */
interface StaleRef {
  since: number
  isConflictReported: boolean
}

const NO_CHANGES: readonly StatusChange[] = []

/**
 * The other nodes that are up or down, and the refs that are permanently down (T30 to T33, D9, D10). It reads no clock:
 * `now` is a parameter.
 *
 * `maxReplicas` limits the number of nodes and the number of stale refs. Beyond it, a new node takes the place of a node
 * that is down, and the oldest stale ref is forgotten.
 */
export class Membership {
  readonly #timeouts: SilenceTimeouts
  readonly #maxReplicas: number
  /** Node name → the node's replica. A name has one replica at a time. */
  readonly #replicas = new Map<string, Replica>()
  readonly #staleRefs = new Map<string, StaleRef>()
  readonly #replacedRefs: ReplacedRefs

  constructor(timeouts: SilenceTimeouts, maxReplicas = 1024) {
    this.#replacedRefs = new ReplacedRefs(timeouts.downPeriodMs)
    this.#timeouts = timeouts
    this.#maxReplicas = maxReplicas
  }

  /** The number of nodes that are up or down, without this one. */
  get size(): number {
    return this.#replicas.size
  }

  /** Returns all replicas that are up or down. */
  replicas(): Replica[] {
    return [...this.#replicas.values()]
  }

  /** Returns the replicas in the set: those that are up or down, and those whose rows wait for the state of a new ref. */
  replicasInSet(): Pick<Replica, "ref" | "status">[] {
    return [...this.#replicas.values(), ...this.#replacedRefs.all.map((ref) => ({ ref, status: "up" as const }))]
  }

  nodes(now: number): NodeStatus[] {
    return Array.from(this.#replicas, ([node, { status, lastSeenAt }]) => {
      return { node, status, silentMs: now - lastSeenAt }
    })
  }

  has(ref: string): boolean {
    return this.#replicas.get(nodeOf(ref))?.ref === ref
  }

  isStale(ref: string): boolean {
    return this.#staleRefs.has(ref)
  }

  /** Returns whether the next heartbeat of an unknown ref will make it known. */
  awaits(ref: string): boolean {
    return !this.#staleRefs.has(ref) && this.#replicas.size < this.#maxReplicas
  }

  /** Returns the current ref of a node; `undefined` if the node is not up. */
  currentRef(node: string): string | undefined {
    const replica = this.#replicas.get(node)
    return replica?.status === "up" ? replica.ref : undefined
  }

  /**
   * Processes a heartbeat (T30). Only a heartbeat makes a replica known.
   *
   * If a known node sends a new ref, it has been restarted, and the new ref replaces the old one at once (D10). The old rows
   * stay in the set until `stateArrived` reports that `clock` dots of the new ref have been seen, for at most a down period;
   * rows that were not shown are dropped at once. A stale ref stays stale, because messages from before its end can arrive
   * very late, and its rows would come back as ghosts (D9). The sender's `previousRef` becomes stale, too, whether it was known
   * here or not.
   */
  heartbeat(
    ref: string,
    now: number,
    previousRef?: string,
    clock = 0,
  ): { readonly effect: HeartbeatEffect; readonly changes: readonly StatusChange[] } {
    if (this.#staleRefs.has(ref)) return { effect: "stale", changes: NO_CHANGES }
    const node = nodeOf(ref)
    const known = this.#replicas.get(node)
    const changes: StatusChange[] = []
    if (known === undefined && this.#replicas.size >= this.#maxReplicas) {
      // Otherwise a node that crashes again and again, with a new name each time, would keep out all others for 20
      // minutes.
      const silent = this.#longestDown()
      if (silent === undefined) return { effect: "crowded", changes: NO_CHANGES }
      changes.push(...this.goodbye(silent, now))
    }
    const firstSeenAt = known?.ref === ref ? known.firstSeenAt : now
    this.#replicas.set(node, { ref, status: "up", firstSeenAt, lastSeenAt: now })
    if (known?.ref === ref && known.status === "up") return { effect: "known", changes: NO_CHANGES }
    if (previousRef !== undefined) this.#markStale(previousRef, now)
    if (known !== undefined && known.ref !== ref) {
      this.#markStale(known.ref, now)
      if (known.status === "up" && clock > 0) {
        changes.push(...permdown(this.#replacedRefs.add(known.ref, ref, clock, now)))
      } else changes.push(...permdown([known.ref, ...this.#replacedRefs.takeOf(node)]))
    }
    changes.push({ ref, to: "up" })
    return { effect: "appeared", changes }
  }

  /**
   * Records any message. It extends the deadlines of a replica that is up. A replica that is down stays down until its next
   * heartbeat, because only the clocks of a heartbeat show what was missed.
   */
  recordMessage(ref: string, now: number): void {
    const node = nodeOf(ref)
    const known = this.#replicas.get(node)
    if (known?.ref === ref && known.status === "up") this.#replicas.set(node, { ...known, lastSeenAt: now })
  }

  /** Returns the status changes of replaced refs. `clockOf` returns how much has been seen of a replica. */
  stateArrived(clockOf: (ref: string) => number | undefined): readonly StatusChange[] {
    return permdown(this.#replacedRefs.takeArrived(clockOf))
  }

  /** Processes a goodbye (T33). The ref is then permanently down, even if its first heartbeat has not arrived yet. */
  goodbye(ref: string, now: number): readonly StatusChange[] {
    const isKnown = this.has(ref)
    this.#markStale(ref, now)
    if (!isKnown) return this.#replacedRefs.delete(ref) ? permdown([ref]) : NO_CHANGES
    const node = nodeOf(ref)
    this.#replicas.delete(node)
    return permdown([ref, ...this.#replacedRefs.takeOf(node)])
  }

  /** Marks a node as down at once. To be called when the bus reports the node's end. */
  nodeDown(node: string): readonly StatusChange[] {
    const known = this.#replicas.get(node)
    if (known?.status !== "up") return NO_CHANGES
    this.#replicas.set(node, { ...known, status: "down" })
    return [{ ref: known.ref, to: "down" }, ...permdown(this.#replacedRefs.takeOf(node))]
  }

  /** Applies and returns the status changes that silence has caused up to `now` (T32), and forgets old stale refs. */
  checkTimeouts(now: number): readonly StatusChange[] {
    const changes = permdown(this.#replacedRefs.takeExpired(now))
    for (const [node, replica] of this.#replicas) {
      const status = statusAt(now, replica, this.#timeouts)
      if (status === replica.status) continue
      changes.push({ ref: replica.ref, to: status })
      if (status === "permdown") {
        this.#replicas.delete(node)
        this.#markStale(replica.ref, now)
      } else {
        this.#replicas.set(node, { ...replica, status })
      }
    }
    for (const [ref, { since }] of this.#staleRefs) {
      if (now - since < this.#timeouts.permdownPeriodMs) break
      this.#staleRefs.delete(ref)
    }
    return changes
  }

  /** Returns the time at which `checkTimeouts` may find the next change; infinity if there are no other nodes. */
  nextDeadline(): number {
    let next = this.#replacedRefs.nextDeadline()
    for (const replica of this.#replicas.values()) next = Math.min(next, deadlineOf(replica, this.#timeouts))
    return next
  }

  /** Extends all deadlines by `ms`, the time for which this node itself could not receive messages (D11). */
  extendDeadlines(ms: number, now: number): void {
    for (const [node, { ref, status, firstSeenAt, lastSeenAt }] of this.#replicas) {
      this.#replicas.set(node, {
        ref,
        status,
        firstSeenAt: Math.min(now, firstSeenAt + ms),
        lastSeenAt: Math.min(now, lastSeenAt + ms),
      })
    }
    for (const stale of this.#staleRefs.values()) stale.since = Math.min(now, stale.since + ms)
    this.#replacedRefs.extendDeadlines(ms, now)
  }

  /**
   * Returns whether a stale ref that still sends messages belongs to a second living node with the same name (D6).
   *
   * Returns `true` once per ref, and only after a down period. Before that, the message may just be late.
   */
  detectNameConflict(ref: string, now: number): boolean {
    const stale = this.#staleRefs.get(ref)
    const current = this.#replicas.get(nodeOf(ref))
    if (stale === undefined || stale.isConflictReported || current?.status !== "up") return false
    stale.isConflictReported = now - Math.max(stale.since, current.firstSeenAt) > this.#timeouts.downPeriodMs
    return stale.isConflictReported
  }

  /** Returns the ref that has been down for the longest time. */
  #longestDown(): string | undefined {
    let longest: Replica | undefined
    for (const replica of this.#replicas.values()) {
      if (replica.status === "down" && replica.lastSeenAt < (longest?.lastSeenAt ?? Infinity)) longest = replica
    }
    return longest?.ref
  }

  #markStale(ref: string, now: number): void {
    this.#staleRefs.delete(ref)
    this.#staleRefs.set(ref, { since: now, isConflictReported: false })
    for (const [oldest] of this.#staleRefs) {
      if (this.#staleRefs.size <= this.#maxReplicas) break
      this.#staleRefs.delete(oldest)
    }
  }
}

function permdown(refs: readonly string[]): StatusChange[] {
  return refs.map((ref) => ({ ref, to: "permdown" }))
}

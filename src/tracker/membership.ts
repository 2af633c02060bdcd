import { nodeOf } from "./replica-ref.ts"
import { deadline, judge, type SilenceTimeouts, type Replica } from "./replica.ts"

/** Another node, as this one sees it. */
export interface NodeStatus {
  readonly node: string
  /** `down`: silent for so long that its presences have left. */
  readonly status: "up" | "down"
  /** Since when nothing has been heard of it, in ms. */
  readonly silentMs: number
}

/** A step in a replica's life, to be taken in the set: `gone` forgets it, from sight or out of it. */
export interface Change {
  readonly ref: string
  readonly to: "up" | "down" | "gone"
}

/**
 * What a heartbeat was: of a replica that is up (`known`), new or back (`appeared`), buried before (`departed`), or one
 * too many (`crowded`), as all places are held by nodes that are up.
 */
export type Verdict = "known" | "appeared" | "departed" | "crowded"

/** A ref that is over here: it said goodbye, was replaced by a restart, or was silent for the permanent period. */
interface Departed {
  at: number
  disputed: boolean
}

const NO_CHANGES: readonly Change[] = []

/**
 * Which other nodes there are, and which have been (T30 to T33, D9, D10). Pure: `now` is handed in.
 *
 * Bounded in both: a node takes in no more than `maxReplicas` others, of which those that are down make room for new ones,
 * and remembers that many departed refs, the latest.
 */
export class Membership {
  readonly #patience: SilenceTimeouts
  readonly #maxReplicas: number
  /** By the node's name: one name, one replica. */
  readonly #replicas = new Map<string, Replica>()
  readonly #departed = new Map<string, Departed>()

  constructor(patience: SilenceTimeouts, maxReplicas = 1024) {
    this.#patience = patience
    this.#maxReplicas = maxReplicas
  }

  /** All refs that are up or down. */
  refs(): string[] {
    return [...this.#replicas.values()].map((replica) => replica.ref)
  }

  nodes(now: number): NodeStatus[] {
    return Array.from(this.#replicas, ([node, { status, heard }]) => ({ node, status, silentMs: now - heard }))
  }

  has(ref: string): boolean {
    return this.#replicas.get(nodeOf(ref))?.ref === ref
  }

  isDeparted(ref: string): boolean {
    return this.#departed.has(ref)
  }

  /** The ref that now stands for a node, if that is up. */
  standing(node: string): string | undefined {
    const replica = this.#replicas.get(node)
    return replica?.status === "up" ? replica.ref : undefined
  }

  /**
   * Takes note of a heartbeat (T30). The only way for a replica to come in.
   *
   * A new version of a known name takes its place at once (D10). One that departed stays so: what it sent before it went
   * may be under way for long, and its rows would come back as ghosts (D9). So does `former`, the ref that it itself had
   * before, whether that has been heard of here or not.
   */
  heartbeat(
    ref: string,
    now: number,
    former?: string,
  ): { readonly verdict: Verdict; readonly changes: readonly Change[] } {
    if (this.#departed.has(ref)) return { verdict: "departed", changes: NO_CHANGES }
    const node = nodeOf(ref)
    const known = this.#replicas.get(node)
    const changes: Change[] = []
    if (known === undefined && this.#replicas.size >= this.#maxReplicas) {
      // Nodes that crash again and again, with a new name each time, would otherwise keep out all others for twenty minutes.
      const silent = this.#longestDown()
      if (silent === undefined) return { verdict: "crowded", changes: NO_CHANGES }
      changes.push(...this.goodbye(silent, now))
    }
    const since = known?.ref === ref ? known.since : now
    this.#replicas.set(node, { ref, status: "up", since, heard: now })
    if (known?.ref === ref && known.status === "up") return { verdict: "known", changes: NO_CHANGES }
    if (former !== undefined) this.#bury(former, now)
    if (known !== undefined && known.ref !== ref) {
      this.#bury(known.ref, now)
      changes.push({ ref: known.ref, to: "gone" })
    }
    changes.push({ ref, to: "up" })
    return { verdict: "appeared", changes }
  }

  /** Takes note of another sign of life. It brings back nobody: what was missed is known by a heartbeat's clocks only. */
  touch(ref: string, now: number): void {
    const node = nodeOf(ref)
    const known = this.#replicas.get(node)
    if (known?.ref === ref && known.status === "up") this.#replicas.set(node, { ...known, heard: now })
  }

  /** Takes note of a goodbye (T33): that exact ref is gone, and so is one that is not known yet and said so in advance. */
  goodbye(ref: string, now: number): readonly Change[] {
    const known = this.has(ref)
    this.#bury(ref, now)
    if (!known) return NO_CHANGES
    this.#replicas.delete(nodeOf(ref))
    return [{ ref, to: "gone" }]
  }

  /** A node is known to be gone by other means than silence: it is down at once. */
  nodeDown(node: string): readonly Change[] {
    const known = this.#replicas.get(node)
    if (known?.status !== "up") return NO_CHANGES
    this.#replicas.set(node, { ...known, status: "down" })
    return [{ ref: known.ref, to: "down" }]
  }

  /** What silence has made of the replicas by `now` (T32). */
  judge(now: number): readonly Change[] {
    const changes: Change[] = []
    for (const [node, replica] of this.#replicas) {
      const status = judge(replica, now, this.#patience)
      if (status === replica.status) continue
      changes.push({ ref: replica.ref, to: status })
      if (status === "gone") {
        this.#replicas.delete(node)
        this.#bury(replica.ref, now)
      } else {
        this.#replicas.set(node, { ...replica, status })
      }
    }
    for (const [ref, { at }] of this.#departed) {
      if (now - at < this.#patience.permdownPeriodMs) break
      this.#departed.delete(ref)
    }
    return changes
  }

  /** When `judge` may next find something; infinite when there is nobody. */
  deadline(): number {
    let next = Infinity
    for (const replica of this.#replicas.values()) next = Math.min(next, deadline(replica, this.#patience))
    return next
  }

  /** Takes back `ms` of silence, in which it was us who could not hear (D11). */
  forgive(ms: number, now: number): void {
    for (const [node, replica] of this.#replicas) {
      const [heard, since] = [replica.heard, replica.since].map((at) => Math.min(now, at + ms)) as [number, number]
      this.#replicas.set(node, { ...replica, heard, since })
    }
    for (const departed of this.#departed.values()) departed.at = Math.min(now, departed.at + ms)
  }

  /**
   * Whether a departed ref that still speaks is alive beside the one that took its place: two nodes have one name (D6).
   *
   * Told once for each, and only after a down period: until then it may be the past that is still under way.
   */
  disputes(ref: string, now: number): boolean {
    const departed = this.#departed.get(ref)
    const standing = this.#replicas.get(nodeOf(ref))
    if (departed === undefined || departed.disputed || standing?.status !== "up") return false
    departed.disputed = now - Math.max(departed.at, standing.since) > this.#patience.downPeriodMs
    return departed.disputed
  }

  /** The ref, of those that are down, that has been silent for the longest time. */
  #longestDown(): string | undefined {
    let longest: Replica | undefined
    for (const replica of this.#replicas.values()) {
      if (replica.status === "down" && replica.heard < (longest?.heard ?? Infinity)) longest = replica
    }
    return longest?.ref
  }

  #bury(ref: string, now: number): void {
    this.#departed.delete(ref)
    this.#departed.set(ref, { at: now, disputed: false })
    for (const [oldest] of this.#departed) {
      if (this.#departed.size <= this.#maxReplicas) break
      this.#departed.delete(oldest)
    }
  }
}

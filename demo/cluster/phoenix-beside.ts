import type { Diff } from "rollcall/tracker"
import type { Flight } from "./flight.js"
import { PhoenixSet } from "./phoenix-set.js"
import type { PhoenixDelta } from "./phoenix-set.js"

/** What a node would show by Phoenix's rules. */
export interface PhoenixView {
  readonly node: string
  readonly keys: readonly string[]
  /** How far it has seen each node's changes: `node1 3, node2 0`. */
  readonly clocks: string
}

/**
 * A set of Phoenix beside each node. It gets the same joins and leaves, and the same changes from the other nodes at the same
 * moments. Questions and answers are left out, so a node that lacks something shows less than with Phoenix. What it shows too
 * much, it would show with Phoenix as well.
 */
export class PhoenixBeside {
  readonly #sets: ReadonlyMap<string, PhoenixSet>
  /** What a message carries, by its sender and its sender's clock: all copies of a message carry the same. */
  readonly #deltas = new Map<string, PhoenixDelta>()

  constructor(nodes: readonly string[]) {
    this.#sets = new Map(nodes.map((node) => [node, new PhoenixSet(node)]))
  }

  /** Takes a change of what a node shows: its own people only, as those of others come with messages. */
  changed(node: string, diff: Diff): void {
    const set = this.#sets.get(node)
    for (const { joins, leaves } of diff.values()) {
      for (const { key, pid } of leaves) if (isOf(pid, node)) set?.leave(placeOf(key, pid))
      for (const { key, pid } of joins) if (isOf(pid, node)) set?.join(placeOf(key, pid))
    }
  }

  /** Takes a message that was sent, or has arrived. */
  sent({ message, read }: Flight): void {
    if (read?.type !== "heartbeat" || read.parts.length === 0) return
    const name = `${message.from} ${read.clocks.find(({ ref }) => ref === read.ref)?.clock ?? 0}`
    const delta = this.#deltas.get(name) ?? this.#sets.get(message.from)?.takeDelta()
    if (delta === undefined) return
    this.#deltas.set(name, delta)
    if (message.state === "arrived") this.#sets.get(message.to)?.merge(message.from, delta)
  }

  get views(): readonly PhoenixView[] {
    return Array.from(this.#sets, ([node, { places, context }]) => ({
      node,
      keys: places.map((place) => place.split(" ")[0] ?? ""),
      clocks: Array.from(this.#sets.keys(), (other) => `${other} ${context.get(other) ?? 0}`).join(", "),
    }))
  }
}

const isOf = (pid: string, node: string): boolean => pid.endsWith(`@${node}`)
const placeOf = (key: string, pid: string): string => `${key} ${pid}`

import type { Tracker } from "../tracker/tracker.ts"
import type { ServicesCounter } from "./counter-names.ts"
import { draining, instanceGone, markNotRun, overloaded } from "./errors.ts"
import type { Refusal } from "./messages.ts"
import type { CallReceiver, InstanceCall } from "./served-instance.ts"

/** What the served instances need. */
export interface ServedInstancesOptions {
  readonly tracker: Tracker
  readonly maxRunning: number
  readonly count: (name: ServicesCounter) => void
}

/**
 * Tracker → the instances of its node. A program may create several services objects on one tracker, such as one of its own
 * beside that of a server. They call each other's instances directly, since a node does not get its own messages.
 */
const nodes = new WeakMap<Tracker, Map<string, CallReceiver>>()

/** The instances of this node that handle calls. */
export class ServedInstances {
  readonly #instances: Map<string, CallReceiver>
  readonly #maxRunning: number
  readonly #count: (name: ServicesCounter) => void

  constructor({ tracker, maxRunning, count }: ServedInstancesOptions) {
    this.#instances = nodes.get(tracker) ?? new Map<string, CallReceiver>()
    nodes.set(tracker, this.#instances)
    this.#maxRunning = maxRunning
    this.#count = count
  }

  add(instance: CallReceiver): void {
    this.#instances.set(instance.id, instance)
  }

  remove(id: string): void {
    this.#instances.delete(id)
  }

  has(id: string): boolean {
    return this.#instances.has(id)
  }

  /** The number of handlers and streams that are running, of all instances. */
  get running(): number {
    let running = 0
    for (const instance of this.#instances.values()) running += instance.running
    return running
  }

  /** Returns why an instance does not take a call now; `undefined` if it does. */
  refusalOf(id: string): Refusal | undefined {
    const instance = this.#instances.get(id)
    if (instance === undefined) return "gone"
    if (instance.isDraining) return "draining"
    if (this.running < this.#maxRunning) return undefined
    this.#count("services_overloads")
    return "overloaded"
  }

  /** Runs a call; see `ServedInstance.run`. Rejects with the error for a refusal. */
  async run(id: string, call: InstanceCall): Promise<unknown> {
    const why = this.refusalOf(id)
    if (why === undefined) return this.#instances.get(id)!.run(call)
    throw refused(why, call.path.join("."), id)
  }
}

/** Returns the error for a refusal. It is marked as that of a call that did not run. */
export function refused(why: Refusal, call: string, id: string): unknown {
  return markNotRun({ draining, gone: instanceGone, overloaded }[why](call, id))
}

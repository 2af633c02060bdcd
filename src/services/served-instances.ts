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

/** The instances of a node that handle calls. */
interface NodeInstances {
  readonly byId: Map<string, CallReceiver>
  /** The handlers and streams that they run. A node may have thousands of instances, so they are not added up for each call. */
  readonly load: Load
}

/** A number of handlers and streams that run. */
export interface Load {
  running: number
}

/**
 * Tracker → the instances of its node. A program may create several services objects on one tracker, such as one of its own
 * beside that of a server. They call each other's instances directly, since a node does not get its own messages.
 */
const nodes = new WeakMap<Tracker, NodeInstances>()

/** The instances of this node that handle calls. */
export class ServedInstances {
  readonly #instances: Map<string, CallReceiver>
  /** The handlers and streams that run on this node, for those that count them. */
  readonly load: Load
  readonly #maxRunning: number
  readonly #count: (name: ServicesCounter) => void

  constructor({ tracker, maxRunning, count }: ServedInstancesOptions) {
    const known = nodes.get(tracker) ?? { byId: new Map<string, CallReceiver>(), load: { running: 0 } }
    nodes.set(tracker, known)
    this.#instances = known.byId
    this.load = known.load
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

  /** Returns why an instance does not take a call now; `undefined` if it does. */
  refusalOf(id: string): Refusal | undefined {
    const instance = this.#instances.get(id)
    if (instance === undefined) return "gone"
    if (instance.isDraining) return "draining"
    if (this.load.running < this.#maxRunning) return undefined
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

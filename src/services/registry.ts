import { ConfigError, kindOf, RollcallError } from "../error.ts"
import { copyJsonObject } from "../json.ts"
import { Listeners } from "../listeners.ts"
import type { Undo } from "../listeners.ts"
import { quote } from "../quote.ts"
import type { Diff, Row, Tracker } from "../tracker/tracker.ts"
import { isWeight, parseRow, pidOf, serviceOf, topicOf, WEIGHT } from "./instance-row.ts"
import { checkService } from "./service-name.ts"
import { shownNumber } from "./shown.ts"
import type { AnyMeta, Instance, RegisteredInstance, RowMeta } from "./instance-row.ts"

/** What changed among the instances of a service. Each instance is in one of the lists. */
export interface InstanceChange<Meta extends object = AnyMeta> {
  readonly joins: readonly Instance<Meta>[]
  /** Instances with a new meta, or that began to drain. */
  readonly updates: readonly Instance<Meta>[]
  /** Instances that ended, or whose node is gone, as they were last. */
  readonly leaves: readonly Instance<Meta>[]
}

/** The options of `announce`. All have defaults. */
export interface AnnounceOptions<Meta extends object = AnyMeta> {
  /** What the instance says of itself: a JSON object, `{}` by default. */
  readonly meta?: Meta
  /** The share of keys and of random choices that it gets, relative to the others: a number above 0, 1 by default. */
  readonly weight?: number
  /** Where the instance runs, for the route `zone`. */
  readonly zone?: string
}

/** An instance that this node has announced. */
export interface OwnInstance {
  readonly id: string
  /** The current state. @throws RollcallError `not_tracked` after `end` */
  readonly instance: Instance
  /** Replaces parts of what is replicated. @throws RollcallError `not_tracked` after `end` */
  change(change: (row: RowMeta) => RowMeta): void
  /** Removes the instance. A second call does nothing. */
  end(): void
}

/** What the registry needs. */
export interface RegistryOptions {
  readonly tracker: Tracker
  /** Returns the ms since 1970. */
  readonly wallClock: () => number
  /** Called with what a listener throws. */
  readonly failed: (error: unknown) => void
}

/** Which services run where, on all nodes: a view of the tracker. */
export class Registry {
  readonly #tracker: Tracker
  readonly #wallClock: () => number
  readonly #failed: (error: unknown) => void
  readonly #watchers = new Map<string, Listeners<[change: InstanceChange]>>()
  readonly #gone = new Listeners<[instance: Instance, port: string | undefined]>()
  /** Service → its instances, sorted by id. An entry is built when it is read, and dropped when it changes. */
  readonly #lists = new Map<string, ServiceList>()
  readonly #stop: Undo
  #announced = 0

  constructor({ tracker, wallClock, failed }: RegistryOptions) {
    this.#tracker = tracker
    this.#wallClock = wallClock
    this.#failed = failed
    this.#stop = tracker.onDiff((diff) => this.#changed(diff))
  }

  /**
   * Announces an instance on this node.
   * @throws ConfigError for an invalid option
   */
  announce(
    service: string,
    options: AnnounceOptions<object>,
    more: Pick<RowMeta, "port" | "idempotent"> = {},
  ): OwnInstance {
    checkService(service)
    const { meta = {}, weight = 1, zone } = options
    if (!isWeight(weight)) throw new ConfigError(`expected weight to be ${WEIGHT}, got ${shownNumber(weight)}`)
    if (zone !== undefined && typeof zone !== "string") {
      throw new ConfigError(`expected zone to be a string, got ${kindOf(zone)}`)
    }
    const topic = topicOf(service)
    const pid = this.#freePid(service)
    const copy = copyJsonObject("a meta", meta)
    const place = zone === undefined ? {} : { zone }
    this.#track(service, () =>
      this.#tracker.track(pid, topic, pid, { meta: copy, since: this.#wallClock(), weight, ...place, ...more }),
    )
    const [row] = this.#tracker.getByPid(pid, topic)
    return this.#own(service, pid, row!.pid)
  }

  /** Returns the instances of a service, sorted by id. The same array until something changes. */
  list(service: string): readonly Instance[] {
    checkService(service)
    return this.#listOf(service).instances
  }

  /** Returns the instances of a service, with what only this folder needs, sorted by id. */
  entries(service: string): readonly RegisteredInstance[] {
    return this.#listOf(service).entries
  }

  /** Calls the listener at each change of the instances of a service. */
  watch(service: string, listener: (change: InstanceChange) => void): Undo {
    checkService(service)
    if (typeof listener !== "function") throw new ConfigError(`expected a listener, got ${kindOf(listener)}`)
    let listeners = this.#watchers.get(service)
    if (listeners === undefined) this.#watchers.set(service, (listeners = new Listeners()))
    const undo = listeners.add(listener)
    return () => {
      undo()
      if (listeners.size === 0 && this.#watchers.get(service) === listeners) this.#watchers.delete(service)
    }
  }

  /** Calls the listener with each instance that is gone, or whose node was restarted, and with its last port. */
  onGone(listener: (instance: Instance, port: string | undefined) => void): Undo {
    return this.#gone.add(listener)
  }

  /** Stops watching. The instances of this node must have ended before. */
  close(): void {
    this.#stop()
    this.#watchers.clear()
    this.#gone.clear()
  }

  #listOf(service: string): ServiceList {
    const known = this.#lists.get(service)
    if (known?.isCurrent === true) return known
    const former = new Map(known?.entries.map((entry) => [entry.instance.id, entry]))
    const entries = this.#tracker
      .list(topicOf(service))
      // An unchanged instance stays the same object, so that routes can keep what they compute of it.
      .map((row) => (former.get(row.pid)?.ref === row.meta.phx_ref ? former.get(row.pid) : parseRow(row)))
      .filter((entry) => entry !== undefined)
      .sort((one, other) => (one.instance.id < other.instance.id ? -1 : 1))
    const list = { entries, instances: Object.freeze(entries.map(({ instance }) => instance)), isCurrent: true }
    if (entries.length > 0) this.#lists.set(service, list)
    else this.#lists.delete(service)
    return list
  }

  /** Runs an operation of the tracker, after which the list must be built again. */
  #track(service: string, operation: () => void): void {
    operation()
    // The tracker may notify later, if a listener of another change is running.
    this.#outdate(service)
  }

  #outdate(service: string): void {
    const list = this.#lists.get(service)
    if (list !== undefined) list.isCurrent = false
  }

  #freePid(service: string): string {
    for (;;) {
      const pid = pidOf(service, (this.#announced += 1))
      // Another registry may use the same tracker.
      if (this.#tracker.getByPid(pid, topicOf(service)).length === 0) return pid
    }
  }

  #own(service: string, pid: string, id: string): OwnInstance {
    const topic = topicOf(service)
    const current = (): Row => {
      const [row] = this.#tracker.getByPid(pid, topic)
      if (row !== undefined) return row
      throw new RollcallError("not_tracked", `expected an instance of ${quote(service)} that has not ended, got ${id}`)
    }
    return {
      id,
      get instance() {
        return parseRow(current())!.instance
      },
      change: (change) => {
        const { phx_ref: _, phx_ref_prev: __, ...row } = current().meta
        this.#track(service, () => this.#tracker.update(pid, topic, pid, change(row as unknown as RowMeta)))
      },
      end: () => this.#track(service, () => this.#tracker.untrack(pid, topic, pid)),
    }
  }

  #changed(diff: Diff): void {
    for (const [topic, change] of diff) {
      const service = serviceOf(topic)
      // The rows of other topics are not read: they take less memory until they are.
      if (service === undefined) continue
      this.#outdate(service)
      this.#notify(service, parsed(change.joins), parsed(change.leaves))
    }
  }

  #notify(service: string, joined: readonly RegisteredInstance[], left: readonly RegisteredInstance[]): void {
    const after = new Map(joined.map((entry) => [entry.instance.id, entry]))
    const before = new Set(left.map(({ instance }) => instance.id))
    for (const { instance, port } of left) {
      const next = after.get(instance.id)
      if (next === undefined || (port !== undefined && next.port !== port))
        this.#gone.emit(this.#failed, instance, port)
    }
    const joins = joined.filter(({ instance }) => !before.has(instance.id)).map(({ instance }) => instance)
    const updates = joined.filter(({ instance }) => before.has(instance.id)).map(({ instance }) => instance)
    const leaves = left.filter(({ instance }) => !after.has(instance.id)).map(({ instance }) => instance)
    if (joins.length + updates.length + leaves.length === 0) return
    this.#watchers.get(service)?.emit(this.#failed, { joins, updates, leaves })
  }
}

interface ServiceList {
  readonly entries: readonly RegisteredInstance[]
  readonly instances: readonly Instance[]
  isCurrent: boolean
}

const parsed = (rows: readonly Row[]): readonly RegisteredInstance[] =>
  rows.map(parseRow).filter((entry) => entry !== undefined)

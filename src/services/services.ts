import { copyJsonObject } from "../json.ts"
import type { Undo } from "../listeners.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import type { Tracker } from "../tracker/tracker.ts"
import type { AnyMeta, Instance } from "./instance-row.ts"
import { Registry } from "./registry.ts"
import type { AnnounceOptions, InstanceChange } from "./registry.ts"

/** The options of `createServices`. */
export interface ServicesOptions {
  /** Replicates which services run where. It is not closed with the services. */
  readonly tracker: Tracker
  /** Carries the calls; the same bus as the tracker's. Without it, only services of this node can be called. */
  readonly pubsub?: PubSub | undefined
  /** Returns the ms since 1970, for `since`; `Date.now` by default. */
  readonly wallClock?: () => number
  /** Called with each error that no call can throw. By default, these errors are ignored. */
  readonly onError?: (error: unknown) => void
}

/** An instance that this node has announced. */
export interface Announcement<Meta extends object = AnyMeta> {
  readonly id: string
  /** Replaces the meta. @throws RollcallError `not_tracked` after `end` */
  update(meta: Meta | ((current: Meta) => Meta)): void
  /**
   * Takes no new calls, and waits for those that are running. Resolves to `true` once none is left, and to `false` if some
   * still run after `timeoutMs`, 30 000 by default. The instance stays listed, as `draining`, until `end`.
   */
  drain(options?: { readonly timeoutMs?: number }): Promise<boolean>
  /** Removes the instance. Calls that are still running fail with `instance_gone`. A second call does nothing. */
  end(): void
}

/** Services that are found by presence: see `createServices`. */
export interface Services {
  /**
   * Announces an instance of a service, so that every node lists it until it ends or its node is gone.
   * @throws ConfigError for an invalid option
   */
  announce<Meta extends object>(service: string, options?: AnnounceOptions<Meta>): Announcement<Meta>
  /** Returns the instances of a service on all nodes that are up, sorted by id. The same array until something changes. */
  list<Meta extends object = AnyMeta>(service: string): readonly Instance<Meta>[]
  /** Calls the listener at each change of the instances of a service. Returns a function that removes it. */
  watch<Meta extends object = AnyMeta>(service: string, listener: (change: InstanceChange<Meta>) => void): Undo
}

/**
 * Creates the services of this node: who offers what, on all nodes that share the tracker.
 *
 * ```ts
 * const services = createServices({ tracker, pubsub })
 * const crawler = services.announce("crawler", { meta: { jobs: 99 } })
 * services.list("crawler") // [{ id, node, since, meta: { jobs: 99 }, draining: false, … }]
 * crawler.update({ jobs: 45 })
 * ```
 */
export function createServices(options: ServicesOptions): Services {
  return new NodeServices(options)
}

class NodeServices implements Services {
  readonly #registry: Registry

  constructor({ tracker, wallClock = Date.now, onError = () => undefined }: ServicesOptions) {
    this.#registry = new Registry({ tracker, wallClock, failed: onError })
  }

  announce<Meta extends object>(service: string, options: AnnounceOptions<Meta> = {}): Announcement<Meta> {
    const own = this.#registry.announce(service, options as AnnounceOptions)
    return {
      id: own.id,
      update(meta) {
        const change = typeof meta === "function" ? meta : () => meta
        own.change((row) => ({ ...row, meta: copyJsonObject("a meta", change(row.meta as Meta)) }))
      },
      async drain() {
        own.change((row) => ({ ...row, draining: true }))
        return true
      },
      end: () => own.end(),
    }
  }

  list<Meta extends object>(service: string): readonly Instance<Meta>[] {
    return this.#registry.list(service) as readonly Instance<Meta>[]
  }

  watch<Meta extends object>(service: string, listener: (change: InstanceChange<Meta>) => void): Undo {
    return this.#registry.watch(service, listener as (change: InstanceChange) => void)
  }
}

import type { Undo } from "../listeners.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import type { Timers } from "../timers.ts"
import type { Tracker } from "../tracker/tracker.ts"
import type { CallDurations } from "./call-durations.ts"
import type { CallOptions } from "./call-options.ts"
import type { Answer } from "./answer.ts"
import type { ServicesCounter } from "./counter-names.ts"
import type { AnyMeta, Instance } from "./instance-row.ts"
import type { ServiceLimits } from "./limits.ts"
import type { AnnounceOptions, InstanceChange } from "./registry.ts"
import type { PlacedKind, Placement, PlaceOptions } from "./placement.ts"
import type { ServiceClient } from "./service-client.ts"

/** The options of `createServices`. */
export interface ServicesOptions {
  /** Replicates which services run where. It is not closed with the services. */
  readonly tracker: Tracker
  /** Carries the calls; the same bus as the tracker's. Without it, only services of this node can be called. */
  readonly pubsub?: PubSub | undefined
  /** The clock and timers; by default the platform's. */
  readonly timers?: Timers
  /** Returns numbers in [0, 1), for routes and for the wait before a retry; `Math.random` by default. */
  readonly random?: () => number
  /** Returns the ms since 1970, for `since`; `Date.now` by default. */
  readonly wallClock?: () => number
  /**
   * Signs the calls and their answers: a text of at least 32 bytes, the same on all nodes. Messages without its signature
   * are dropped and counted. Without a secret, any program that can publish on the bus can call.
   */
  readonly secret?: string | undefined
  readonly limits?: Partial<ServiceLimits>
  /** Called with the name of a counter each time that it must be incremented. */
  readonly count?: (name: ServicesCounter) => void
  /**
   * Called with each error that no call can throw: those of listeners, of casts, and those of handlers whose callers get no
   * details. By default, these errors are ignored.
   */
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

/** An instance that handles calls. */
export interface Served<Meta extends object = AnyMeta> extends Announcement<Meta> {
  /**
   * Resolves once this node receives calls for the instance; other nodes see that within 50 ms. Calls of this node work at
   * once. While the bus does not allow it, it is tried again every 10 s, and the error goes to `onError`. Rejects if oRPC is
   * not installed.
   */
  readonly ready: Promise<void>
}

/** The options of `serve`. */
export interface ServeOptions<Meta extends object = AnyMeta> extends AnnounceOptions<Meta> {
  /** Fields for the context of every handler, beside those of `CallContext`. */
  readonly context?: object
}

/** What the services of one node have done since they were created. */
export interface ServicesStats {
  /** Calls of this node to one instance each that are not answered yet, and streams that are not over. */
  readonly inFlight: number
  /** Handlers and streams that run on this node. */
  readonly running: number
  /** The calls that this node made, each with all its attempts. A stream counts when it ends. */
  readonly calls: readonly CallDurations[]
  /** The calls that handlers of this node ran. */
  readonly handled: readonly CallDurations[]
  readonly counters: Readonly<Record<ServicesCounter, number>>
}

/** Services that are found, called and placed by presence: see `createServices`. */
export interface Services extends AsyncDisposable {
  /**
   * Announces an instance of a service, so that every node lists it until it ends or its node is gone.
   * @throws ConfigError for an invalid option
   */
  announce<Meta extends object>(service: string, options?: AnnounceOptions<Meta>): Announcement<Meta>
  /** Returns the instances of a service on all nodes that are up, sorted by id. The same array until something changes. */
  list<Meta extends object = AnyMeta>(service: string): readonly Instance<Meta>[]
  /** Calls the listener at each change of the instances of a service. Returns a function that removes it. */
  watch<Meta extends object = AnyMeta>(service: string, listener: (change: InstanceChange<Meta>) => void): Undo
  /**
   * Announces an instance, and handles its calls with an oRPC router. Its handlers get a `CallContext`.
   * @throws ConfigError for an invalid option, or a router without a procedure
   */
  serve<Meta extends object>(service: string, router: object, options?: ServeOptions<Meta>): Served<Meta>
  /**
   * Returns a client of a service, typed by its router or its contract. The options apply to all its calls; each call can
   * have options of its own.
   */
  client<Router extends object>(service: string, options?: CallOptions): ServiceClient<Router>
  /**
   * Calls a method of one instance: `"spawn"`, `"rooms.create"` or `["rooms", "create"]`. Resolves to its output, which
   * may be a stream.
   *
   * Rejects with an `ORPCError` that the method's contract defines, with the reason of the signal, or with a `RollcallError`:
   * `no_instance`, `timeout`, `instance_gone`, `remote_error`, `draining`, `overloaded`, `bad_route`, `stream_gap`,
   * `payload_too_large`, `closed`, `config`.
   */
  call<Output = unknown>(
    service: string,
    method: string | readonly string[],
    input?: unknown,
    options?: CallOptions,
  ): Promise<Output>
  /** Calls a method of one instance without waiting for it. The bus may lose it; errors go to `onError`. */
  cast(service: string, method: string | readonly string[], input?: unknown, options?: CallOptions): void
  /**
   * Calls a method of all instances, and returns their answers as they come. `route` and `retries` do not apply. Leaving the
   * loop aborts the calls that are not answered yet.
   */
  callAll<Output = unknown>(
    service: string,
    method: string | readonly string[],
    input?: unknown,
    options?: CallOptions,
  ): AsyncIterableIterator<Answer<Output>>
  /**
   * Takes part in running the processes of a kind, each on one of the nodes that take part: see `Placement`. Without a
   * definition, this node runs none, and calls those of the others.
   * @throws ConfigError for an invalid option
   */
  place<Process = unknown, State = unknown>(
    kind: string,
    definition?: PlacedKind<Process, State>,
    options?: PlaceOptions,
  ): Placement
  /** Returns what these services have done, and how long it took, by service and outcome. */
  stats(): ServicesStats
  /** Drains all instances of this node for up to `drainMs`, 5000 by default, and ends them. Calls fail with `closed`. */
  close(options?: { readonly drainMs?: number }): Promise<void>
}

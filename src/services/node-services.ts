import type { Undo } from "../listeners.ts"
import { monotonicTimers } from "../monotonic-timers.ts"
import { systemTimers } from "../timers.ts"
import type { Timers } from "../timers.ts"
import type { CallOptions } from "./call-options.ts"
import { announcement } from "./announcement.ts"
import { Calls } from "./calls.ts"
import { CALLS_ONLY } from "./calls-only.ts"
import type { Answer } from "./answer.ts"
import { checkedWait } from "./cancellation.ts"
import { ChosenInstances } from "./chosen-instances.ts"
import { ServicesCounts } from "./counts.ts"
import type { ServicesCounter } from "./counter-names.ts"
import { closedServices } from "./errors.ts"
import type { Instance } from "./instance-row.ts"
import { serviceLimitsOf } from "./limits.ts"
import { randomName, secureRandom } from "./port.ts"
import { ObservedCalls } from "./observed-calls.ts"
import { offerToOthers } from "./offered-instance.ts"
import { NodePlacement } from "./node-placement.ts"
import type { PlacedKind, Placement, PlaceOptions } from "./placement.ts"
import { nonThrowing } from "./non-throwing.ts"
import { Registry } from "./registry.ts"
import { checkService } from "./service-name.ts"
import type { AnnounceOptions, InstanceChange, OwnInstance } from "./registry.ts"
import { RemoteCalls } from "./remote-calls.ts"
import { idempotentMethods, ServedInstance } from "./served-instance.ts"
import type { CallReceiver } from "./served-instance.ts"
import { ServedInstances } from "./served-instances.ts"
import { clientOf } from "./service-client.ts"
import type { ServiceClient } from "./service-client.ts"
import type { Announcement, Served, ServeOptions, Services, ServicesOptions, ServicesStats } from "./services.ts"
import { announceOptions, placeOptions, serveOptions, servicesOptions } from "./option-names.ts"

const CLOSE_DRAIN_MS = 5_000

/**
 * Creates the services of this node: who offers what on all nodes that share the tracker, and calls between them.
 *
 * ```ts
 * const services = createServices({ tracker, pubsub })
 * services.serve("game", { spawn: os.handler(() => "ok") }, { meta: { players: 0 } })
 * services.list("game") // [{ id, node, since, meta: { players: 0 }, draining: false, … }]
 * await services.call("game", "spawn", { uid }, { route: byKey(uid) })
 * ```
 *
 * @throws ConfigError for an invalid option
 */
export function createServices(options: ServicesOptions): Services {
  return new NodeServices(options)
}

class NodeServices implements Services {
  readonly #timers: Timers
  readonly #onError: (error: unknown) => void
  readonly #count: (name: ServicesCounter) => void
  readonly #counts: ServicesCounts
  readonly #registry: Registry
  readonly #served: ServedInstances
  readonly #remote: RemoteCalls | undefined
  readonly #calls: Calls
  /** The instances of this node that have not ended. */
  readonly #own = new Set<Pick<Announcement, "drain" | "end">>()
  readonly #placements = new Set<Placement>()
  readonly #options: ServicesOptions
  readonly #observed: ObservedCalls
  #closing: Promise<void> | undefined

  constructor(options: ServicesOptions) {
    const { tracker, pubsub, random = Math.random, wallClock = Date.now, secret } = servicesOptions(options)
    const limits = serviceLimitsOf(options.limits)
    const timers = monotonicTimers(options.timers ?? systemTimers)
    const onError = nonThrowing(options.onError)
    const counts = new ServicesCounts(options.count)
    const count = counts.count
    this.#counts = counts
    this.#options = options
    this.#timers = timers
    this.#onError = onError
    this.#count = count
    this.#registry = new Registry({ tracker, wallClock, failed: onError })
    const served = new ServedInstances({ tracker, maxRunning: limits.maxRunningCalls, count })
    this.#served = served
    const portName = randomName(options.random ?? secureRandom)
    const remote = pubsub && new RemoteCalls({ pubsub, timers, portName, secret, limits, served, count })
    this.#remote = remote
    const node = pubsub?.node ?? "local"
    const observed = new ObservedCalls(node, timers)
    this.#observed = observed
    const registry = this.#registry
    this.#calls = new Calls({
      node,
      timers,
      random,
      served,
      chosen: new ChosenInstances({
        registry,
        node,
        random,
        // A row of this node without handlers here is from before a restart.
        canCall: ({ instance, port }) =>
          served.has(instance.id) || (remote !== undefined && port !== undefined && instance.node !== node),
      }),
      remote,
      observed,
      maxCallsInFlight: limits.maxCallsInFlight,
      retryShare: limits.retryShare,
      count,
      onError,
    })
    registry.onGone((instance, port) => remote?.sent?.gone(instance, port))
  }

  announce<Meta extends object>(service: string, options: AnnounceOptions<Meta> = {}): Announcement<Meta> {
    this.#checkOpen()
    return this.#announcement(this.#registry.announce(service, announceOptions(options)))
  }

  list<Meta extends object>(service: string): readonly Instance<Meta>[] {
    return this.#registry.list(service) as readonly Instance<Meta>[]
  }

  watch<Meta extends object>(service: string, listener: (change: InstanceChange<Meta>) => void): Undo {
    return this.#registry.watch(service, listener as (change: InstanceChange) => void)
  }

  serve<Meta extends object>(service: string, router: object, options: ServeOptions<Meta> = {}): Served<Meta> {
    this.#checkOpen()
    const own = this.#ownInstance(service, serveOptions(options), idempotentMethods(router))
    return this.#serve<Meta>(own, this.#methods(own.id, service, router, options.context))
  }

  place<Process, State>(kind: string, definition?: PlacedKind<Process, State>, options: PlaceOptions = {}): Placement {
    this.#checkOpen()
    const { tracker, random = secureRandom } = this.#options
    checkService(kind)
    const service = `place:${kind}`
    const placement = new NodePlacement({
      ...placeOptions(options),
      kind,
      definition: definition ?? CALLS_ONLY,
      service,
      tracker,
      timers: this.#timers,
      random,
      newName: () => randomName(random),
      count: this.#count,
      onError: this.#onError,
      instances: () => this.#registry.list(service),
      watch: (listener) => this.#registry.watch(service, listener),
      call: (request, input, given) => this.#calls.call(service, [request], input, given),
      host: (meta) => {
        const own = this.#ownInstance(service, { ...options, meta }, [])
        return { own, serve: (receiver) => this.#serve(own, receiver) }
      },
      isAlone: this.#remote === undefined,
      methods: (id, router) => this.#methods(id, kind, router),
    })
    this.#placements.add(placement)
    return placement
  }

  #methods(id: string, service: string, router: object, context: object = {}): ServedInstance {
    return new ServedInstance({
      id,
      service,
      router,
      context,
      observed: this.#observed,
      load: this.#served.load,
      handlerFailed: (_call, error) => {
        this.#count("services_handler_errors")
        this.#onError(error)
      },
    })
  }

  /** Announces an instance that takes calls. */
  #ownInstance(service: string, options: AnnounceOptions<object>, idempotent: readonly string[]): OwnInstance {
    const port = this.#remote?.port
    return this.#registry.announce(service, options, {
      ...(idempotent.length === 0 ? {} : { idempotent }),
      ...(port === undefined ? {} : { port }),
    })
  }

  /** Lets a receiver handle the calls of an instance. */
  #serve<Meta extends object>(own: OwnInstance, calls: CallReceiver): Served<Meta> {
    const remote = this.#remote
    this.#served.add(calls)
    const ready =
      remote !== undefined && remote.port === undefined
        ? offerToOthers(own, {
            remote,
            timers: this.#timers,
            isServed: () => this.#served.has(own.id),
            failed: this.#onError,
          })
        : Promise.resolve()
    // The program may not look at it; the error is reported as well.
    ready.catch(this.#onError)
    return { ...this.#announcement<Meta>(own, calls), ready }
  }

  client<Router extends object>(service: string, options: CallOptions = {}): ServiceClient<Router> {
    return clientOf((path, input, own) =>
      this.#calls.call(service, path, input, { ...options, ...own }),
    ) as ServiceClient<Router>
  }

  call<Output>(
    service: string,
    method: string | readonly string[],
    input?: unknown,
    options: CallOptions = {},
  ): Promise<Output> {
    return this.#calls.call(service, method, input, options) as Promise<Output>
  }

  cast(service: string, method: string | readonly string[], input?: unknown, options: CallOptions = {}): void {
    this.#calls.cast(service, method, input, options)
  }

  callAll<Output>(
    service: string,
    method: string | readonly string[],
    input?: unknown,
    options: CallOptions = {},
  ): AsyncIterableIterator<Answer<Output>> {
    return this.#calls.callAll(service, method, input, options) as AsyncIterableIterator<Answer<Output>>
  }

  stats(): ServicesStats {
    const { running } = this.#served.load
    return { inFlight: this.#calls.inFlight, running, ...this.#observed.report(), counters: this.#counts.report() }
  }

  async close({ drainMs = CLOSE_DRAIN_MS }: { readonly drainMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(checkedWait("drainMs", drainMs))
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw closedServices()
  }

  async #close(drainMs: number): Promise<void> {
    // Before the calls are closed, with which the processes are handed over.
    await Promise.all(Array.from(this.#placements, (placement) => closePlacement(placement, drainMs)))
    this.#calls.close()
    await Promise.all(Array.from(this.#own, (own) => own.drain({ timeoutMs: drainMs })))
    for (const own of this.#own) own.end()
    this.#remote?.close()
    this.#registry.close()
  }

  #announcement<Meta extends object>(own: OwnInstance, served?: CallReceiver): Announcement<Meta> {
    const announced = announcement<Meta>(own, {
      served,
      timers: this.#timers,
      canBeCalledByOthers: () => this.#remote?.port !== undefined,
      ended: () => {
        this.#own.delete(announced)
        this.#served.remove(own.id)
      },
    })
    this.#own.add(announced)
    return announced
  }
}

async function closePlacement(placement: Placement, drainMs: number): Promise<void> {
  await placement.drain({ timeoutMs: drainMs })
  await placement.end()
}

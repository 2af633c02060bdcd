import { kindOf, withoutLink } from "../error.ts"
import { quote } from "../quote.ts"
import { badRoute, hasCode, noInstance } from "./errors.ts"
import { incarnationOf } from "./instance-row.ts"
import type { Instance, RegisteredInstance } from "./instance-row.ts"
import type { Registry } from "./registry.ts"
import type { Route, RouteContext } from "./routes.ts"

/** The call for which an instance is chosen. */
export interface RoutedCall {
  readonly service: string
  readonly method: string
  readonly input: unknown
  readonly route: Route
  /** The instances that have failed the call, by `incarnationOf`. Others are preferred, and the last one is never chosen. */
  readonly tried: readonly string[]
}

/** What the choice of instances needs. */
export interface ChosenInstancesOptions {
  readonly registry: Registry
  readonly node: string
  readonly random: () => number
  /** Whether this node can call an instance. */
  readonly canCall: (entry: RegisteredInstance) => boolean
}

/** Chooses instances for calls, and keeps what routes may ask: how many calls each has in flight, and when it was called last. */
export class ChosenInstances {
  readonly #options: ChosenInstancesOptions
  readonly #inFlight = new Map<string, number>()
  readonly #lastCalled = new Map<string, number>()
  /** Service → the number of its calls. Only services with an instance are called. */
  readonly #calls = new Map<string, number>()

  constructor(options: ChosenInstancesOptions) {
    this.#options = options
    options.registry.onGone(({ id }) => this.#lastCalled.delete(id))
  }

  /** Returns the instances that take calls, sorted by id. */
  candidates(service: string): readonly RegisteredInstance[] {
    const { registry, canCall } = this.#options
    return registry.entries(service).filter((entry) => !entry.instance.draining && canCall(entry))
  }

  /**
   * Returns the instance that the route chooses.
   * @throws RollcallError `no_instance`, or `bad_route` when the route throws or returns something else
   */
  choose({ service, method, input, route, tried }: RoutedCall): RegisteredInstance {
    const { registry, node, random } = this.#options
    const all = this.candidates(service)
    const untried = tried.length === 0 ? all : all.filter((entry) => !tried.includes(incarnationOf(entry)))
    const entries = untried.length > 0 ? untried : all.filter((entry) => incarnationOf(entry) !== tried.at(-1))
    if (entries.length === 0) throw noInstance(service, whyNone(registry.list(service), tried))
    const context: RouteContext = {
      service,
      method,
      input,
      node,
      random,
      inFlight: ({ id }) => this.#inFlight.get(id) ?? 0,
      lastCalled: ({ id }) => this.#lastCalled.get(id) ?? 0,
    }
    const chosen = this.#ask(route, entries, context)
    const entry = entries.find(({ instance }) => instance === chosen)
    if (entry === undefined) throw badRoute(service, whatCame(chosen))
    return entry
  }

  /** Counts a call to an instance as in flight. Returns a function that ends it; a second call of that does nothing. */
  called(service: string, id: string): () => void {
    const number = (this.#calls.get(service) ?? 0) + 1
    this.#calls.set(service, number)
    this.#lastCalled.set(id, number)
    this.#inFlight.set(id, (this.#inFlight.get(id) ?? 0) + 1)
    let isInFlight = true
    return () => {
      if (!isInFlight) return
      isInFlight = false
      const left = this.#inFlight.get(id)! - 1
      if (left > 0) this.#inFlight.set(id, left)
      else this.#inFlight.delete(id)
    }
  }

  #ask(route: Route, entries: readonly RegisteredInstance[], context: RouteContext): unknown {
    try {
      return route(
        entries.map(({ instance }) => instance),
        context,
      )
    } catch (cause) {
      // Routes that accept some instances only throw this when there are none.
      if (hasCode(cause, "no_instance")) throw cause
      throw badRoute(
        context.service,
        `an error: ${quote(cause instanceof Error ? withoutLink(cause.message) : kindOf(cause))}`,
        cause,
      )
    }
  }
}

function whyNone(instances: readonly Instance[], tried: readonly string[]): string {
  if (tried.length > 0) return "none beside the one that failed the call"
  if (instances.length === 0) return "none at all"
  const draining = instances.filter((instance) => instance.draining).length
  return draining === instances.length ? `${draining} that are draining` : `${instances.length} without handlers`
}

function whatCame(chosen: unknown): string {
  if (typeof chosen === "function") return "a function; call the route's maker, as in roundRobin()"
  if (chosen instanceof Promise) return "a promise; a route must return an instance at once"
  const { id } = Object(chosen) as { id?: unknown }
  return typeof id === "string" ? "an instance that it did not get" : kindOf(chosen)
}

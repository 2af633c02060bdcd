import { ConfigError, kindOf } from "../error.ts"
import { quote } from "../quote.ts"
import { noInstance } from "./errors.ts"
import type { AnyMeta, Instance } from "./instance-row.ts"
import { ownerOf } from "./rendezvous.ts"

/** What a route may ask about the call and about this node. */
export interface RouteContext {
  readonly service: string
  /** The method's path, joined by dots: `"spawn"`, `"rooms.create"`. */
  readonly method: string
  readonly input: unknown
  /** The node that calls. */
  readonly node: string
  /** Returns a number in [0, 1). */
  random(): number
  /** Returns how many calls of this node an instance has not answered yet. */
  inFlight(instance: { readonly id: string }): number
  /** Returns when this node called an instance last, as the number of that call; 0 if it never did. */
  lastCalled(instance: { readonly id: string }): number
}

/**
 * Chooses the instance for a call: a plain function. `instances` is never empty, sorted by id, and without those that are
 * draining or that take no calls.
 *
 * What it throws, and what it returns beside one of these instances, becomes a `bad_route` error.
 */
export type Route<Meta extends object = AnyMeta> = (
  instances: readonly Instance<Meta>[],
  context: RouteContext,
) => Instance<Meta>

/**
 * The instance that owns a key: calls with equal keys go to the same instance. When one of n instances leaves, 1/n of the
 * keys move, and no others.
 *
 * @param key the key, or a function that returns it for the input of a call
 */
// oxlint-disable-next-line typescript/no-explicit-any -- the function of the caller says the type of the input
export function byKey(key: string | ((input: any, context: RouteContext) => string)): Route {
  return (instances, context) => {
    const value: unknown = typeof key === "function" ? key(context.input, context) : key
    if (typeof value === "string") return ownerOf(instances, value)
    throw new ConfigError(`expected byKey to get a string, got ${kindOf(value)}`)
  }
}

/**
 * The least instance by a comparator like that of `Array.sort`. Of equal ones, the one that this node has not called for
 * the longest time.
 *
 * Metas are as old as the last heartbeat. If many nodes call the least loaded instance until the next one, they overload
 * it: prefer `powerOfTwo` for loads.
 */
export function compare<Meta extends object = AnyMeta>(
  comparator: (one: Instance<Meta>, other: Instance<Meta>) => number,
): Route<Meta> {
  return (instances, context) => {
    let least = instances[0]!
    for (const instance of instances.slice(1)) {
      const order: unknown = comparator(instance, least)
      if (typeof order !== "number" || Number.isNaN(order)) {
        throw new ConfigError(`expected the comparator to return a number, got ${shown(order)}`)
      }
      if (order < 0 || (order === 0 && context.lastCalled(instance) < context.lastCalled(least))) least = instance
    }
    return least
  }
}

/** The instance with the lowest load. See `compare` about how old loads are. */
export function leastBy<Meta extends object = AnyMeta>(load: (instance: Instance<Meta>) => number): Route<Meta> {
  return compare<Meta>((one, other) => loadOf(load, one) - loadOf(load, other))
}

/** How often an old load decides against what this node knows itself. Always would give the lowest of n loads 2/n of all calls. */
const TRUST_IN_LOADS = 2 / 3

/**
 * The less busy one of two random instances: the default. Busy is the number of this node's own calls in flight, relative
 * to the weight. With a load, it is the sum of both; where that decides otherwise, it is followed twice in three times, since
 * other nodes see the same old load and follow it, too.
 *
 * @param load in calls: a number of jobs, for instance
 */
export function powerOfTwo<Meta extends object = AnyMeta>(load?: (instance: Instance<Meta>) => number): Route<Meta> {
  return (instances, context) => {
    const first = weighted(instances, context)
    if (instances.length === 1) return first
    const second = weighted(
      instances.filter((instance) => instance !== first),
      context,
    )
    const own = ({ id, weight }: Instance<Meta>): number => context.inFlight({ id }) / weight
    const known = own(second) < own(first) ? second : first
    if (load === undefined) return known
    const busy = (instance: Instance<Meta>): number => own(instance) + loadOf(load, instance) / instance.weight
    const [one, other] = [busy(first), busy(second)]
    const reported = one === other ? known : one < other ? first : second
    if (reported === known && own(first) !== own(second)) return known
    return context.random() < TRUST_IN_LOADS ? reported : reported === first ? second : first
  }
}

/** Each instance in turn: the one that this node has not called for the longest time. Weights do not count. */
export function roundRobin(): Route {
  return compare(() => 0)
}

/** A random instance, by weight. */
export function random(): Route {
  return weighted
}

/** The instances of the calling node, if it has any; otherwise all. `next` chooses among them, `powerOfTwo()` by default. */
export function preferLocal<Meta extends object = AnyMeta>(next: Route<Meta> = powerOfTwo()): Route<Meta> {
  return prefer(({ node }, context) => node === context.node, next)
}

/** The instances in a zone, if there are any; otherwise all. `next` chooses among them, `powerOfTwo()` by default. */
export function zone<Meta extends object = AnyMeta>(name: string, next: Route<Meta> = powerOfTwo()): Route<Meta> {
  return prefer((instance) => instance.zone === name, next)
}

/** The instances of one node, and of no other. `next` chooses among them, `powerOfTwo()` by default. */
export function node<Meta extends object = AnyMeta>(name: string, next: Route<Meta> = powerOfTwo()): Route<Meta> {
  return only(`none on the node ${quote(name)}`, (instance) => instance.node === name, next)
}

/** The instances that a predicate accepts, and no others. `next` chooses among them, `powerOfTwo()` by default. */
export function where<Meta extends object = AnyMeta>(
  predicate: (instance: Instance<Meta>) => boolean,
  next: Route<Meta> = powerOfTwo(),
): Route<Meta> {
  return only("none that the predicate of the route accepts", predicate, next)
}

function prefer<Meta extends object>(
  predicate: (instance: Instance<Meta>, context: RouteContext) => boolean,
  next: Route<Meta>,
): Route<Meta> {
  return (instances, context) => {
    const preferred = instances.filter((instance) => predicate(instance, context))
    return next(preferred.length > 0 ? preferred : instances, context)
  }
}

function only<Meta extends object>(
  otherwise: string,
  predicate: (instance: Instance<Meta>) => boolean,
  next: Route<Meta>,
): Route<Meta> {
  return (instances, context) => {
    const accepted = instances.filter((instance) => predicate(instance))
    if (accepted.length === 0) throw noInstance(context.service, otherwise)
    return next(accepted, context)
  }
}

/** Returns a random instance, with odds by weight. */
function weighted<Meta extends object>(instances: readonly Instance<Meta>[], context: RouteContext): Instance<Meta> {
  let rest = context.random() * instances.reduce((sum, { weight }) => sum + weight, 0)
  for (const instance of instances) {
    rest -= instance.weight
    if (rest < 0) return instance
  }
  // Rounding can leave a rest.
  return instances[instances.length - 1]!
}

function loadOf<Meta extends object>(load: (instance: Instance<Meta>) => number, instance: Instance<Meta>): number {
  const value: unknown = load(instance)
  if (typeof value === "number" && !Number.isNaN(value)) return value
  throw new ConfigError(`expected the load of ${instance.id} to be a number, got ${shown(value)}`)
}

const shown = (value: unknown): string => (typeof value === "number" ? String(value) : kindOf(value))

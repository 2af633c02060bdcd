import { ConfigError, kindOf } from "../error.ts"
import { quote } from "../quote.ts"
import { noInstance } from "./errors.ts"
import type { AnyMeta, Instance } from "./instance-row.ts"
import { ownerOf } from "./rendezvous.ts"
import { shownNumber } from "./shown.ts"

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
  /** Returns when this node called an instance last, as the number of that call among those of the service; 0 if it never did. */
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
        throw new ConfigError(`expected the comparator to return a number, got ${shownNumber(order)}`)
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

/**
 * The less busy one of two random instances: the default. Busy is the number of this node's own calls in flight, relative
 * to the weight.
 *
 * With a load, busy is the sum of both. Other nodes see the same old load and follow it, too, so it chooses only among the
 * instances that this node has not called just now: none gets more than 4/3 of its share for its load.
 *
 * @param load in calls: a number of jobs, for instance
 */
export function powerOfTwo<Meta extends object = AnyMeta>(load?: (instance: Instance<Meta>) => number): Route<Meta> {
  return (instances, context) => {
    const among = load === undefined ? instances : rested(instances, context)
    const first = weighted(among, context)
    if (among.length === 1) return first
    const second = weighted(
      among.filter((instance) => instance !== first),
      context,
    )
    const busy = (instance: Instance<Meta>): number =>
      (context.inFlight(instance) + (load === undefined ? 0 : loadOf(load, instance))) / instance.weight
    const [one, other] = [busy(first), busy(second)]
    if (one !== other) return one < other ? first : second
    // Turns are more even than chance. Among unequal weights, only chance keeps to the weights.
    const isTurnOfSecond = first.weight === second.weight && context.lastCalled(second) < context.lastCalled(first)
    return isTurnOfSecond ? second : first
  }
}

/** How long one of two instances is left out for its load, in shares: each of two gets at least half of its share. */
const DUE_AFTER = 2

/**
 * Returns the instances without those that this node has called last, relative to their weights: a quarter of them and one
 * more, at least two. Those that were never called are all among them, so that nodes do not begin with the same few.
 */
function rested<Meta extends object>(
  instances: readonly Instance<Meta>[],
  context: RouteContext,
): readonly Instance<Meta>[] {
  const count = instances.length
  if (count === 1) return instances
  const lasts = new Map(instances.map((instance) => [instance, context.lastCalled(instance)]))
  const next = Math.max(...lasts.values()) + 1
  /** Returns how long an instance was not called: the calls since then, by its weight. */
  const rest = (instance: Instance<Meta>): number => (next - lasts.get(instance)!) * instance.weight
  if (count === 2) {
    const dueAt = DUE_AFTER * (instances[0]!.weight + instances[1]!.weight)
    const due = instances.filter((instance) => rest(instance) >= dueAt)
    return due.length === 1 ? due : instances
  }
  // Numbers are sorted, not the instances: ten times as fast for a thousand of them.
  const called = Float64Array.from(instances.filter((instance) => lasts.get(instance)! > 0).map(rest)).sort()
  const tired = Math.min(count - 2, Math.ceil(count * 0.75) - 1, called.length)
  if (tired === 0) return instances
  const restedFrom = called[tired - 1]!
  const left = instances.filter((instance) => lasts.get(instance) === 0 || rest(instance) > restedFrom)
  // Equal rests of instances with unequal weights can leave too few.
  return left.length < 2 ? instances : left
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
  throw new ConfigError(`expected the load of ${instance.id} to be a number, got ${shownNumber(value)}`)
}

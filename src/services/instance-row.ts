import { isObject } from "../json.ts"
import type { Row } from "../tracker/tracker.ts"

/** Any meta, for code that does not name its type. A route for one type of meta can be passed where it is not named. */
// oxlint-disable-next-line typescript/no-explicit-any -- `a.meta.workFactor` must compile without a type, and with one
export type AnyMeta = any

/** One instance of a service, as `list` and `watch` show it. It is the same on every node. */
export interface Instance<Meta extends object = AnyMeta> {
  /** Unique among all instances, such as `game#1@node-a`. A restarted node of the same name uses the same ids again. */
  readonly id: string
  /** The node that the instance runs on. */
  readonly node: string
  /** When the instance was announced, in ms since 1970, by the clock of its node. */
  readonly since: number
  /** What the instance says of itself: any JSON object. */
  readonly meta: Meta
  /** The share of keys and of random choices that it gets, relative to the weights of the others; 1 by default. */
  readonly weight: number
  /** Where the instance runs, such as a rack or a data center; missing if none was given. */
  readonly zone?: string
  /** Whether the instance takes no new calls any more. */
  readonly draining: boolean
}

/** What the tracker replicates for an instance. */
export interface RowMeta {
  readonly meta: object
  readonly since: number
  readonly weight?: number
  readonly zone?: string
  readonly draining?: boolean
  /** The name under which its node receives calls for it; missing if it takes none. */
  readonly port?: string
  /** The methods that are marked idempotent, with their paths joined by dots. */
  readonly idempotent?: readonly string[]
}

/** An instance, and what only this folder needs to know of it. */
export interface RegisteredInstance {
  readonly instance: Instance
  readonly port: string | undefined
  readonly idempotent: readonly string[]
  /** Identifies this state of the instance: an update has another one. */
  readonly ref: string
}

/** Identifies an instance since the start of its node: a restarted one has the same id, but another port. */
export const incarnationOf = ({ instance, port }: RegisteredInstance): string => `${port ?? ""} ${instance.id}`

const PREFIX = "rollcall:service:"

/** Returns the tracker's topic for the instances of a service. */
export function topicOf(service: string): string {
  return PREFIX + service
}

/** Returns the service that a topic of the tracker is for; `undefined` for the topics of clients. */
export function serviceOf(topic: string): string | undefined {
  return topic.startsWith(PREFIX) ? topic.slice(PREFIX.length) : undefined
}

const PLACED = "rollcall:placed:"

/** Returns the tracker's topic for the processes of a kind. */
export function placedTopic(kind: string): string {
  return PLACED + kind
}

/** Whether a topic of the tracker belongs to services, and not to clients. */
export function isServicesTopic(topic: string): boolean {
  return topic.startsWith(PREFIX) || topic.startsWith(PLACED)
}

/** Returns the pid of the n-th instance that a node announces. */
export function pidOf(service: string, n: number): string {
  return `${service}#${n}`
}

/** The pids of instances. Those of channels are plain numbers. */
export const INSTANCE_PID: RegExp = /#\d+@/

/**
 * Reads a row of the tracker. Returns `undefined` for a row that is no instance.
 *
 * A client can join a topic that is named like a service, and be tracked there. Its pid is the number of its channel, so it
 * can never be taken for an instance.
 */
export function parseRow({ pid, meta: row }: Row): RegisteredInstance | undefined {
  const { meta, since, weight = 1, zone, draining = false, port, idempotent = [], phx_ref: ref } = row
  if (!INSTANCE_PID.test(pid) || !isObject(meta)) return undefined
  if (typeof since !== "number" || !isWeight(weight) || typeof draining !== "boolean") return undefined
  if (!isOptionalText(zone) || !isOptionalText(port)) return undefined
  if (!Array.isArray(idempotent) || !idempotent.every((method) => typeof method === "string")) return undefined
  const node = nodeOfInstance(pid)
  const place = zone === undefined ? {} : { zone }
  const instance: Instance = Object.freeze({ id: pid, node, since, meta: frozen(meta), weight, ...place, draining })
  return { instance, port, idempotent, ref }
}

/** Returns the node of an instance. The first `@` of an id separates it from the rest. */
export const nodeOfInstance = (id: string): string => id.slice(id.indexOf("@") + 1)

/** What `isWeight` accepts, for errors. */
export const WEIGHT = "a number above 0 and up to 2 ** 53"

/** Whether a value can be a weight. The sum of weights near the largest number is infinite: one instance would get all calls. */
export const isWeight = (value: unknown): value is number => typeof value === "number" && value > 0 && value <= 2 ** 53

const isOptionalText = (value: unknown): value is string | undefined => value === undefined || typeof value === "string"

/** Freezes a JSON value. Without this, a route or a listener could change what the tracker replicates. */
function frozen<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value
  for (const part of Object.values(value)) frozen(part)
  return Object.freeze(value)
}

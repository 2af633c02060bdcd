import { ConfigError, kindOf } from "../error.ts"
import type { Timers } from "../timers.ts"
import { checkedOptions, pathOf } from "./call-options.ts"
import type { CallOptions } from "./call-options.ts"
import { hasCode, hasNotRun, moving, noInstance, timedOut } from "./errors.ts"
import type { HeldCalls } from "./held-calls.ts"
import type { Instance } from "./instance-row.ts"
import type { Location, PlacedCallOptions } from "./placement.ts"
import { ownerOfId } from "./placement-plan.ts"
import type { PlacedProcess } from "./placement-plan.ts"
import { backoffMs, isTransient } from "./retry.ts"
import type { Route } from "./routes.ts"

/** What the calls to processes need. */
export interface PlacedCallsOptions {
  readonly kind: string
  /** The id of this node's instance. */
  readonly self: string
  readonly timers: Timers
  readonly random: () => number
  readonly held: HeldCalls
  /** Returns the instances that take part. */
  instances(): readonly Instance[]
  /** Returns the process that calls go to. */
  find(id: string): PlacedProcess | undefined
  /** Makes a request of the instance that the route chooses. */
  call(request: string, input: object, options: CallOptions): Promise<unknown>
  /** Whether an instance takes no calls any more, although it is still listed. */
  hasLeft(instance: string): boolean
  /** Called with where a process runs, as its node says. */
  located(id: string, instance: string): void
  /** Called when a process has been stopped. @param ref its `phx_ref`, or an empty text if its node did not say it */
  stopped(id: string, ref: string): void
}

/** How long a request that may be made twice waits for its answer, as a share of the time that is left. The bus may lose it. */
const ATTEMPT_SHARE = 1 / 3
const MIN_ATTEMPT_MS = 500

type Located = Location & { readonly created: boolean }

/** The calls to processes. Each is made where its process runs, and waits while that is on its way to another node. */
export class PlacedCalls {
  readonly #options: PlacedCallsOptions

  constructor(options: PlacedCallsOptions) {
    this.#options = options
  }

  ensure(id: string, options: PlacedCallOptions = {}): Promise<Located> {
    return this.#held(id, options, (msLeft) => this.#ensure(id, options, msLeft))
  }

  /**
   * Has a lost process started by its owner, or finds it. Its `instance` is an empty text if it has been stopped since it was
   * lost.
   */
  restart(id: string): Promise<Located> {
    return this.#held(id, {}, (msLeft) => this.#ensure(id, {}, msLeft, { lost: true }))
  }

  async call(
    id: string,
    method: string | readonly string[],
    input: unknown,
    options: PlacedCallOptions = {},
  ): Promise<unknown> {
    const path = pathOf(method)
    return this.#held(id, options, async (msLeft, isSafe) => {
      const start = this.#options.timers.now()
      const { instance } = await this.#ensure(id, options, msLeft)
      const left = msLeft - (this.#options.timers.now() - start)
      // The owner may not know yet that the process has left its former node.
      if (left <= 0 || this.#options.hasLeft(instance)) throw moving(this.#options.kind, id)
      // From here on, only what did not run for certain is tried again.
      isSafe(false)
      const request = { id, method: path, input }
      return this.request(instance, "invoke", request, { ...options, timeoutMs: left, retries: 0, idempotent: false })
    })
  }

  stop(id: string, options: PlacedCallOptions = {}): Promise<boolean> {
    return this.#held(id, options, async (msLeft) => {
      const process = this.#options.find(id)
      // Its owner may be starting it just now.
      const members = this.#options.instances()
      const self = members.find((member) => member.id === this.#options.self)
      // With no owner, other nodes may still remember it.
      const { instance } = process ?? { instance: (ownerOfId(members, id) ?? self)?.id }
      if (instance === undefined) return false
      const stopped = await this.request(instance, "stop", { id }, this.#attempt(options, msLeft))
      this.#options.stopped(id, typeof stopped === "string" ? stopped : "")
      return stopped !== false
    })
  }

  async #ensure(id: string, options: PlacedCallOptions, msLeft: number, more: object = {}): Promise<Located> {
    const { kind, find, instances } = this.#options
    const process = find(id)
    if (process?.isMoving === true) throw moving(kind, id)
    if (process !== undefined) {
      const { node, instance } = process
      return { id, node, instance, created: false }
    }
    const owner = ownerOfId(instances(), id)?.id ?? ""
    const located = (await this.request(owner, "ensure", { ...more, id }, this.#attempt(options, msLeft))) as Located
    if (located.instance !== "") this.#options.located(id, located.instance)
    return located
  }

  #attempt(options: PlacedCallOptions, msLeft: number): CallOptions {
    const timeoutMs = Math.min(msLeft, Math.max(MIN_ATTEMPT_MS, msLeft * ATTEMPT_SHARE))
    return { ...options, timeoutMs, retries: 0, idempotent: false }
  }

  /** Makes a request of one instance. */
  request(instance: string, request: string, input: object, options: CallOptions): Promise<unknown> {
    return this.#options.call(request, input, { ...options, route: to(instance) })
  }

  /** Tries until it succeeds, fails for good, or the time is over. */
  async #held<Value>(
    id: string,
    options: PlacedCallOptions,
    attempt: (msLeft: number, isSafe: (isSafe: boolean) => void) => Promise<Value>,
  ): Promise<Value> {
    const { kind, timers, random, held, instances } = this.#options
    if (typeof id !== "string" || id === "") {
      throw new ConfigError(`expected the id of a process to be a text, got ${id === "" ? "an empty one" : kindOf(id)}`)
    }
    const { timeoutMs, signal } = checkedOptions(options)
    const deadline = timers.now() + timeoutMs
    let left = timeoutMs
    let overload: unknown
    for (let tries = 1; ; tries += 1) {
      signal?.throwIfAborted()
      let isSafe = true
      try {
        return await attempt(left, (given) => void (isSafe = given))
      } catch (error) {
        const msLeft = deadline - timers.now()
        const canWait = hasCode(error, "no_instance") && instances().length > 0
        if (!canWait && !isOnTheWay(error) && !(isSafe && isTransient(error))) throw error
        if (hasCode(error, "overloaded")) overload = error
        // The last attempt may have had too little time to be refused once more.
        if (msLeft <= 0)
          throw hasCode(error, "timeout") ? (overload ?? timedOut(`the process of ${kind}`, timeoutMs)) : error
        if (held.isFull) throw error
        await held.wait(id, Math.min(msLeft, 5 + backoffMs(tries, random)), signal)
        signal?.throwIfAborted()
        left = deadline - timers.now()
        if (left <= 0) throw error
      }
    }
  }
}

/** Returns the route to one instance. @param instance an empty text if no node takes part */
const to =
  (instance: string): Route =>
  (instances, { service }) => {
    const found = instances.find(({ id }) => id === instance)
    if (found !== undefined) return found
    throw noInstance(
      service,
      instance === "" ? "no node that has called place with a definition" : `no ${instance} any more`,
    )
  }

/** Whether the request did not run, since the process was on its way, or its node about to leave. */
const isOnTheWay = (error: unknown): boolean =>
  hasCode(error, "moving") || (hasNotRun(error) && hasCode(error, "draining", "instance_gone"))

import { ConfigError, kindOf } from "../error.ts"
import { isObject } from "../json.ts"
import type { CallContext } from "./call-context.ts"
import { untilAborted } from "./cancellation.ts"
import type { Cancellation } from "./cancellation.ts"
import { remoteError } from "./errors.ts"
import { guardedStream, isStream } from "./guarded-stream.ts"
import { loadOrpc } from "./orpc.ts"
import type { Orpc } from "./orpc.ts"
import type { ObservedCalls } from "./observed-calls.ts"
import type { Failure } from "./outcome.ts"
import type { Load } from "./served-instances.ts"
import { isTraceparent } from "./trace.ts"

/** A call for an instance of this node. */
export interface InstanceCall {
  readonly path: readonly string[]
  readonly input: unknown
  /** The node that calls. */
  readonly caller: string
  readonly trace: string | undefined
  /** Fields for the context of this call. */
  readonly context?: object
  /** Its signal aborts the handler, and its reason is the error that the caller gets. The end of the instance aborts it. */
  readonly cancellation: Cancellation
}

/** What handles the calls of an instance. */
export interface CallReceiver {
  readonly id: string
  isDraining: boolean
  /** The number of calls and streams that are running. */
  readonly running: number
  /** Runs a call. Rejects with what the caller may learn of an error. */
  run(call: InstanceCall): Promise<unknown>
  /** Resolves once no call is running. */
  idle(): Promise<void>
  /** Ends all running calls with an error. */
  end(error: () => unknown): void
}

/** What a served instance needs. */
export interface ServedInstanceOptions {
  readonly id: string
  readonly service: string
  readonly router: object
  /** Fields for the context of every call. */
  readonly context: object
  readonly observed: ObservedCalls
  /** Counts the handlers and streams of all instances of the node. */
  readonly load: Load
  /** Called with an error of a handler that its caller gets no details of. */
  readonly handlerFailed: (call: string, error: unknown) => void
}

type Run = (input: unknown, options: { signal: AbortSignal; context: object }) => Promise<unknown>

const failing = (error: unknown): Run => {
  return async () => {
    throw error
  }
}

/** The name that OpenTelemetry's conventions have for a method that does not exist. */
const UNKNOWN_METHOD = "_OTHER"

/** One instance that handles calls on this node: it runs the procedures of its router. */
export class ServedInstance implements CallReceiver {
  readonly id: string
  isDraining = false
  readonly #options: ServedInstanceOptions
  /** Path → procedure. Only those that exist are kept, since a caller may ask for any path. */
  readonly #procedures = new Map<string, Run>()
  /** The running handlers, also those whose caller has given up; and what waits for the last of them to end. */
  readonly #running = new Set<Cancellation>()
  readonly #waiting: (() => void)[] = []
  /** Where the running handlers are counted. */
  #load: Load

  constructor(options: ServedInstanceOptions) {
    this.id = options.id
    this.#load = options.load
    this.#options = options
  }

  /** The number of handlers and streams that are running. */
  get running(): number {
    return this.#running.size
  }

  /**
   * Runs the handler of a call. Rejects with what the caller may learn of an error, or with the signal's reason.
   * The result of a handler that goes on after its signal has aborted is dropped.
   */
  async run({ path, input, caller, trace: given, cancellation, context: fields }: InstanceCall): Promise<unknown> {
    const { signal } = cancellation
    if (signal.aborted) throw signal.reason
    const { id, service } = this.#options
    const method = path.join(".")
    const trace = isTraceparent(given) ? given : undefined
    const trail = trace === undefined ? {} : { traceparent: trace }
    const context: CallContext = {
      ...this.#options.context,
      ...fields,
      caller: { node: caller },
      service,
      instance: id,
      method,
      ...trail,
      remainingMs: () => cancellation.remainingMs(),
    }
    this.#running.add(cancellation)
    this.#load.running += 1
    const ended = (): void => {
      if (!this.#running.delete(cancellation)) return
      this.#load.running -= 1
      if (this.#running.size === 0) for (const resolve of this.#waiting.splice(0)) resolve()
    }
    let orpc: Orpc
    try {
      const loading = loadOrpc()
      // The instance may end while oRPC is loaded for the first call. Then the handler must not run.
      orpc = loading instanceof Promise ? await untilAborted(signal, loading) : loading
    } catch (error) {
      ended()
      throw error
    }
    const failed = (error: unknown): unknown => this.#publicError(`${service}.${method}`, error, orpc)
    let procedure: Run | undefined
    try {
      const found = this.#procedureAt(path, orpc)
      procedure = found instanceof Promise ? await untilAborted(signal, found) : found
    } catch (error) {
      procedure = failing(error)
    }
    // A caller can ask for any name, and each one would be a span of its own.
    const known = procedure === undefined ? UNKNOWN_METHOD : method
    const run = procedure ?? failing(new orpc.ORPCError("NOT_FOUND", { message: "no such method" }))
    const observed = this.#options.observed.handler({ service, method: known, signal, traceparent: trace }, id, caller)
    const within = <Result>(part: () => Result): Result =>
      observed.span === undefined ? part() : observed.span.within(part)
    const handled = within(() => run(input, { signal: cancellation.platformSignal(), context }))
    try {
      const output = await untilAborted(signal, handled)
      if (isStream(output)) {
        const left = (): void => cancellation.abort(undefined)
        const streamEnded = (failure?: Failure): void => {
          ended()
          observed.ended(failure)
        }
        const source = {
          next: () => within(() => output.next()),
          return: async () => (await output.return?.()) ?? { done: true, value: undefined },
        }
        return guardedStream({ source, signal, failed, ended: streamEnded, left })
      }
      ended()
      observed.ended()
      return output
    } catch (cause) {
      if (!signal.aborted) {
        ended()
        const error = failed(cause)
        observed.ended({ error, cause })
        throw error
      }
      observed.ended({ error: signal.reason })
      // The handler counts as running until it has ended: it may still change something.
      void handled.then(closeStream, () => undefined).finally(ended)
      throw signal.reason
    }
  }

  /** Resolves once no handler is running. */
  idle(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Ends all running calls with an error. */
  end(error: () => unknown): void {
    // A handler that ignores its signal may run for ever. It must not take the place of the calls to other instances.
    this.#load.running -= this.#running.size
    this.#load = { running: 0 }
    for (const cancellation of this.#running) cancellation.abort(error())
  }

  /** Returns the procedure at a path, `undefined` if there is none; with a promise only if it must be loaded. */
  #procedureAt(path: readonly string[], orpc: Orpc): Run | undefined | Promise<Run | undefined> {
    const key = JSON.stringify(path)
    const known = this.#procedures.get(key)
    if (known !== undefined) return known
    const kept = (procedure: unknown): Run | undefined => {
      if (!orpc.isProcedure(procedure)) return undefined
      const run = orpc.createProcedureClient(procedure, { path, context: (given: object) => given }) as Run
      this.#procedures.set(key, run)
      return run
    }
    const found = orpc.getRouter(this.#options.router as never, path)
    return orpc.isProcedure(found) || found === undefined
      ? kept(found)
      : orpc.unlazy(found).then((loaded) => kept(loaded.default))
  }

  /** Returns what a caller may learn of an error: everything of an `ORPCError`, nothing of any other. */
  #publicError(call: string, error: unknown, orpc: Orpc): unknown {
    const { handlerFailed } = this.#options
    if (!(error instanceof orpc.ORPCError)) {
      handlerFailed(call, error)
      return remoteError(call, { code: "INTERNAL_SERVER_ERROR", message: "Internal Server Error" })
    }
    // A new error, without the stack and the cause.
    if (error.defined) return orpc.createORPCErrorFromJson(error.toJSON())
    const { code, message, data, cause } = error as { code: string; message: string; data: unknown; cause?: unknown }
    if (code === "INTERNAL_SERVER_ERROR" && cause !== undefined) handlerFailed(call, cause)
    return remoteError(call, { code, message, ...(data === undefined ? {} : { data }) })
  }
}

function closeStream(output: unknown): void {
  if (isStream(output)) Promise.resolve(output.return?.()).catch(() => undefined)
}

/**
 * Returns the paths of the procedures of a router that its `meta` marks as idempotent, joined by dots. Those that are loaded
 * lazily are not looked at.
 * @throws ConfigError if there is no procedure at all
 */
export function idempotentMethods(router: unknown): readonly string[] {
  const methods: string[] = []
  const seen = new Set<object>()
  let procedures = 0
  const visit = (part: unknown, path: readonly string[]): void => {
    if (typeof part !== "object" || part === null || seen.has(part)) return
    seen.add(part)
    const definition = (part as { "~orpc"?: unknown })["~orpc"]
    if (isObject(definition)) {
      procedures += 1
      if (isObject(definition["meta"]) && definition["meta"]["idempotent"] === true) methods.push(path.join("."))
      return
    }
    // The content of a lazy router is known only once it is loaded, and its own key is a symbol.
    if (Object.getOwnPropertySymbols(part).length > 0) procedures += 1
    for (const [name, inner] of Object.entries(part)) visit(inner, [...path, name])
  }
  visit(router, [])
  if (procedures > 0) return methods
  throw new ConfigError(
    `expected a router of oRPC procedures, got ${isObject(router) ? "one without any" : kindOf(router)}`,
  )
}

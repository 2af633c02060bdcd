import { ConfigError, kindOf } from "../error.ts"
import { isObject } from "../json.ts"
import { quote } from "../quote.ts"
import { MAX_MS } from "./cancellation.ts"
import { callOptions } from "./option-names.ts"
import { powerOfTwo } from "./routes.ts"
import type { Route } from "./routes.ts"
import { shownNumber } from "./shown.ts"
import { isTraceparent } from "./trace.ts"

/** The options of a call. All have defaults. */
export interface CallOptions {
  /** Chooses the instance; `powerOfTwo()` by default. */
  readonly route?: Route
  /** The time after which the call fails with `timeout`, in ms; 5000 by default. A stream has to start within it. */
  readonly timeoutMs?: number
  /**
   * How often a call that failed is sent to another instance; 2 by default. It applies to idempotent methods only. Each
   * attempt gets an equal share of the time that is left.
   */
  readonly retries?: number
  /**
   * Whether the method may run twice for one call. By default it may if its procedure says so:
   * `os.meta({ idempotent: true })`.
   */
  readonly idempotent?: boolean
  /** Gives up: the handler's signal is aborted, and the call fails with the signal's reason. */
  readonly signal?: AbortSignal
  /** The W3C trace context; by default that of the active span, if `@opentelemetry/api` is installed. */
  readonly traceparent?: string
}

/** The options, checked. */
export interface CheckedCallOptions {
  readonly route: Route
  readonly timeoutMs: number
  readonly retries: number
  readonly idempotent: boolean | undefined
  readonly signal: AbortSignal | undefined
  readonly traceparent: string | undefined
}

const DEFAULT_ROUTE = powerOfTwo()
const DEFAULT_TIMEOUT_MS = 5_000
const DEFAULT_RETRIES = 2

/** @throws ConfigError for an invalid option */
export function checkedOptions(options: CallOptions): CheckedCallOptions {
  const { route = DEFAULT_ROUTE, timeoutMs = DEFAULT_TIMEOUT_MS, retries = DEFAULT_RETRIES } = callOptions(options)
  const { idempotent, signal, traceparent } = options
  if (typeof route !== "function") throw new ConfigError(`expected route to be a function, got ${kindOf(route)}`)
  if (!(typeof timeoutMs === "number" && timeoutMs > 0 && timeoutMs <= MAX_MS)) {
    throw new ConfigError(
      `expected timeoutMs to be a time above 0 and up to ${MAX_MS} ms, got ${shownNumber(timeoutMs)}`,
    )
  }
  if (!Number.isSafeInteger(retries) || retries < 0) {
    throw new ConfigError(`expected retries to be a whole number from 0 up, got ${shownNumber(retries)}`)
  }
  if (idempotent !== undefined && typeof idempotent !== "boolean") {
    throw new ConfigError(`expected idempotent to be true or false, got ${kindOf(idempotent)}`)
  }
  if (signal !== undefined && !isSignal(signal)) {
    throw new ConfigError(`expected signal to be an AbortSignal, got ${kindOf(signal)}`)
  }
  if (traceparent !== undefined && typeof traceparent !== "string") {
    throw new ConfigError(`expected traceparent to be a text, got ${kindOf(traceparent)}`)
  }
  // W3C asks to ignore what is malformed: it comes from the header of a request.
  return {
    route,
    timeoutMs,
    retries,
    idempotent,
    signal,
    traceparent: isTraceparent(traceparent) ? traceparent : undefined,
  }
}

/** Whether a value is an `AbortSignal`, also one of another realm. */
const isSignal = (value: unknown): boolean =>
  isObject(value) && typeof value["aborted"] === "boolean" && typeof value["addEventListener"] === "function"

/** @throws ConfigError if a method is neither a text nor a list of texts */
export function pathOf(method: string | readonly string[]): readonly string[] {
  const path: unknown = typeof method === "string" ? method.split(".") : method
  if (Array.isArray(path) && path.length > 0 && path.every((name) => typeof name === "string" && name !== "")) {
    return path as string[]
  }
  const got = typeof method === "string" ? quote(method) : kindOf(method)
  throw new ConfigError(`expected a method such as "spawn" or "rooms.create", got ${got}`)
}

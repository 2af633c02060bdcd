import { checkedOptions, pathOf } from "./call-options.ts"
import type { CallOptions, CheckedCallOptions } from "./call-options.ts"
import { checkService } from "./service-name.ts"

/** One call, with everything that its attempts share. */
export interface Call extends CheckedCallOptions {
  readonly service: string
  readonly path: readonly string[]
  readonly method: string
  readonly name: string
  readonly input: unknown
  /** The instances that have failed it, by `incarnationOf`. */
  readonly tried: string[]
}

/** @throws ConfigError for an invalid method or option */
export function checkedCall(
  service: string,
  method: string | readonly string[],
  input: unknown,
  options: CallOptions,
): Call {
  checkService(service)
  const path = pathOf(method)
  const joined = typeof method === "string" ? method : path.join(".")
  const { route, timeoutMs, retries, idempotent, signal, traceparent } = checkedOptions(options)
  // Each field by its name: with spreads, this took a third of the time of a call within a node.
  return {
    service,
    path,
    method: joined,
    name: `${service}.${joined}`,
    input,
    tried: [],
    route,
    timeoutMs,
    retries,
    idempotent,
    signal,
    traceparent,
  }
}

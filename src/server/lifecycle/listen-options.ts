import type { IncomingMessage, ServerResponse } from "node:http"
import { constants } from "node:os"
import { ConfigError, kindOf } from "../../error.ts"
import { checkKnownNames } from "../../known-names.ts"
import type { Names } from "../../known-names.ts"
import { operationsAddress } from "../operations/operations-port.ts"
import type { OperationsPort } from "../operations/operations-port.ts"
import { portOf } from "../port.ts"
import { checkHttpSettings } from "./http-settings.ts"
import type { HttpSettings } from "./http-settings.ts"

/** The options of `listen`. */
export interface ListenOptions extends HttpSettings {
  /** The port, 0 to 65535, as a number or a string. With 0 the operating system picks a free one. */
  readonly port: number | string
  /** The address or name of the network interface; by default all interfaces. */
  readonly host?: string
  /** The number of worker processes that serve the port, 1 or more. By default this process serves it. */
  readonly workers?: number
  /**
   * A second port, for the people and programs that operate the server. It serves `/metrics` for Prometheus, `/health`, and
   * `/ready`, which answers 503 while no clients should be sent to this server. Its host is `127.0.0.1` by default.
   * With `workers`, it reports on all of them. Requires the package `prom-client`.
   */
  readonly operations?: OperationsPort
  /**
   * The signals that close the server; by default SIGTERM and SIGINT. `false` means none.
   *
   * Once the server has closed, the process ends by that signal. A second signal ends the process at once. If the
   * program listens to the signal as well, the process is not ended, and the program must exit by itself.
   *
   * Workers close when their primary's server closes, whatever the value of this option. The primary then sends a worker that
   * has closed the first of these signals, or SIGTERM.
   */
  readonly signals?: readonly NodeJS.Signals[] | false
  /** Answers HTTP requests that are not for a socket, such as those for pages. By default they get 404. */
  readonly request?: (request: IncomingMessage, response: ServerResponse) => void
}

const NAMES: Names<keyof ListenOptions> = {
  port: true,
  host: true,
  workers: true,
  operations: true,
  signals: true,
  request: true,
  keepAliveTimeout: true,
  headersTimeout: true,
  requestTimeout: true,
  maxHeaderSize: true,
  maxRequestsPerSocket: true,
}

/** A port that a server listens on. */
export interface Listening {
  readonly port: number
  /** The address that is bound, such as `127.0.0.1` or `::`. */
  readonly host: string
  /** `http://host:port`, an address at which this machine reaches the server. */
  readonly url: string
  /** The URL of the port for operations, if there is one. */
  readonly operations?: string
  /** Closes the port, and the one for operations with it. May be called more than once. */
  close(): Promise<void>
}

/** Signals that a program cannot listen to. */
const UNCATCHABLE: ReadonlySet<string> = new Set(["SIGKILL", "SIGSTOP"])

/** Options that have been checked. */
export type CheckedListenOptions = ListenOptions & { readonly port: number }

/**
 * Returns the options with the port as a number.
 * @param given the options, or the port alone
 * @param secondHost the host behind a port
 * @throws ConfigError for an invalid option, or a host behind options
 */
export function checkedListenOptions(
  given: number | string | ListenOptions,
  secondHost?: string,
): CheckedListenOptions {
  // A program in JavaScript may pass anything.
  const isObject = typeof given === "object" && given !== null
  if (secondHost !== undefined && (isObject || typeof secondHost !== "string")) {
    // Ignored, a host would open the port to all networks, and a callback would never run.
    throw new ConfigError(
      `expected listen(port, host) or listen({ port, host, … }), got ${shown(secondHost)} as a second argument`,
    )
  }
  const options: ListenOptions = isObject
    ? given
    : { port: given, ...(secondHost !== undefined && { host: secondHost }) }
  checkKnownNames("an option of listen", options, NAMES)
  const { host, workers, operations, signals } = options
  const port = portOf("a port", options.port)
  if (operations !== undefined) operationsAddress(operations)
  if (host !== undefined && typeof host !== "string") {
    throw new ConfigError(`expected host to be the address or name of a network interface, got ${kindOf(host)}`)
  }
  // Node takes an empty host for all interfaces: that of an unset variable would open the port to all networks.
  if (host?.trim() === "") {
    throw new ConfigError("expected host to be the address or name of a network interface, got an empty text")
  }
  if (workers !== undefined && !(Number.isInteger(workers) && workers >= 1)) {
    throw new ConfigError(`expected workers to be a whole number of 1 or more, got ${shown(workers)}`)
  }
  checkSignals(signals)
  if (options.request !== undefined && typeof options.request !== "function") {
    throw new ConfigError(`expected request to be a function, got ${kindOf(options.request)}`)
  }
  checkHttpSettings(options)
  return { ...options, port }
}

const shown = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value)
  return typeof value === "number" ? String(value) : kindOf(value)
}

function checkSignals(signals: unknown): void {
  if (signals === undefined || signals === false) return
  if (!Array.isArray(signals)) {
    throw new ConfigError(`expected signals to be false or a list such as ["SIGTERM"], got ${shown(signals)}`)
  }
  for (const signal of signals as unknown[]) {
    if (typeof signal === "string" && Object.hasOwn(constants.signals, signal) && !UNCATCHABLE.has(signal)) continue
    throw new ConfigError(`expected signals that a program can listen to, such as SIGTERM, got ${shown(signal)}`)
  }
}

import type { IncomingMessage, ServerResponse } from "node:http"
import { constants } from "node:os"
import { ConfigError } from "../../error.ts"
import type { OperationsPort } from "../operations/listen-operations.ts"
import { checkPort } from "../port.ts"

/** The options of `listen`. */
export interface ListenOptions {
  /** The port, 0 to 65535. With 0 the operating system picks a free one. */
  readonly port: number
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

/** @throws ConfigError for an invalid option */
export function checkListenOptions({ port, workers, operations, signals }: ListenOptions): void {
  checkPort("a port", port)
  if (operations !== undefined) {
    checkPort("a port for operations", typeof operations === "object" ? operations.port : operations)
  }
  if (workers !== undefined && !(Number.isInteger(workers) && workers >= 1)) {
    throw new ConfigError(`expected workers to be a whole number of 1 or more, got ${workers}`)
  }
  for (const signal of signals || []) {
    if (!Object.hasOwn(constants.signals, signal) || UNCATCHABLE.has(signal)) {
      throw new ConfigError(`expected signals that a program can listen to, such as SIGTERM, got ${signal}`)
    }
  }
}

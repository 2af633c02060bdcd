import type { PortName } from "./worker-port.ts"

/** The first element of each message. It is needed because other messages use the same IPC channel. */
const TAG = "rollcall-workers"

/**
 * The messages between a primary and its workers, as `[TAG, message]`; `LISTENING` adds an address. They do not change
 * between versions: a primary may restart a worker after the files of its program have been replaced.
 */
export type WorkerMessage =
  | typeof ACCEPTS_CLOSE
  | typeof LISTENING
  | typeof IN_USE
  | typeof CLOSE_PORT
  | typeof CLOSE_SERVERS
  | typeof SERVERS_CLOSED

/** The address that a port is bound to. */
export interface BoundAddress {
  readonly port: number
  readonly address: string
}

/** A port that a worker's program has asked for by `listen`. Without the option `workers` it has no `ordinal`. */
export type RequestedPort = Pick<PortName, "requested"> & Partial<PortName>

/** A port that a worker has opened. Workers of earlier versions send the address only. */
export type OpenedPort = BoundAddress & Partial<RequestedPort>

/** From a worker: it can be asked to close from now on. */
export const ACCEPTS_CLOSE = "hears"
/**
 * From a worker: a port of a server is open. The event `listening` of `node:cluster` does not distinguish such a port from
 * the other ports that the program opens.
 */
export const LISTENING = "listening"
/** From a worker: a port that it should open is in use. */
export const IN_USE = "in-use"
/** What the primary has closed, and a worker must close, too: a port, or the whole server that serves it. */
export interface ClosedPort extends PortName {
  readonly closed: "port" | "server"
}

/** From the primary: the worker must close a `ClosedPort`. */
export const CLOSE_PORT = "close-port"
/** From the primary: the worker must close its servers. */
export const CLOSE_SERVERS = "close"
/** From a worker: its servers have closed. */
export const SERVERS_CLOSED = "closed"

/** Wraps a message for the IPC channel. */
export const workerMessage = (message: WorkerMessage, ...content: readonly unknown[]): unknown[] => [
  TAG,
  message,
  ...content,
]

/** Sends a message from a worker. Ignores a failure: a worker whose primary is gone is about to end as well. */
export function sendToPrimary(message: WorkerMessage, ...content: readonly unknown[]): void {
  process.send?.(workerMessage(message, ...content), undefined, undefined, () => undefined)
}

/** Returns the port in a message `LISTENING`; `undefined` for any other message. */
export function openedPort(received: unknown): OpenedPort | undefined {
  return isWorkerMessage(received, LISTENING) ? (received as [string, string, OpenedPort])[2] : undefined
}

/** Returns the port in a message `CLOSE_PORT`; `undefined` for any other message. */
export function portToClose(received: unknown): ClosedPort | undefined {
  return isWorkerMessage(received, CLOSE_PORT) ? (received as [string, string, ClosedPort])[2] : undefined
}

/** Returns the port in a message `IN_USE`; `undefined` for any other message. */
export function portInUse(received: unknown): RequestedPort | undefined {
  return isWorkerMessage(received, IN_USE) ? (received as [string, string, RequestedPort])[2] : undefined
}

export function isWorkerMessage(received: unknown, message: WorkerMessage): boolean {
  return Array.isArray(received) && received[0] === TAG && received[1] === message
}

/** The first element of each message. It is needed because other messages use the same IPC channel. */
const TAG = "rollcall-workers"

/**
 * The messages between a primary and its workers, as `[TAG, message]`. They do not change between versions: a primary
 * may restart a worker after the files of its program have been replaced.
 */
export type WorkerMessage = typeof ACCEPTS_CLOSE | typeof CLOSE_SERVERS | typeof SERVERS_CLOSED

/** From a worker: it can be asked to close from now on. */
export const ACCEPTS_CLOSE = "hears"
/** From the primary: the worker must close its servers. */
export const CLOSE_SERVERS = "close"
/** From a worker: its servers have closed. */
export const SERVERS_CLOSED = "closed"

/** Wraps a message for the IPC channel. */
export const workerMessage = (message: WorkerMessage): [tag: string, message: WorkerMessage] => [TAG, message]

export function isWorkerMessage(received: unknown, message: WorkerMessage): boolean {
  return Array.isArray(received) && received[0] === TAG && received[1] === message
}

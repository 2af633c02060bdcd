/** The first element of each message, since other things use the same IPC channel. */
const TAG = "rollcall-workers"

/**
 * The messages between a primary and its workers, as `[TAG, message]`. They do not change between versions: a primary
 * may restart a worker after the files of its program have been replaced.
 */
export type WorkerMessage = typeof ACCEPTS_CLOSE | typeof CLOSE | typeof CLOSED

/** From a worker: from now on it can be asked to close. */
export const ACCEPTS_CLOSE = "hears"
/** From the primary: the worker is to close its servers. */
export const CLOSE = "close"
/** From a worker: its servers have closed. */
export const CLOSED = "closed"

/** Wraps a message for the IPC channel. */
export const workerMessage = (message: WorkerMessage): [tag: string, message: WorkerMessage] => [TAG, message]

export function isWorkerMessage(received: unknown, message: WorkerMessage): boolean {
  return Array.isArray(received) && received[0] === TAG && received[1] === message
}

import { isSignalled } from "./signals.ts"
import { ACCEPTS_CLOSE, CLOSE, CLOSED, isWorkerMessage, workerMessage } from "./worker-messages.ts"
import type { WorkerMessage } from "./worker-messages.ts"

/** The `close` functions of all servers in this worker that the primary may ask to close. */
const closings = new Set<() => Promise<void>>()
let isListening = false

/**
 * Calls `close` when the primary asks this worker to close. Returns the undo, for when the server has closed.
 *
 * The primary asks by a message and not by a signal, since the program may listen to no signal, or to another one.
 */
export function closeOnRequest(close: () => Promise<void>): () => void {
  closings.add(close)
  // Never undone: the primary also asks a worker whose servers have all closed, and waits for its answer.
  if (!isListening) process.on("message", onMessage)
  isListening = true
  send(ACCEPTS_CLOSE)
  return () => void closings.delete(close)
}

function onMessage(message: unknown): void {
  if (isWorkerMessage(message, CLOSE)) void closeAll()
}

async function closeAll(): Promise<void> {
  await Promise.allSettled(Array.from(closings, (close) => close()))
  // After a signal, this process ends by itself, perhaps in a way of its own. The primary would answer with one more
  // signal.
  if (!isSignalled()) send(CLOSED)
}

/** Sends a message, and ignores a failure: a worker whose primary is gone is about to end as well. */
function send(message: WorkerMessage): void {
  process.send?.(workerMessage(message), undefined, undefined, () => undefined)
}

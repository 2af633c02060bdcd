import { isSignalled } from "./signals.ts"
import { ACCEPTS_CLOSE, CLOSE, CLOSED, isWorkerMessage, sendToPrimary } from "./worker-messages.ts"

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
  sendToPrimary(ACCEPTS_CLOSE)
  return () => void closings.delete(close)
}

async function onMessage(message: unknown): Promise<void> {
  if (!isWorkerMessage(message, CLOSE)) return
  await Promise.allSettled(Array.from(closings, (close) => close()))
  // After a signal, this process ends by itself, perhaps in a way of its own. The primary would answer with one more
  // signal.
  if (!isSignalled()) sendToPrimary(CLOSED)
}

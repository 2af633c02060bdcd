import { isSignalled } from "./signals.ts"
import {
  ACCEPTS_CLOSE,
  CLOSE_SERVERS,
  SERVERS_CLOSED,
  isWorkerMessage,
  portToClose,
  sendToPrimary,
} from "./worker-messages.ts"
import type { ClosedPort } from "./worker-messages.ts"
import type { PortName } from "./worker-port.ts"

/** The `close` functions of all servers in this worker that the primary may ask to close. */
const closings = new Set<() => Promise<void>>()
/** The functions that close a port alone, and its whole server. */
type ClosePort = Record<ClosedPort["closed"], () => Promise<void>>

/** The open ports of this worker. */
const ports = new Map<PortName, ClosePort>()
let isListening = false

/**
 * Calls `close` when the primary asks this worker to close. Returns a function that ends this; call it once the server has
 * closed.
 *
 * The primary sends a message and not a signal, since the program may listen to no signal, or to another one.
 */
export function closeOnRequest(close: () => Promise<void>): () => void {
  closings.add(close)
  // The listener is never removed: the primary also asks a worker whose servers have all closed, and waits for its answer.
  if (!isListening) process.on("message", onMessage)
  isListening = true
  sendToPrimary(ACCEPTS_CLOSE)
  return () => void closings.delete(close)
}

/**
 * Calls `port` or `server` when the primary asks this worker to close a port, or the server that serves it. Returns a
 * function that ends this.
 */
export function closePortOnRequest(name: PortName, close: ClosePort): () => void {
  ports.set(name, close)
  return () => void ports.delete(name)
}

function closePort({ requested, ordinal, closed }: ClosedPort): void {
  for (const [name, close] of ports) {
    if (requested === name.requested && ordinal === name.ordinal) void close[closed]()
  }
}

function onMessage(message: unknown): void {
  const port = portToClose(message)
  if (port !== undefined) closePort(port)
  if (isWorkerMessage(message, CLOSE_SERVERS)) void closeAll()
}

async function closeAll(): Promise<void> {
  await Promise.allSettled(Array.from(closings, (close) => close()))
  // After a signal, this process ends by itself, perhaps in its own way. The primary would answer `SERVERS_CLOSED` with one more
  // signal.
  if (!isSignalled()) sendToPrimary(SERVERS_CLOSED)
}

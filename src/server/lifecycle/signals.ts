import { constants } from "node:os"
import { workerSecret } from "../role.ts"

/** The signals that close a server by default. */
export const DEFAULT_SIGNALS: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT"]

/**
 * The `close` functions of the servers in this process, by signal. The process ends when the last of them has closed.
 */
const closings = new Map<NodeJS.Signals, Set<() => Promise<void>>>()

let hasReceivedSignal = false

/** Returns whether this process has received one of the signals that close its servers. If so, it ends by itself. */
export function isSignalled(): boolean {
  return hasReceivedSignal
}

/**
 * Calls `close` at each of these signals, and then ends the process by that signal. Returns a function that ends this; call it
 * once the server has closed.
 *
 * If the program listens to the signal as well, the process is not ended here. A second signal ends the process at
 * once.
 */
export function closeOnSignals(signals: readonly NodeJS.Signals[], close: () => Promise<void>): () => void {
  for (const signal of signals) {
    const known = closings.get(signal)
    if (known !== undefined) {
      known.add(close)
      continue
    }
    closings.set(signal, new Set([close]))
    // Before the program's own listeners. A listener that was added by `once` is not registered any more after its call, and
    // `onSignal` has to know about it.
    process.prependListener(signal, onSignal)
  }
  return () => {
    for (const signal of signals) {
      const known = closings.get(signal)
      if (known?.delete(close) !== true || known.size > 0) continue
      closings.delete(signal)
      process.off(signal, onSignal)
    }
  }
}

function onSignal(signal: NodeJS.Signals): void {
  hasReceivedSignal = true
  const isOnlyListener = process.listeners(signal).every((listener) => listener === onSignal)
  // A second signal must end the process. A worker is an exception: a terminal and an init system signal the workers and
  // their primary, and the primary then signals the workers once more.
  if (workerSecret() === undefined) for (const each of closings.keys()) process.off(each, onSignal)
  const closed = Promise.allSettled(Array.from(closings.get(signal) ?? [], (close) => close()))
  if (isOnlyListener) void closed.then(() => endProcess(signal))
}

function endProcess(signal: NodeJS.Signals): void {
  // Process 1, the first process of a container, is not ended by a signal to which it does not listen.
  if (process.pid === 1) process.exit(128 + constants.signals[signal])
  process.kill(process.pid, signal)
}

import { constants } from "node:os"
import { workerSecret } from "../role.ts"

/** The signals that ask a process to end. */
export const ENDINGS: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT"]

/** What a signal closes, of all servers in this process: it ends once the last of them is closed. */
const closings = new Map<NodeJS.Signals, Set<() => Promise<void>>>()

/** Whether a signal has closed them: who sent it has the process end, and nobody else need do so. */
let isEnding = false

/** Whether this process was told to end by one of the signals that close its servers. */
export function isSignalled(): boolean {
  return isEnding
}

/**
 * Has each of these signals close something, and end the process afterwards as it would have done by itself. Returns the
 * undo, which `close` is to call.
 *
 * Where the program listens to a signal, too, it means to end by itself, and is left to. One more signal ends the process
 * at once.
 */
export function closeOn(signals: readonly NodeJS.Signals[], close: () => Promise<void>): () => void {
  for (const signal of signals) {
    const known = closings.get(signal)
    if (known !== undefined) {
      known.add(close)
      continue
    }
    closings.set(signal, new Set([close]))
    // Before the program's own listeners: one that listens once is not to be seen any more after it was called.
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
  isEnding = true
  const isOurs = process.listeners(signal).every((listener) => listener === onSignal)
  // A terminal and an init system signal workers as well as their primary, which may signal them, too: that is no second one.
  if (workerSecret() === undefined) for (const each of closings.keys()) process.off(each, onSignal)
  const closed = Promise.allSettled(Array.from(closings.get(signal) ?? [], (close) => close()))
  if (isOurs) void closed.then(() => end(signal))
}

function end(signal: NodeJS.Signals): void {
  // The first process of a container does not die of a signal that it does not listen to.
  if (process.pid === 1) process.exit(128 + constants.signals[signal])
  process.kill(process.pid, signal)
}

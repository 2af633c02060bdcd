import { readFileSync } from "node:fs"
import type { Socket } from "node:net"
import { setUnref } from "../../timers.ts"
import type { Timers } from "../../timers.ts"
import type { Logger } from "../logger.ts"
import type { AttachableServer } from "../transports/attachable.ts"

/** The descriptors that are kept for everything but clients: the bus, files, the port for operations. */
const RESERVE = 32
/** The part of all descriptors that is kept at most. */
const MAX_RESERVED_SHARE = 1 / 8
/** The shortest time between two log messages, in ms. */
const LOG_INTERVAL_MS = 60_000

/** The errors of `accept` for a process, or a machine, without file descriptors. */
const SHORTAGES: ReadonlySet<unknown> = new Set(["EMFILE", "ENFILE"])

export interface DescriptorGuardOptions {
  /** Counts `descriptor_shortages`. */
  readonly count: (name: string) => void
  readonly logger: Logger
  readonly timers: Timers
  /** How many file descriptors the process may have open. By default the operating system's limit. */
  readonly limit?: number
}

/** Refuses the connections for which a process has no file descriptors. */
export interface DescriptorGuard {
  /** Counts an error of the HTTP server. Returns whether it is one of `accept` for lack of descriptors. */
  takes(error: unknown): boolean
  stop(): void
}

/**
 * Closes new connections while the process has hardly any file descriptors left, counts them, and logs their number once a
 * minute.
 *
 * Without this, libuv accepts and closes the connections for which there is no descriptor, and reports nothing. Other
 * connections, such as that to the bus, fail as well.
 */
export function guardDescriptors(http: AttachableServer, options: DescriptorGuardOptions): DescriptorGuard {
  const { count, logger, timers, limit = descriptorLimit() } = options
  const usable = limit - Math.min(RESERVE, Math.ceil(limit * MAX_RESERVED_SHARE))
  let refused = 0
  let timer: unknown

  const log = (): void => {
    timer = undefined
    if (refused === 0) return
    logger.error("connections are refused: the process has hardly any file descriptors left", { refused, limit })
    refused = 0
    timer = setUnref(timers, log, LOG_INTERVAL_MS)
  }
  const refuse = (): void => {
    count("descriptor_shortages")
    refused += 1
    if (timer === undefined) log()
  }
  const onConnection = (socket: Socket): void => {
    if (descriptorOf(socket) < usable) return
    socket.destroy()
    refuse()
  }
  http.on("connection", onConnection)
  return {
    takes(error) {
      const isShortage = SHORTAGES.has((error as { code?: unknown } | undefined)?.code)
      if (isShortage) refuse()
      return isShortage
    },
    stop() {
      http.off("connection", onConnection)
      timers.clear(timer)
    },
  }
}

/** Returns the descriptor of a connection. A new one gets the lowest number that is free, so all lower ones are in use. */
function descriptorOf(socket: Socket): number {
  // Node has no public API for it. On Windows it is -1.
  return (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1
}

/** Returns how many file descriptors this process may have open; `Infinity` where the operating system does not say. */
function descriptorLimit(): number {
  try {
    const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? []
    return limit === undefined ? Infinity : Number(limit)
  } catch {
    return Infinity
  }
}

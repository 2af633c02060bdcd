/** Bounds and paces what a connection sends, and finds the join because of which the server closes the connection. */
import type { Timers } from "../timers.ts"
import { HEARTBEAT_TOPIC, JOIN, REPLY } from "../wire/events.ts"
import { SERVER_INFO, type ServerInfo, type ServerLimits } from "../wire/introduction.ts"
import type { Message, Socket } from "./phoenix.ts"

/**
 * How many messages may have no reply yet. With 1400 at once, a server may close the connection with 1008; this many in each
 * round trip are hardly slower.
 */
const MAX_IN_FLIGHT = 100
/**
 * For how long a message without a reply counts as in flight, in milliseconds. Some messages never get a reply, and must not
 * hold up the others.
 */
const IN_FLIGHT_MS = 500
/**
 * The same for a join, which gets a reply in the end, and while messages are sent one at a time, so that the one that closes the
 * connection is alone when it closes.
 */
const SUSPECT_MS = 5000
/** How often to look again whether something that waits may be sent, in milliseconds, if no reply comes. */
const RECHECK_MS = 100

/** Returns a limit that the server may have announced. */
const numberOf = (announced: unknown): number => Number(announced) || Infinity

/** What the rooms of one connection share. */
export interface Flow {
  /** The size of the largest message that may be sent, in bytes. */
  readonly maxBytes: number
  /** Whether one message is in flight, and no other. */
  readonly isAlone: boolean
  /**
   * A join that must not be sent again: the connection closed twice in a row while it was alone in flight, with this code. The
   * reader sets it to `undefined`.
   */
  convicted: { readonly topic: string; readonly code: number } | undefined
  watch(socket: Socket): void
  /**
   * Returns whether one more message may be sent now. If not, calls `retry` when it may. Each key has one `retry` that waits;
   * they are called in turn.
   */
  isFree(key: unknown, retry: () => void): boolean
  sent(message: Message): void
  /** A message is answered, or will not be sent. */
  end(ref: unknown): void
}

/** @param maxBytes the size of the largest message that may be sent, in bytes, if the server announces no less */
export function createFlow(timers: Timers, maxBytes: number): Flow {
  let limits: ServerLimits | undefined
  /** By their refs. */
  const inFlight = new Map<unknown, { readonly joins: string | undefined; readonly until: number }>()
  const waiting = new Map<unknown, () => void>()
  let timer: unknown
  /** How many messages were sent since `countedFrom`, within one second. */
  let count = 0
  let countedFrom = -Infinity
  /** Whether the last connection closed with messages in flight. */
  let hasLost = false
  /** Whether messages are sent one at a time, until everything that waits is answered. */
  let isCareful = false
  let hasSent = false
  /** The topic whose join was alone in flight when the last connection closed. */
  let suspect: string | undefined

  const forget = (): void => {
    for (const [ref, { until }] of inFlight) if (until <= timers.now()) inFlight.delete(ref)
  }

  const hasRoom = (): boolean => {
    forget()
    if (hasSent && inFlight.size + waiting.size === 0) isCareful = hasLost = false
    const now = timers.now()
    if (now - countedFrom >= 1000) {
      countedFrom = now
      count = 0
    }
    // Half, because the server's second may contain the end of one of these seconds and the beginning of the next.
    const max = Math.max(1, numberOf(limits?.maxMessagesPerSecond) / 2)
    return inFlight.size < (isCareful ? 1 : MAX_IN_FLIGHT) && count < max
  }

  const drain = (): void => {
    timers.clear(timer)
    timer = undefined
    for (const [key, retry] of Array.from(waiting)) {
      // A retry may have emptied the list.
      if (!waiting.has(key)) continue
      if (!flow.isFree(key, retry)) return
      waiting.delete(key)
      retry()
    }
    hasRoom()
  }

  const closed = (code: number): void => {
    waiting.clear()
    drain()
    // An attempt that failed changes nothing.
    if (inFlight.size === 0) return
    // The server closes a connection with these codes because of what the client sent.
    const isComplaint = code > 1001 && code < 1012 && code !== 1006
    const [first] = inFlight.values()
    const topic = isComplaint && inFlight.size === 1 ? first!.joins : undefined
    const isAgain = topic !== undefined && topic === suspect
    if (isAgain) flow.convicted = { topic, code }
    suspect = isAgain ? undefined : topic
    isCareful = hasLost || isComplaint
    hasLost = true
    hasSent = false
    inFlight.clear()
  }

  const flow: Flow = {
    convicted: undefined,
    get maxBytes() {
      return Math.min(maxBytes, numberOf(limits?.maxMessageBytes))
    },
    get isAlone() {
      forget()
      return inFlight.size === 1
    },
    watch(socket) {
      socket.onMessage(({ topic, event, ref, payload }: Message) => {
        if (event === REPLY) flow.end(ref)
        if (topic === HEARTBEAT_TOPIC && event === SERVER_INFO)
          limits = (payload as ServerInfo | null)?.limits ?? limits
      })
      socket.onClose((event: { code?: number } | undefined) => closed(event?.code ?? 0))
    },
    isFree(key, retry) {
      if (hasRoom()) return true
      waiting.set(key, retry)
      timer ??= timers.set(drain, RECHECK_MS)
      return false
    },
    sent({ ref, topic, event }) {
      const joins = event === JOIN ? topic : undefined
      const ms = joins || isCareful ? SUSPECT_MS : IN_FLIGHT_MS
      inFlight.set(ref, { joins, until: timers.now() + ms })
      count++
      hasSent = true
      // An application may push to phoenix.js's channels, which ask nobody.
      if (inFlight.size > 2 * MAX_IN_FLIGHT) forget()
    },
    end(ref) {
      waiting.delete(ref)
      const sent = inFlight.get(ref)
      if (!sent) return
      inFlight.delete(ref)
      if (sent.joins && sent.joins === suspect) suspect = undefined
      drain()
    },
  }
  return flow
}

/**
 * Bounds and paces what a connection sends, and finds the message because of which the connection closes again and again.
 */
import type { Timers } from "../timers.ts"
import { ABNORMAL, DISCONNECTED, SERVICE_RESTART } from "../wire/close-codes.ts"
import { HEARTBEAT_TOPIC, JOIN, REPLY } from "../wire/events.ts"
import { SERVER_INFO, type ServerInfo, type ServerLimits } from "../wire/introduction.ts"
import type { Message } from "./phoenix.ts"

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

/** What the rooms of one connection share. */
export interface Flow {
  /** The size of the largest message that may be sent, in bytes. */
  readonly maxBytes: number
  /**
   * Returns whether one more message may be sent now. If not, calls `retry` when it may. Each key has one `retry` that waits;
   * they are called in turn.
   */
  isFree(key: unknown, retry: () => void): boolean
  /**
   * Returns the code with which the connection has closed twice because of this message, which must then not be sent. The
   * next time the message is sent again.
   */
  verdict(message: Message): number | undefined
  sent(message: Message): void
  /** A message is answered, or will not be sent. */
  end(ref: unknown): void
  received(message: Message): void
  /** @param code that with which the other side closed the connection; 0 if this side closed it */
  closed(code: number): void
}

/** Whether two messages are one that was sent twice. */
const isAgain = (a: Message, b: Message): boolean =>
  a.payload === b.payload && a.event === b.event && a.topic === b.topic

/** @param maxBytes the size of the largest message that may be sent, in bytes, if the server announces no less */
export function createFlow(timers: Timers, maxBytes: number): Flow {
  let limits: ServerLimits = {}
  /** By their refs. */
  const inFlight = new Map<unknown, { readonly message: Message; readonly until: number }>()
  const waiting = new Map<unknown, () => void>()
  let timer: unknown
  /** How many messages were sent since `countedFrom`, within one second. */
  let count = 0
  let countedFrom = -Infinity
  /** What was in flight when the last connection closed, perhaps because of it. */
  let suspects: Message[] = []
  /** What was in flight twice in a row, the second time alone, and the code of the close. */
  let convicted: readonly [message: Message, code: number] | undefined
  /** Whether the last connection closed with messages in flight. */
  let hasLost = false
  /** Whether messages are sent one at a time, until everything that waits is answered. */
  let isCareful = false

  const remove = (ref: unknown): void => {
    inFlight.delete(ref)
    if (inFlight.size + waiting.size === 0) isCareful = hasLost = false
  }

  const forget = (): void => {
    for (const [ref, { until }] of inFlight) if (until <= timers.now()) remove(ref)
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
  }

  const flow: Flow = {
    get maxBytes() {
      return Math.min(maxBytes, limits.maxMessageBytes || Infinity)
    },
    isFree(key, retry) {
      forget()
      const now = timers.now()
      if (now - countedFrom >= 1000) {
        countedFrom = now
        count = 0
      }
      // Half, because the server's second may contain the end of one of these seconds and the beginning of the next.
      const max = Math.max(1, (limits.maxMessagesPerSecond || Infinity) / 2)
      if (inFlight.size < (isCareful ? 1 : MAX_IN_FLIGHT) && count < max) return true
      waiting.set(key, retry)
      timer ??= timers.set(drain, RECHECK_MS)
      return false
    },
    verdict(message) {
      if (!convicted || !isAgain(convicted[0], message)) return undefined
      const [, code] = convicted
      convicted = undefined
      return code
    },
    sent(message) {
      const ms = isCareful || message.event === JOIN ? SUSPECT_MS : IN_FLIGHT_MS
      inFlight.set(message.ref, { message, until: timers.now() + ms })
      count++
      // An application may push to phoenix.js's channels, which ask nobody.
      if (inFlight.size > 2 * MAX_IN_FLIGHT) forget()
    },
    end(ref) {
      waiting.delete(ref)
      const sent = inFlight.get(ref)
      if (!sent) return
      suspects = suspects.filter((suspect) => !isAgain(suspect, sent.message))
      remove(ref)
      drain()
    },
    received({ topic, event, ref, payload }) {
      if (event === REPLY) flow.end(ref)
      if (topic === HEARTBEAT_TOPIC && event === SERVER_INFO) limits = (payload as ServerInfo | null)?.limits ?? limits
    },
    closed(code) {
      waiting.clear()
      drain()
      forget()
      // An attempt that failed changes nothing.
      if (code && inFlight.size > 0) {
        // With these codes, the server closes a connection because of what the client sent. A join is sent again after any
        // close, but an update by a client whose network breaks often.
        const isComplaint = code > DISCONNECTED && code < SERVICE_RESTART && code !== ABNORMAL
        const lost = Array.from(inFlight.values(), ({ message }) => message).filter(
          ({ event }) => isComplaint || event !== JOIN,
        )
        const [alone] = lost
        if (alone && inFlight.size === 1 && suspects.some((suspect) => isAgain(suspect, alone)))
          convicted = [alone, code]
        suspects = lost
        isCareful = hasLost || isComplaint
        hasLost = true
      }
      inFlight.clear()
    },
  }
  return flow
}

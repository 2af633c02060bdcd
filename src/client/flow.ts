/**
 * Everything that a connection sends passes here, where it becomes text or bytes. It is bounded and paced, and nothing is sent
 * that would make the server close the connection: halves of surrogate pairs are repaired, large messages are refused, and so is
 * a message because of which the connection has closed twice.
 */
import { RollcallError } from "../error.ts"
import type { Clock } from "../timers.ts"
import { ABNORMAL, DISCONNECTED, SERVICE_RESTART } from "../wire/close-codes.ts"
import { JOIN, LEAVE, REPLY } from "../wire/events.ts"
import type { ServerInfo, ServerLimits } from "../wire/introduction.ts"
import type { Trace } from "./debug.ts"
import { paramsError } from "./errors.ts"
import { tooLarge } from "./frame-size.ts"
import { whenGiven } from "./given.ts"
import { assertParams } from "./params.ts"
import type { Message, Socket } from "./phoenix.ts"
import { repairJson } from "./surrogates.ts"

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
  readonly trace: Trace
  /** The size of the largest message that may be sent, in bytes. */
  readonly maxBytes: number
  /**
   * Returns whether one more message may be sent now. If not, calls `retry` when it may. Each key has one `retry` that waits;
   * they are called in turn.
   */
  isFree(key: unknown, retry: () => void): boolean
  /** Takes over the limits that the server announces, if there are any. */
  limit(info: ServerInfo | null | undefined): void
  /** A reply frees the place of its message. */
  received(message: Partial<Message>): void
  /** @param code that with which the other side closed the connection; 0 if this side closed it */
  closed(code: number): void
}

/**
 * Returns the flow of a socket, which encodes and decodes through it from now on.
 *
 * A payload that is a function is called when it is sent: the params of a join, in which a token from before an outage may
 * have expired. A message that cannot be sent gets an error reply with a RollcallError as its response; phoenix.js tries a join
 * again later.
 *
 * @param maxBytes the size of the largest message that may be sent, in bytes, if the server announces no less
 * @param report receives an error for each received frame that is no message
 */
export function createFlow(
  socket: Socket,
  timers: Clock,
  maxBytes: number,
  report: (error: RollcallError) => void,
  trace: Trace,
): Flow {
  const { encode, decode } = socket
  let limits: ServerLimits = {}
  /** By their refs. */
  const inFlight = new Map<unknown, readonly [message: Message, until: number]>()
  const waiting = new Map<unknown, () => void>()
  let timer: unknown
  /** How many messages were sent since `countedFrom`, within one second. */
  let count = 0
  let countedFrom = -Infinity
  /** What was in flight when the last connection closed, perhaps because of it. */
  let suspects = new Set<unknown>()
  /** What was in flight twice in a row, the second time alone, and the code of the close. */
  let convicted: readonly [payload: unknown, code: number] | undefined
  /**
   * How often connections closed with messages in flight, until everything that waits is answered; a close with a complaint
   * counts twice. From two on, messages are sent one at a time.
   */
  let losses = 0

  const remove = (ref: unknown): void => {
    inFlight.delete(ref)
    if (inFlight.size + waiting.size === 0) losses = 0
  }

  const forget = (): void => {
    for (const [ref, [, until]] of inFlight) if (until <= timers.now()) remove(ref)
  }

  const drain = (): void => {
    timers.clear(timer)
    timer = undefined
    // A retry may empty the list, or wait again at its end.
    for (const [key, retry] of waiting) {
      if (!isFree(key, retry)) return
      waiting.delete(key)
      retry()
    }
  }

  const isFree = (key: unknown, retry: () => void): boolean => {
    forget()
    const now = timers.now()
    if (now - countedFrom >= 1000) {
      countedFrom = now
      count = 0
    }
    // Half, because the server's second may contain the end of one of these seconds and the beginning of the next.
    const max = limits.maxMessagesPerSecond! / 2 || Infinity
    if (count < max && inFlight.size < (losses < 2 ? MAX_IN_FLIGHT : 1)) return true
    waiting.set(key, retry)
    timer ??= timers.set(drain, RECHECK_MS)
    return false
  }

  /** A message is answered, or will not be sent. */
  const end = (ref: unknown): void => {
    waiting.delete(ref)
    const [sent] = inFlight.get(ref) ?? []
    if (!sent) return
    suspects.delete(sent.payload)
    remove(ref)
    drain()
  }

  const send = (message: Message, done: (frame: unknown) => void): void => {
    const { join_ref, ref, topic, event, payload } = message
    const isJoin = event === JOIN
    const refuse = (response: unknown): void => {
      trace(topic, "dropped", event, response)
      const data = { ...message, event: REPLY, payload: { status: "error", response } }
      // As if the server had sent it: phoenix.js has no other way.
      const deliver = (): void => socket.conn?.onmessage?.({ data })
      // Later, because the room of a first join is not complete yet.
      if (isJoin) queueMicrotask(deliver)
      else deliver()
    }
    // If the join waits, it is withdrawn.
    if (event === LEAVE) end(join_ref)
    if (convicted && convicted[0] === payload) {
      const [, code] = convicted
      convicted = undefined
      const reason = `the connection closed twice after it, with code ${code}`
      return refuse(isJoin ? { reason, code } : new RollcallError("push_rejected", reason, { reason: code }))
    }
    if (isJoin && !isFree(ref, () => send(message, done))) return trace(topic, "join waits")
    if (join_ref && event !== LEAVE) {
      inFlight.set(ref, [message, timers.now() + (isJoin || losses > 1 ? SUSPECT_MS : IN_FLIGHT_MS)])
      count++
      // An application may push to phoenix.js's channels, which ask nobody.
      if (inFlight.size > 2 * MAX_IN_FLIGHT) forget()
    }
    whenGiven<unknown>(
      payload,
      (given) => {
        // An application may push what it likes to phoenix.js's channels.
        if (given !== payload) assertParams(given)
        encode({ ...message, payload: given }, (encoded: unknown) => {
          const frame = typeof encoded === "string" ? repairJson(encoded) : encoded
          const error = tooLarge(frame, flow.maxBytes, topic, event)
          if (error) return refuse(error)
          // Any of the params of a join may be a secret.
          trace(topic, "->", event, ref, isJoin ? Object.keys(given as object) : given)
          done(frame)
        })
      },
      (cause) =>
        refuse(
          isJoin
            ? paramsError(topic, cause)
            : new RollcallError("bad_payload", `${event} on ${topic}: ${String(cause)}`, { cause }),
        ),
    )
  }

  socket.encode = send
  socket.decode = (raw, done) => {
    const receive = (message: Message): void => {
      try {
        done(message)
      } finally {
        flow.received(message)
      }
    }
    // A refusal of ours. From the network come only strings and bytes.
    if ((raw as Partial<Message> | null)?.topic) return receive(raw as Message)
    let isMessage
    try {
      decode(raw, (message: Message) => {
        const { topic, event, ref, payload } = message
        // phoenix.js forgets a push, and then fails, if a reply has no status.
        isMessage = typeof (event === REPLY ? (payload as { status?: unknown } | null)?.status : event) === "string"
        if (!isMessage) throw event
        trace(topic, "<-", event, ref, payload)
        receive(message)
      })
    } catch (cause) {
      // The error of a callback is not the frame's.
      if (isMessage) throw cause
      report(new RollcallError("bad_frame", `expected a message, got ${String(cause)}`, { cause }))
    }
  }

  const flow: Flow = {
    trace,
    get maxBytes() {
      return Math.min(maxBytes, +limits.maxMessageBytes! || Infinity)
    },
    isFree,
    received({ event, ref }) {
      if (event === REPLY) end(ref)
    },
    limit(info) {
      limits = info?.limits ?? limits
    },
    closed(code) {
      waiting.clear()
      drain()
      forget()
      // An attempt that failed changes nothing.
      if (code && inFlight.size > 0) {
        // With these codes, the server closes a connection because of what the client sent. Only then may a room be closed.
        const isComplaint = code > DISCONNECTED && code < SERVICE_RESTART && code !== ABNORMAL
        const lost = [...inFlight.values()].flatMap(([sent]) =>
          isComplaint || sent.event !== JOIN ? [sent.payload] : [],
        )
        if (inFlight.size === 1 && suspects.has(lost[0])) convicted = [lost[0], code]
        suspects = new Set(lost)
        losses += isComplaint ? 2 : 1
      }
      inFlight.clear()
    },
  }
  return flow
}

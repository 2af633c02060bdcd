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
import { Serializer, type Codec, type Message, type Socket, type SocketOptions } from "./phoenix.ts"
import { toSendable } from "./pushes.ts"
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
  /**
   * The encoder and the decoder of the socket.
   *
   * A payload that is a function is called when it is sent: the params of a join, in which a token from before an outage may
   * have expired. A message that cannot be sent gets an error reply with a RollcallError as its response; phoenix.js tries a join
   * again later.
   */
  readonly codec: Codec
  /** Takes over the limits that the server announces, if there are any. */
  limit(info: ServerInfo | null | undefined): void
  received(message: Message): void
  /** @param code that with which the other side closed the connection; 0 if this side closed it */
  closed(code: number): void
}

/** Whether two messages are one that was sent twice. */
const isAgain = (a: Message, b: Message): boolean =>
  a.payload === b.payload && a.event === b.event && a.topic === b.topic

/**
 * Returns the flow of a socket.
 *
 * @param socket returns the socket
 * @param serializer what becomes its encoder and decoder. Default: phoenix.js's
 * @param maxBytes the size of the largest message that may be sent, in bytes, if the server announces no less
 * @param report receives an error for each received frame that is no message
 */
export function createFlow(
  socket: () => Socket,
  { encode, decode }: Pick<SocketOptions, keyof Codec>,
  timers: Clock,
  maxBytes: number,
  report: (error: RollcallError) => void,
  trace: Trace,
): Flow {
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
    const max = Math.max(1, limits.maxMessagesPerSecond! / 2 || Infinity)
    if (count < max && inFlight.size < (isCareful ? 1 : MAX_IN_FLIGHT)) return true
    waiting.set(key, retry)
    timer ??= timers.set(drain, RECHECK_MS)
    return false
  }

  /** A message is answered, or will not be sent. */
  const end = (ref: unknown): void => {
    waiting.delete(ref)
    const sent = inFlight.get(ref)
    if (!sent) return
    suspects = suspects.filter((suspect) => !isAgain(suspect, sent.message))
    remove(ref)
    drain()
  }

  const send = (message: Message, done: (frame: unknown) => void): void => {
    const { join_ref, ref, topic, event, payload } = message
    const refuse = (response: unknown): void => {
      trace(topic, "dropped", event, response)
      const data = { ...message, event: REPLY, payload: { status: "error", response } }
      // As if the server had sent it: phoenix.js has no other way.
      const deliver = (): void => socket().conn?.onmessage?.({ data })
      // Later, because the room of a first join is not complete yet.
      if (event === JOIN) queueMicrotask(deliver)
      else deliver()
    }
    const write = (body: unknown): void =>
      codec.encode({ ...message, payload: body }, (encoded: unknown) => {
        const frame = typeof encoded === "string" ? repairJson(encoded) : encoded
        const error = tooLarge(frame, flow.maxBytes, topic, event)
        if (error) return refuse(error)
        // Any of the params of a join may be a secret.
        trace(topic, "->", event, ref, event === JOIN ? Object.keys(body as object) : body)
        done(frame)
      })
    // If the join waits, it is withdrawn.
    if (event === LEAVE) end(join_ref)
    if (convicted && isAgain(convicted[0], message)) {
      const [, code] = convicted
      convicted = undefined
      const reason = `the connection closed twice after it, with code ${code}`
      return refuse(event === JOIN ? { reason, code } : new RollcallError("push_rejected", reason, { reason: code }))
    }
    if (event === JOIN && !isFree(ref, () => send(message, done))) return trace(topic, "join waits")
    if (join_ref && event !== LEAVE) {
      const ms = isCareful || event === JOIN ? SUSPECT_MS : IN_FLIGHT_MS
      inFlight.set(ref, { message, until: timers.now() + ms })
      count++
      // An application may push to phoenix.js's channels, which ask nobody.
      if (inFlight.size > 2 * MAX_IN_FLIGHT) forget()
    }
    if (typeof payload === "function") {
      whenGiven<unknown>(
        payload,
        (params) => {
          assertParams(params)
          write(toSendable(event, params))
        },
        (cause) => refuse(paramsError(topic, cause)),
      )
    } else {
      try {
        write(payload)
      } catch (cause) {
        refuse(new RollcallError("bad_payload", `${event} on ${topic}: ${String(cause)}`, { cause }))
      }
    }
  }

  const codec: Codec = {
    encode: encode ?? Serializer.encode.bind(Serializer),
    decode: decode ?? Serializer.decode.bind(Serializer),
  }
  const flow: Flow = {
    trace,
    get maxBytes() {
      return Math.min(maxBytes, +limits.maxMessageBytes! || Infinity)
    },
    isFree,
    codec: {
      encode: send,
      decode(raw, done) {
        // From the network come only strings and bytes.
        if ((raw as Partial<Message> | null)?.topic) return done(raw)
        let isMessage
        try {
          codec.decode(raw, (message: Message) => {
            const { topic, event, ref, payload } = message
            // phoenix.js forgets a push, and then fails, if a reply has no status.
            isMessage = typeof (event === REPLY ? (payload as { status?: unknown } | null)?.status : event) === "string"
            if (!isMessage) throw event
            trace(topic, "<-", event, ref, payload)
            done(message)
          })
        } catch (cause) {
          // The error of a callback is not the frame's.
          if (isMessage) throw cause
          report(new RollcallError("bad_frame", `expected a message, got ${String(cause)}`, { cause }))
        }
      },
    },
    limit(info) {
      limits = info?.limits ?? limits
    },
    received({ event, ref }) {
      if (event === REPLY) end(ref)
    },
    closed(code) {
      waiting.clear()
      drain()
      forget()
      // An attempt that failed changes nothing.
      if (code && inFlight.size > 0) {
        // With these codes, the server closes a connection because of what the client sent. Only then may a room be closed.
        const isComplaint = code > DISCONNECTED && code < SERVICE_RESTART && code !== ABNORMAL
        const lost = Array.from(inFlight.values(), ({ message }) => message).filter(
          ({ event }) => isComplaint || event !== JOIN,
        )
        const again = lost.find((message) => suspects.some((suspect) => isAgain(suspect, message)))
        if (again && inFlight.size === 1) convicted = [again, code]
        suspects = lost
        isCareful = hasLost || isComplaint
        hasLost = true
      }
      inFlight.clear()
    },
  }
  return flow
}

/** Bounds and paces what a connection sends, and finds the message because of which the server closes the connection. */
import type { Timers } from "../timers.ts"
import { HEARTBEAT_TOPIC, JOIN, REPLY } from "../wire/events.ts"
import { SERVER_INFO, type ServerInfo, type ServerLimits } from "../wire/introduction.ts"
import type { Message, Socket } from "./phoenix.ts"

/**
 * How many messages may have no reply yet. With 1400 at once, a server may close the connection with 1008; this many in each
 * round trip are no slower than all at once.
 */
const MAX_IN_FLIGHT = 100
/**
 * For how long a message without a reply counts as in flight, in milliseconds. Some messages never get a reply, and must not
 * hold up the others.
 */
const IN_FLIGHT_MS = 500
/** The same after a suspicious close, when the messages that may have caused it are sent one at a time. */
const SUSPECT_MS = 3000
/** The same for a join. It always gets a reply, unless phoenix.js gives it up after about this time. */
const JOIN_MS = 10_000
/** How often to look again whether something that waits may be sent, in milliseconds, if no reply comes. */
const RECHECK_MS = 100

type Sent = { readonly topic: string; readonly isJoin: boolean; readonly until: number }

/** Whether the server closes a connection with this code because of what the client sent. */
const isComplaint = (code: unknown): boolean => Number(code) > 1001 && Number(code) < 1012 && code !== 1006

export class Flow {
  /** What the server has announced. */
  limits: ServerLimits = {}
  readonly #timers: Timers
  readonly #maxBytes: number
  /** By their refs. */
  readonly #inFlight = new Map<unknown, Sent>()
  /** What waits, in order, by keys of any kind. */
  readonly #waiting = new Map<unknown, () => void>()
  #timer: unknown
  /** The count of the messages that were sent since `#countedFrom`, within one second. */
  #count = 0
  #countedFrom = -Infinity
  /** Whether the last connection closed with messages in flight. */
  #hasLost = false
  /** Whether messages are sent one at a time, until everything that waited is answered. */
  #isCareful = false
  #hasSent = false
  /** The topic whose join was alone in flight when the last connection closed. */
  #suspect: string | undefined
  /** The topics whose join was that twice in a row, with the code of the close. */
  readonly #convicted = new Map<string, unknown>()

  /** @param maxBytes the size of the largest message that may be sent, in bytes */
  constructor(timers: Timers, maxBytes: number) {
    this.#timers = timers
    this.#maxBytes = maxBytes
  }

  /** The size of the largest message that may be sent, in bytes. */
  get maxBytes(): number {
    return Math.min(this.#maxBytes, this.limits.maxMessageBytes ?? Infinity)
  }

  /** Whether one message is in flight, and no other. */
  get isAlone(): boolean {
    this.#forget()
    return this.#inFlight.size === 1
  }

  watch(socket: Socket): void {
    socket.onMessage((message) => {
      const { topic, event, ref, payload } = message as Message
      if (event === REPLY) this.end(ref)
      if (topic === HEARTBEAT_TOPIC && event === SERVER_INFO)
        this.limits = (payload as ServerInfo).limits ?? this.limits
    })
    socket.onClose((event) => this.#closed((event as { code?: unknown } | undefined)?.code))
  }

  /**
   * Returns whether one more message may be sent now. If not, calls `retry` when it may.
   *
   * @param key each key has one `retry` that waits
   */
  isFree(key: unknown, retry: () => void): boolean {
    if (this.#hasRoom()) return true
    this.#waiting.set(key, retry)
    this.#timer ??= this.#timers.set(() => {
      this.#timer = undefined
      this.#drain()
    }, RECHECK_MS)
    return false
  }

  sent({ ref, topic, event }: Message): void {
    const isJoin = event === JOIN
    const ms = isJoin ? JOIN_MS : this.#isCareful ? SUSPECT_MS : IN_FLIGHT_MS
    this.#inFlight.set(ref, { topic, isJoin, until: this.#timers.now() + ms })
    this.#count++
    this.#hasSent = true
    // An application may push to phoenix.js's channels without asking.
    if (this.#inFlight.size > 2 * MAX_IN_FLIGHT) this.#forget()
  }

  /** A message is answered, or will not be sent. */
  end(ref: unknown): void {
    this.#waiting.delete(ref)
    const sent = this.#inFlight.get(ref)
    if (!sent) return
    this.#inFlight.delete(ref)
    if (sent.isJoin && sent.topic === this.#suspect) this.#suspect = undefined
    this.#drain()
  }

  /**
   * Returns the code with which the connection closed twice in a row while the join of this topic was alone in flight. Such a
   * join must not be sent again. Forgets it.
   */
  takeConviction(topic: string): unknown {
    const code = this.#convicted.get(topic)
    this.#convicted.delete(topic)
    return code
  }

  #drain(): void {
    for (const [key, retry] of Array.from(this.#waiting)) {
      if (this.#waiting.get(key) !== retry) continue
      if (!this.#hasRoom()) return void this.isFree(key, retry)
      this.#waiting.delete(key)
      retry()
    }
    this.#hasRoom()
  }

  #hasRoom(): boolean {
    this.#forget()
    if (this.#hasSent && this.#inFlight.size + this.#waiting.size === 0) this.#isCareful = this.#hasLost = false
    const now = this.#timers.now()
    if (now - this.#countedFrom >= 1000) {
      this.#countedFrom = now
      this.#count = 0
    }
    // Half, because the server's second may contain the end of one of these seconds and the beginning of the next.
    const max = (this.limits.maxMessagesPerSecond ?? Infinity) / 2
    return this.#inFlight.size < (this.#isCareful ? 1 : MAX_IN_FLIGHT) && this.#count < Math.max(max, 1)
  }

  #forget(): void {
    const now = this.#timers.now()
    for (const [ref, { until }] of this.#inFlight) if (until <= now) this.#inFlight.delete(ref)
  }

  #closed(code: unknown): void {
    this.#waiting.clear()
    this.#timers.clear(this.#timer)
    this.#timer = undefined
    this.#forget()
    // So it is for an attempt that failed, too, which changes nothing.
    if (this.#inFlight.size === 0) return
    const [{ topic, isJoin }] = this.#inFlight.values() as unknown as [Sent]
    const suspect = isJoin && this.isAlone && isComplaint(code) ? topic : undefined
    const isConvicted = suspect !== undefined && suspect === this.#suspect
    if (isConvicted) this.#convicted.set(topic, code)
    this.#suspect = isConvicted ? undefined : suspect
    this.#isCareful = this.#hasLost || isComplaint(code)
    this.#hasLost = true
    this.#hasSent = false
    this.#inFlight.clear()
  }
}

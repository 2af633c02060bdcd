import type { Data } from "../../../wire/message.ts"
import { andThen } from "../../awaitable.ts"
import type { Awaitable } from "../../awaitable.ts"
import { withDeadline } from "../../deadline.ts"
import type { Endpoint, Frame, Inlet, Outlet } from "../../transport.ts"
import type { WheelItem } from "../timer-wheel.ts"

/**
 * The status in the answer to a poll or a post. 200: success. 204: no message came within the window. 408: a join in the post
 * took longer than the window, or the post ended the session. 410: the session does not exist any more.
 */
export type SessionStatus = 200 | 204 | 408 | 410

/**
 * Answers one poll: 200 with messages (oldest first), 204 without messages, or 410. Returns whether the answer was delivered to
 * the client, or a promise of that. Messages that were not delivered are kept for the next poll.
 */
export type AnswerPoll = (status: SessionStatus, messages: readonly string[]) => Awaitable<boolean>

/** The operations of a session that its client's requests use. The session lives on this node or on another one. */
export interface PolledSession {
  readonly id: string
  /** Set while messages of a post wait to be handled; resolves when they have been. The next post must not be read before. */
  readonly crowded: Promise<unknown> | undefined
  /**
   * Answers with the queued messages: now if there are any, otherwise when the first one is sent. If several polls wait,
   * only the latest is answered. Returns a function that cancels the poll.
   */
  poll(answer: AnswerPoll): () => void
  /** Receives the messages of a post, and returns the status for its answer. */
  post(messages: readonly Data[]): Awaitable<SessionStatus>
}

/** The listener of a session's polls and of its end. */
export interface SessionListener {
  onPoll(session: LongPollSession): void
  /** Called exactly once. */
  onEnd(session: LongPollSession): void
}

/** A connection over long poll. It queues the messages that are sent between two polls. */
export class LongPollSession implements Outlet, PolledSession, WheelItem {
  readonly id: string
  slot: Set<WheelItem> | undefined
  #inlet: Inlet | undefined
  #queue: string[] = []
  /** The bytes of all messages that are queued or being delivered. */
  #bufferedBytes = 0
  #poll: { readonly answer: AnswerPoll } | undefined
  /**
   * True while messages are being delivered. If the delivery fails, they return to the queue. So later messages must wait, or they
   * would overtake them.
   */
  #isDelivering = false
  #hasEnded = false

  readonly #endpoint: Endpoint
  readonly #listener: SessionListener

  constructor(endpoint: Endpoint, id: string, listener: SessionListener) {
    this.#endpoint = endpoint
    this.id = id
    this.#listener = listener
  }

  get crowded(): Promise<void> | undefined {
    return this.#inlet?.crowded
  }

  /** Sets the inlet. It is not a constructor argument because the inlet is created with the session as its outlet. */
  open(inlet: Inlet): void {
    this.#inlet = inlet
  }

  send({ data }: Frame): void {
    if (this.#hasEnded) return
    const { limits, count } = this.#endpoint
    if (typeof data !== "string") {
      count("undeliverable")
      return
    }
    if (this.#bufferedBytes > limits.maxBufferedBytes) {
      count("slow_consumers")
      this.close()
      // Deferred, because this may run during a broadcast, and a socket that ends removes subscribers of that broadcast.
      queueMicrotask(() => this.#inlet?.closed())
      return
    }
    const size = Buffer.byteLength(data)
    count("frames_out")
    count("bytes_out", size)
    this.#queue.push(data)
    this.#bufferedBytes += size
    this.#deliver()
  }

  /** Ends the session. A waiting poll is answered with 204; the client's next request is answered with 410. */
  close(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#queue = []
    this.#listener.onEnd(this)
    const poll = this.#poll
    this.#poll = undefined
    void poll?.answer(204, [])
  }

  /** Ends the session as if its client had disconnected. */
  expire(): void {
    this.close()
    this.#inlet?.closed()
  }

  /**
   * Receives messages. If they include a slow join, the status is delayed until the join is answered, for a window at most, so
   * that the client's next poll finds that answer. The status is 408 after that window. It is also 408 when the session has
   * ended because the socket could not parse one of the messages.
   */
  post(messages: readonly Data[]): Awaitable<SessionStatus> {
    for (const message of messages) {
      this.#endpoint.count("bytes_in", Buffer.byteLength(message))
      this.#inlet?.receive(message)
    }
    const status = (): SessionStatus => (this.#hasEnded ? 408 : 200)
    const busy = this.#inlet?.busy
    if (this.#hasEnded || busy === undefined) return status()
    const { timers, limits } = this.#endpoint
    const limit = { ms: limits.longPollWindowMs, timers, code: "handler_timeout", expected: "a join to be answered" }
    return withDeadline(busy, limit).then(status, () => 408)
  }

  poll(answer: AnswerPoll): () => void {
    const poll = { answer }
    this.#poll = poll
    this.#listener.onPoll(this)
    this.#deliver()
    return () => {
      if (this.#poll === poll) this.#poll = undefined
    }
  }

  #deliver(): void {
    if (this.#poll === undefined || this.#queue.length === 0 || this.#isDelivering || this.#hasEnded) return
    const { answer } = this.#poll
    const [messages, size] = [this.#queue, this.#bufferedBytes]
    this.#poll = undefined
    this.#queue = []
    this.#isDelivering = true
    void andThen(answer(200, messages), (isDelivered) => {
      this.#isDelivering = false
      if (isDelivered) this.#bufferedBytes -= size
      else this.#queue = messages.concat(this.#queue)
      this.#deliver()
    })
  }
}

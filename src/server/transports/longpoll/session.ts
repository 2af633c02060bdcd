import type { Data } from "../../../wire/message.ts"
import { whenever } from "../../awaitable.ts"
import type { Awaitable } from "../../awaitable.ts"
import type { Endpoint, Frame, Inlet, Outlet } from "../../transport.ts"
import { withDeadline } from "../../deadline.ts"
import type { Watched } from "../timer-wheel.ts"

/** What a client is told of its session: all is well, nothing has come, it ended by what was posted, it is gone. */
export type SessionStatus = 200 | 204 | 408 | 410

/**
 * Answers one poll: 200 with messages, oldest first, 204 without any, or 410. Returns whether somebody was there to take
 * the answer, as soon as that is known: messages that nobody took are kept.
 */
export type AnswerPoll = (status: SessionStatus, messages: readonly string[]) => Awaitable<boolean>

/** A session as its client's requests see it, on whichever node it lives. */
export interface PolledSession {
  /**
   * Answers with what is waiting, at once or as soon as there is something; the latest poll is served. Returns what is
   * to be called when nobody waits for the answer any more.
   */
  poll(answer: AnswerPoll): () => void
  /** Takes in what the client has posted; the status is for its answer. */
  post(messages: readonly Data[]): Awaitable<SessionStatus>
}

/** Who keeps the sessions of a node. */
export interface SessionKeeper {
  /** A client has asked: its session lives. */
  polled(session: LongPollSession): void
  /** Called once, when a session has ended. */
  ended(session: LongPollSession): void
}

/** A connection that a client holds by asking again and again: what is sent between two polls waits here. */
export class LongPollSession implements Outlet, PolledSession, Watched {
  readonly id: string
  slot: Set<Watched> | undefined
  #inlet: Inlet | undefined
  #waiting: string[] = []
  #size = 0
  #poll: { readonly answer: AnswerPoll } | undefined
  /** Messages have been given away, and it is not known whether they were taken. What comes after them waits. */
  #isGiving = false
  #ended = false

  readonly #endpoint: Endpoint
  readonly #keeper: SessionKeeper

  constructor(endpoint: Endpoint, id: string, keeper: SessionKeeper) {
    this.#endpoint = endpoint
    this.id = id
    this.#keeper = keeper
  }

  /** Gives the session its way in. */
  open(inlet: Inlet): void {
    this.#inlet = inlet
  }

  send({ data }: Frame): void {
    if (this.#ended) return
    const { limits, count } = this.#endpoint
    if (typeof data !== "string") {
      count("undeliverable")
      return
    }
    if (this.#size > limits.maxBufferedBytes) {
      count("slow_consumers")
      this.close()
      // Not within the broadcast that was one too many: ending a socket changes who is in its topics.
      queueMicrotask(() => this.#inlet?.closed())
      return
    }
    count("frames_out")
    count("bytes_out", Buffer.byteLength(data))
    this.#waiting.push(data)
    this.#size += data.length
    this.#deliver()
  }

  /** A poll that waits is told that there is nothing; the next one learns that the session is gone. */
  close(): void {
    if (this.#ended) return
    this.#ended = true
    this.#waiting = []
    this.#keeper.ended(this)
    const poll = this.#poll
    this.#poll = undefined
    void poll?.answer(204, [])
  }

  /** Ends the session from the client's side: it has not been heard of for too long, or cannot go on. */
  expire(): void {
    this.close()
    this.#inlet?.closed()
  }

  /**
   * Waits until a join among the messages has been answered, a window at most: a poll is to find the answer. What a socket
   * ends by is a frame that it could not read; a client takes that status for a failure, too.
   */
  post(messages: readonly Data[]): Awaitable<SessionStatus> {
    for (const message of messages) {
      this.#endpoint.count("bytes_in", Buffer.byteLength(message))
      this.#inlet?.receive(message)
    }
    const status = (): SessionStatus => (this.#ended ? 408 : 200)
    const busy = this.#inlet?.busy
    if (this.#ended || busy === undefined) return status()
    const { timers, limits } = this.#endpoint
    const limit = { ms: limits.longPollWindowMs, timers, code: "handler_timeout", expected: "a join to be answered" }
    return withDeadline(busy, limit).then(status, () => 408)
  }

  poll(answer: AnswerPoll): () => void {
    const poll = { answer }
    this.#poll = poll
    this.#keeper.polled(this)
    this.#deliver()
    return () => {
      if (this.#poll === poll) this.#poll = undefined
    }
  }

  #deliver(): void {
    if (this.#poll === undefined || this.#waiting.length === 0 || this.#isGiving || this.#ended) return
    const { answer } = this.#poll
    const [messages, size] = [this.#waiting, this.#size]
    this.#poll = undefined
    this.#waiting = []
    this.#isGiving = true
    void whenever(answer(200, messages), (isTaken) => {
      this.#isGiving = false
      if (isTaken) this.#size -= size
      else this.#waiting = messages.concat(this.#waiting)
      this.#deliver()
    })
  }
}

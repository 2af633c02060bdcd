import type { Data } from "../../wire/message.ts"
import type { Endpoint, Frame, Inlet, Outlet } from "../transport.ts"

/** Answers one poll: 200 with messages, oldest first, or 204 without any. */
export type AnswerPoll = (status: 200 | 204, messages: readonly string[]) => void

/** A connection that a client holds by asking again and again: what is sent between two polls waits here. */
export class LongPollSession implements Outlet {
  readonly id: string
  #inlet: Inlet | undefined
  #waiting: string[] = []
  #size = 0
  #poll: { readonly answer: AnswerPoll } | undefined
  #ended = false

  readonly #endpoint: Endpoint
  readonly #forget: (session: LongPollSession) => void

  /** @param forget called once, when the session has ended */
  constructor(endpoint: Endpoint, id: string, forget: (session: LongPollSession) => void) {
    this.#endpoint = endpoint
    this.id = id
    this.#forget = forget
  }

  get ended(): boolean {
    return this.#ended
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
    if (this.#size + data.length > limits.maxBufferedBytes) {
      count("slow_consumers")
      this.close()
      // Not within the broadcast that was one too many: ending a socket changes who is in its topics.
      queueMicrotask(() => this.#inlet?.closed())
      return
    }
    count("frames_out")
    this.#waiting.push(data)
    this.#size += data.length
    this.#deliver()
  }

  /** A poll that waits is told that there is nothing; the next one learns that the session is gone. */
  close(): void {
    if (this.#ended) return
    this.#ended = true
    this.#waiting = []
    this.#forget(this)
    const poll = this.#poll
    this.#poll = undefined
    poll?.answer(204, [])
  }

  /** Ends the session from the client's side: it has not been heard of for too long. */
  expire(): void {
    this.close()
    this.#inlet?.closed()
  }

  receive(data: Data): void {
    this.#inlet?.receive(data)
  }

  /** What the messages received so far wait for, if anything. */
  get busy(): Promise<void> | undefined {
    return this.#inlet?.busy
  }

  /**
   * Answers with what is waiting, at once or as soon as there is something; the latest poll is served. Returns what is
   * to be called when nobody waits for the answer any more.
   */
  poll(answer: AnswerPoll): () => void {
    const poll = { answer }
    this.#poll = poll
    this.#deliver()
    return () => {
      if (this.#poll === poll) this.#poll = undefined
    }
  }

  #deliver(): void {
    if (this.#poll === undefined || this.#waiting.length === 0) return
    const [{ answer }, messages] = [this.#poll, this.#waiting]
    this.#poll = undefined
    this.#waiting = []
    this.#size = 0
    answer(200, messages)
  }
}

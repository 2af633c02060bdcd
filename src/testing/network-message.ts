import type { Timeline, TimelineEvent } from "./timeline.ts"

/**
 * One message from one node of a `SeededNetwork` to another. A message to all nodes is one for each node, and a message that
 * arrives twice is two. All times are virtual, in ms.
 */
export interface NetworkMessage {
  /** 1 for the first message of the network, 2 for the second. */
  readonly id: number
  readonly from: string
  readonly to: string
  readonly topic: string
  readonly bytes: Uint8Array
  readonly sentAt: number
  /** When it arrives; `undefined` if it was lost when it was sent. */
  readonly arrivesAt: number | undefined
  readonly state: "underway" | "arrived" | "lost"
  /** Loses the message, if it is still under way. */
  lose(): void
  /** Lets the message arrive now, if it is still under way: at the next `run`, whatever was sent before it. */
  hurry(): void
  /** Sends the message once more, if it is still under way: the second one arrives `ms` after the first. */
  repeat(ms: number): void
}

/** Called with a message when it is sent, and again when it has arrived or is lost. */
export type OnMessage = (message: NetworkMessage) => void

/** The fields of a message that its sender determines. */
export type Sent = Pick<NetworkMessage, "from" | "to" | "topic" | "bytes">

/** The way of a message to its receiver. */
export interface Link {
  /** Returns whether sender and receiver are on one side of a split. */
  isOpen(): boolean
  deliver(bytes: Uint8Array): void
}

/** All messages of a network, from their sending on. */
export class Messages {
  readonly #timeline: Timeline
  readonly #onMessage: OnMessage
  #count = 0

  constructor(timeline: Timeline, onMessage: OnMessage = () => {}) {
    this.#timeline = timeline
    this.#onMessage = onMessage
  }

  /** Sends a message, which arrives at a point of time, or is lost without one. */
  send(sent: Sent, link: Link, arrivesAt: number | undefined): void {
    const id = (this.#count += 1)
    const sentAt = this.#timeline.now
    let event: TimelineEvent | undefined
    const message: Mutable<NetworkMessage> = {
      id,
      ...sent,
      sentAt,
      arrivesAt,
      state: arrivesAt === undefined ? "lost" : "underway",
      lose: () => {
        if (message.state !== "underway") return
        cancel(event)
        message.state = "lost"
        this.#onMessage(message)
      },
      hurry: () => {
        if (message.state !== "underway") return
        cancel(event)
        schedule(this.#timeline.now)
        this.#onMessage(message)
      },
      repeat: (ms) => {
        if (message.state === "underway" && message.arrivesAt !== undefined)
          this.send(sent, link, message.arrivesAt + ms)
      },
    }
    const schedule = (at: number): void => {
      message.arrivesAt = at
      event = this.#timeline.add(() => {
        message.state = link.isOpen() ? "arrived" : "lost"
        // Before the receiver answers, which sends further messages.
        this.#onMessage(message)
        if (message.state === "arrived") link.deliver(message.bytes)
      }, at)
    }
    if (arrivesAt !== undefined) schedule(arrivesAt)
    this.#onMessage(message)
  }
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

function cancel(event: TimelineEvent | undefined): void {
  if (event !== undefined) event.run = undefined
}

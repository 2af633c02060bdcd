import { encodeBody } from "../../wire/message.ts"
import type { Body, Serializer } from "../../wire/message.ts"
import type { Frame } from "../transport.ts"

/** A channel as the fastlane sees it: how to write to its client, and which events it wants to handle itself. */
export interface Subscriber {
  readonly serializer: Serializer
  /** Whether the channel has an `out` handler for this event. */
  intercepts(event: string): boolean
  /** Hands an intercepted broadcast to the channel. */
  intercept(event: string, payload: unknown): void
  /** Writes to the client, past the channel. */
  write(frame: Frame | undefined): void
}

/**
 * From a broadcast to the sockets: topic → local channels (P17).
 *
 * A payload is encoded once for each protocol version that has a listener, and the same frame goes to all of them.
 */
export class Fastlane {
  readonly #topics = new Map<string, Set<Subscriber>>()
  #channels = 0

  /** How many channels all topics have here. */
  get channels(): number {
    return this.#channels
  }

  /** How many topics have a channel here. */
  get topics(): number {
    return this.#topics.size
  }

  /** Adds a channel, once. */
  add(topic: string, subscriber: Subscriber): void {
    const subscribers = this.#topics.get(topic) ?? new Set()
    this.#topics.set(topic, subscribers.add(subscriber))
    this.#channels += 1
  }

  remove(topic: string, subscriber: Subscriber): void {
    const subscribers = this.#topics.get(topic)
    if (subscribers?.delete(subscriber) !== true) return
    this.#channels -= 1
    if (subscribers.size === 0) this.#topics.delete(topic)
  }

  /** @param message with the payload's encoding, if there is one already: from another node it comes as it is */
  broadcast(
    topic: string,
    event: string,
    message: { readonly payload: unknown; readonly body?: Body },
    skip?: (subscriber: Subscriber) => boolean,
  ): void {
    const subscribers = this.#topics.get(topic)
    if (subscribers === undefined) return
    const { payload, body = encodeBody(payload) } = message
    const frames = new Map<Serializer, Frame | undefined>()
    for (const subscriber of subscribers) {
      if (skip?.(subscriber)) continue
      if (subscriber.intercepts(event)) {
        subscriber.intercept(event, payload)
        continue
      }
      const { serializer } = subscriber
      if (!frames.has(serializer)) {
        const data = serializer.broadcast(topic, event, body)
        frames.set(serializer, data === undefined ? undefined : { data })
      }
      subscriber.write(frames.get(serializer))
    }
  }
}

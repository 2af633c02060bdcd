import type { Serializer } from "../../wire/message.ts"
import type { Payload } from "../../wire/payload.ts"
import type { Frame } from "../transport.ts"

/** The part of a channel that the fastlane uses: it writes to the client, and intercepts events that have an `out` handler. */
export interface Subscriber {
  readonly serializer: Serializer
  /** Whether the channel has an `out` handler for this event. */
  intercepts(event: string): boolean
  /** Passes an intercepted broadcast to the channel's `out` handler. */
  intercept(event: string, payload: unknown): void
  /** Writes a frame to the client without involving the channel; counts an `undefined` one as undeliverable. */
  write(frame: Frame | undefined): void
}

/**
 * Sends broadcasts to the sockets of this node: topic → local channels (P17).
 *
 * A payload is encoded once for each serializer with a client in the topic. All clients of a serializer get the same frame.
 */
export class Fastlane {
  readonly #topics = new Map<string, Set<Subscriber>>()
  #channels = 0

  /** The number of channels of all topics on this node. */
  get channels(): number {
    return this.#channels
  }

  /** The number of topics with a channel on this node. */
  get topics(): number {
    return this.#topics.size
  }

  /** Adds a channel. Call it once for each channel. */
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

  /**
   * Sends an event to every channel of a topic, except for those that `skip` selects.
   * @throws the error of a serializer that cannot encode the payload; SyntaxError when an `out` handler needs the value of a
   * payload from another node, and its text is not JSON
   */
  broadcast(topic: string, event: string, payload: Payload, skip?: (subscriber: Subscriber) => boolean): void {
    const subscribers = this.#topics.get(topic)
    if (subscribers === undefined) return
    const frames = new Map<Serializer, Frame | undefined>()
    for (const subscriber of subscribers) {
      if (skip?.(subscriber)) continue
      if (subscriber.intercepts(event)) {
        subscriber.intercept(event, payload.value)
        continue
      }
      const { serializer } = subscriber
      if (!frames.has(serializer)) {
        const data = serializer.broadcast(topic, event, payload)
        frames.set(serializer, data === undefined ? undefined : { data })
      }
      subscriber.write(frames.get(serializer))
    }
  }
}

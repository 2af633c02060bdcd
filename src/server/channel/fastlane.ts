import { guard } from "../../listeners.ts"
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
  /** Ends the channel for an event that its client must get and cannot be written. */
  fail(event: string, error: unknown): void
}

type Skip = (subscriber: Subscriber) => boolean
type Failed = (subscriber: Subscriber, error: unknown) => void

/** Takes the place of a frame for which the serializer has thrown. */
class Unwritten {
  readonly error: unknown

  constructor(error: unknown) {
    this.error = error
  }
}

function encode(serializer: Serializer, topic: string, event: string, payload: Payload): Frame | Unwritten | undefined {
  try {
    const data = serializer.broadcast(topic, event, payload)
    return data === undefined ? undefined : { data }
  } catch (error) {
    return new Unwritten(error)
  }
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

  /** Returns whether a topic has a channel on this node. */
  has(topic: string): boolean {
    return this.#topics.has(topic)
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
   * Sends an event to every channel of a topic, except for those that `skip` selects. When a serializer throws for the
   * payload, the clients of the other serializers still get it.
   * @throws the error of a serializer that cannot encode the payload; SyntaxError when an `out` handler needs the value of a
   * payload from another node, and its text is not JSON
   */
  broadcast(topic: string, event: string, payload: Payload, skip?: Skip): void {
    let failure: { readonly error: unknown } | undefined
    this.#send(topic, event, payload, skip, (_, error) => (failure ??= { error }))
    if (failure !== undefined) throw failure.error
  }

  /**
   * Sends an event without which a client would show for ever what is no longer true. A channel whose serializer throws for
   * the payload ends with an error, and its client joins again.
   */
  broadcastOrFail(topic: string, event: string, payload: Payload, skip: Skip): void {
    this.#send(topic, event, payload, skip, (subscriber, error) => subscriber.fail(event, error))
  }

  #send(topic: string, event: string, payload: Payload, skip: Skip | undefined, failed: Failed): void {
    const subscribers = this.#topics.get(topic)
    if (subscribers === undefined) return
    const frames = new Map<Serializer, Frame | Unwritten | undefined>()
    let serializer: Serializer | undefined
    let frame: Frame | Unwritten | undefined
    for (const subscriber of subscribers) {
      if (skip?.(subscriber)) continue
      if (subscriber.intercepts(event)) {
        guard(
          (error) => failed(subscriber, error),
          () => subscriber.intercept(event, payload.value),
        )
        continue
      }
      // Nearly all channels of a topic have the same serializer: a map lookup for each of them would be wasted.
      if (subscriber.serializer !== serializer) {
        serializer = subscriber.serializer
        if (!frames.has(serializer)) frames.set(serializer, encode(serializer, topic, event, payload))
        frame = frames.get(serializer)
      }
      if (frame instanceof Unwritten) failed(subscriber, frame.error)
      else subscriber.write(frame)
    }
  }
}

import { PRESENCE_DIFF, PRESENCE_STATE } from "../../wire/events.ts"
import { PRESENCE_COUNT } from "../../wire/introduction.ts"
import type { Data } from "../../wire/message.ts"
import { Payload } from "../../wire/payload.ts"
import type { ChannelPresence, CountReceiver, StateReceiver } from "./server-context.ts"

/** The channel that an outbox belongs to. */
export interface OutboxOwner extends StateReceiver, CountReceiver {
  readonly joinRef: unknown
  isCounting: boolean
}

/** A push that is held: an encoded message, or the event for the topic's state, which is read when it is sent. */
type HeldPush = { readonly data: Data | undefined; readonly event: string } | { readonly stateEvent: string }

/**
 * The pushes of one channel to its client, in order.
 *
 * A topic's state is held while a diff of the topic is being collected, and so is every later push. That diff omits presences
 * that joined and left inside its window: a client that got the state between the two would show such a user for ever.
 */
export class Outbox {
  readonly #owner: OutboxOwner
  readonly #presence: ChannelPresence
  #held: HeldPush[] | undefined
  #hasState = false
  readonly #countField: string

  /** @param countField the field by which the client asked to count, or `""`; `undefined` if it asked for users */
  constructor(owner: OutboxOwner, presence: ChannelPresence, countField?: string) {
    this.#owner = owner
    this.#presence = presence
    this.#countField = countField ?? ""
    owner.isCounting = countField !== undefined && !owner.intercepts(PRESENCE_DIFF)
  }

  /** Whether a `presence_state` has been pushed. */
  get hasState(): boolean {
    return this.#hasState
  }

  /** Returns whether a message is held behind a state that may contain an older one: a state made by hand, or any message if `isRead`. */
  holdsOlderState(isRead: boolean): boolean {
    return this.#held?.some((push) => "data" in push && (isRead || push.event === PRESENCE_STATE)) === true
  }

  /**
   * Sends an event, or holds it behind a held state.
   * @throws RollcallError `bad_payload`; TypeError when the payload is not a JSON value
   */
  push(event: string, payload: unknown): void {
    const { joinRef, serializer, topic } = this.#owner
    // A snapshot is replaced by the state at the time of sending. To keep it would cost a copy of all users for each joiner.
    if (this.#presence.isState(topic, payload)) {
      this.pushState(event)
      return
    }
    // Encoded before it is held, so that the caller gets the error of a payload that cannot be encoded.
    const data = serializer.push(joinRef, topic, event, Payload.of(payload))
    if (event === PRESENCE_STATE) this.#hasState = true
    if (this.#held === undefined) this.#send(data)
    else this.#held.push({ data, event })
  }

  /**
   * Sends the topic's state as it is now, or holds it until the pending diff of the topic is sent. A client that asked for counts
   * gets them in its place.
   */
  pushState(event: string = PRESENCE_STATE): void {
    if (event === PRESENCE_STATE) this.#hasState = true
    if (event === PRESENCE_STATE && this.#owner.isCounting) return this.#sendCount()
    if (this.#held === undefined && this.#presence.hold(this.#owner)) this.#held = []
    if (this.#held === undefined) this.#sendState(event)
    else this.#held.push({ stateEvent: event })
  }

  /**
   * Sends the held pushes after the pending diff was sent. If the next diff is already pending, a state waits for that one.
   *
   * A state with messages behind it does not wait: the messages may contain what the application had read before, so this
   * client must get the next diff. The state is then sent as if the application had read it.
   *
   * @param isInside whether the state must not wait either, because the window that is open takes long
   */
  release(isInside = false): void {
    const held = this.#takeHeld()
    const isNow = isInside || held.some((push) => "data" in push)
    if (isNow) this.#presence.observe(this.#owner.topic)
    for (const push of held) {
      if ("data" in push) this.#send(push.data)
      else if (isNow) this.#sendState(push.stateEvent)
      else this.pushState(push.stateEvent)
    }
  }

  /** Sends the held pushes without waiting: the channel ends, so its client gets no further diff that could contradict them. */
  flush(): void {
    for (const push of this.#takeHeld()) {
      if ("stateEvent" in push) this.#sendState(push.stateEvent)
      else this.#send(push.data)
    }
  }

  /** Drops the held pushes, and sends no further counts. */
  clear(): void {
    this.#held = undefined
    if (this.#owner.isCounting) this.#presence.removeCounting(this.#owner)
  }

  #takeHeld(): readonly HeldPush[] {
    const held = this.#held ?? []
    this.#held = undefined
    return held
  }

  /** A count need not wait for the pending diff: the next count replaces it. */
  #sendCount(): void {
    const { joinRef, serializer, topic } = this.#owner
    const count = this.#presence.addCounting(this.#owner, this.#countField)
    this.#send(serializer.push(joinRef, topic, PRESENCE_COUNT, count))
  }

  #sendState(event: string): void {
    const { joinRef, serializer, topic } = this.#owner
    const state = this.#presence.state(topic)
    const envelope = serializer.around?.(joinRef, topic, event)
    if (envelope === undefined) {
      this.#send(serializer.push(joinRef, topic, event, state))
      return
    }
    const [before, after] = envelope
    this.#owner.write({ data: before + state.json + after, parts: [before, state, after] })
  }

  #send(data: Data | undefined): void {
    this.#owner.write(data === undefined ? undefined : { data })
  }
}

/**
 * The channel that consecutive rooms of one topic share. It creates and joins a channel of phoenix.js when the gate permits
 * it, and joins once more if another join of the topic was open at the same time.
 */
import type { Undo } from "../listeners.ts"
import type { Flow } from "./flow.ts"
import type { JoinGate } from "./join-gate.ts"
import type { Channel } from "./phoenix.ts"
import type { Reason } from "./reason.ts"
import type { ChannelLike } from "./sync.ts"

type Callback = Parameters<ChannelLike["on"]>[1]

/** What can happen to a channel and its join. A join that is sent again can have another outcome. */
export type ChannelEvents = {
  ok(response: unknown): void
  error(response: unknown): void
  timeout(): void
  /** The connection broke, or the channel crashed. It joins again. */
  broken(detail: unknown): void
  /** The server closed the channel. */
  closed(detail: unknown): void
  /** The connection may be dead, for this reason; `undefined`: it is not. */
  doubted(reason: Reason | undefined): void
}

export class RoomChannel implements ChannelLike {
  readonly topic: string
  readonly #gate: JoinGate
  readonly #timeout: number | undefined
  readonly #create: (sending: () => void) => Channel
  readonly #bindings = new Map<
    number,
    { readonly event: string; readonly callback: Callback; ref?: number | undefined }
  >()
  #count = 0
  #channel: Channel | undefined
  /** The ref of the last join that was sent. phoenix.js forgets it when the join times out. */
  #ref: string | undefined
  #isClean = true
  #response: unknown
  #events: ChannelEvents | undefined
  #withdraw: Undo | undefined

  /**
   * @param timeout how long a join waits for its reply, in milliseconds
   * @param create creates a channel that calls `sending` whenever it sends its join
   */
  constructor(gate: JoinGate, topic: string, timeout: number | undefined, create: (sending: () => void) => Channel) {
    this.#gate = gate
    this.topic = topic
    this.#timeout = timeout
    this.#create = create
  }

  get state(): Channel["state"] {
    return this.#channel?.state ?? "joining"
  }

  /** What the connection has in flight. */
  get flow(): Flow {
    return this.#gate.flow
  }

  get bindings(): unknown {
    return this.#channel?.bindings
  }

  joinRef(): string | null {
    return this.#channel?.joinRef() ?? null
  }

  on(event: string, callback: Callback): number {
    this.#bindings.set(++this.#count, { event, callback, ref: this.#channel?.on(event, callback) })
    return this.#count
  }

  off(event: string, binding: number): void {
    // With `undefined` for a ref, phoenix.js would remove all callbacks of the event.
    this.#channel?.off(event, this.#bindings.get(binding)?.ref ?? -1)
    this.#bindings.delete(binding)
  }

  /** Joins as soon as no former join of the topic is open. A later call takes over the join and its outcome. */
  join(events: ChannelEvents): void {
    this.#events = events
    if (this.state === "joined") events.ok(this.#response)
    else if (!this.#withdraw) this.#wait()
    if (this.#gate.held) events.broken(this.#gate.held)
  }

  /** The connection may be dead, for this reason; `undefined`: it is not. */
  doubt(reason: Reason | undefined): void {
    this.#events!.doubted(reason)
  }

  /** Removes all callbacks, before another room takes over. */
  unbind(): void {
    for (const { event, ref } of this.#bindings.values()) this.#channel?.off(event, ref)
    this.#bindings.clear()
  }

  /** The channel of phoenix.js to push to. There is one as soon as the join is sent. */
  get pushable(): Channel {
    return this.#channel!
  }

  /** Leaves the channel, or cancels the waiting join. */
  leave(): void {
    this.#withdraw?.()
    const channel = this.#channel
    if (!channel) return
    this.#channel = undefined
    for (const { event, ref } of this.#bindings.values()) channel.off(event, ref)
    if (channel.state.startsWith("join")) this.#gate.left(this.topic, this.#ref)
    channel.leave()
  }

  /** The connection has ended for a reason that phoenix.js does not know. @param event `closed` if it is not opened again */
  interrupt(detail: unknown, event: "broken" | "closed"): void {
    this.#events![event](detail)
    if (event === "closed") this.leave()
  }

  /** To be called once there is a view. If it may contain diffs of another join, leaves and joins once more. */
  ensureClean(): void {
    if (this.#isClean) return
    this.#isClean = true
    this.leave()
    this.#events!.broken({ source: "transport", reason: "overlapping joins" })
    this.#wait()
  }

  #wait(): void {
    this.#withdraw = this.#gate.whenClear(this.topic, () => this.#open())
  }

  #open(): void {
    const { topic } = this
    const gate = this.#gate
    const channel = this.#create(() => {
      this.#ref = channel.joinRef()!
      this.#isClean = gate.isAlone(topic, this.#ref)
    })
    this.#channel = channel
    const on =
      (what: Exclude<keyof ChannelEvents, "doubted">) =>
      (detail: unknown): void => {
        if (this.#channel !== channel || (gate.held && (what === "broken" || what === "timeout"))) return
        this.#response = detail
        // The join of a channel that the application made is seen only by its reply.
        if (what === "ok") this.#isClean &&= gate.isAlone(topic, this.#ref)
        // phoenix.js has left, and joins again without waiting for the end.
        if (what === "timeout") gate.left(topic, this.#ref)
        this.#events![what](detail)
      }
    for (const binding of this.#bindings.values()) binding.ref = channel.on(binding.event, binding.callback)
    channel.onError(on("broken"))
    channel.onClose(on("closed"))
    const push = channel.join(this.#timeout)
    for (const what of ["ok", "error", "timeout"] as const) push.receive(what, on(what))
  }
}

/**
 * The channel of a room: phoenix.js's, created and joined when the gate lets it, replaced where its join was not a clean one,
 * and handed on from a room that was left to the next one.
 */
import { ERROR } from "../wire/events.ts"
import type { Undo } from "../listeners.ts"
import type { JoinGate } from "./join-gate.ts"
import type { Channel } from "./phoenix.ts"
import type { ChannelLike } from "./sync.ts"

type Callback = Parameters<ChannelLike["on"]>[1]

/** What happens to a join. Each can happen again at a rejoin. */
export type JoinOutcomes = {
  ok(response: unknown): void
  error(response: unknown): void
  timeout(): void
}

/** How the channels of a topic come into being. */
export interface Opening {
  readonly topic: string
  readonly gate: JoinGate
  /** How long a join waits for its reply, in milliseconds. */
  readonly timeout: number | undefined
  /** Creates a channel that calls `sending` whenever it sends its join. */
  create(sending: () => void): Channel
}

/** A channel of phoenix.js, and the room that has it now. */
type Link = {
  readonly channel: Channel
  owner: RoomChannel | undefined
  /** The ref of the last join that was sent. phoenix.js forgets it when the join times out. */
  ref: string | undefined
  response: unknown
  isClean: boolean
}

export class RoomChannel implements ChannelLike {
  readonly #opening: Opening
  readonly #bindings = new Map<
    number,
    { readonly event: string; readonly callback: Callback; ref: number | undefined }
  >()
  #count = 0
  readonly #former: RoomChannel | undefined
  #link: Link | undefined
  #outcomes: JoinOutcomes | undefined
  #withdraw: Undo | undefined
  #unsent: ((channel: Channel) => void)[] = []

  /** @param former the channel of a room that is left: its join goes on as the one of this room */
  constructor(opening: Opening, former?: RoomChannel) {
    this.#opening = opening
    this.#former = former
  }

  get topic(): string {
    return this.#opening.topic
  }

  get state(): Channel["state"] {
    return this.#link?.channel.state ?? "joining"
  }

  joinRef(): string | null {
    return this.#link?.channel.joinRef() ?? null
  }

  on(event: string, callback: Callback): number {
    this.#bindings.set(++this.#count, { event, callback, ref: this.#link?.channel.on(event, callback) })
    return this.#count
  }

  off(event: string, binding: number): void {
    const ref = this.#bindings.get(binding)?.ref
    this.#bindings.delete(binding)
    if (ref !== undefined) this.#link?.channel.off(event, ref)
  }

  /** Joins as soon as no former join of the topic is open. */
  join(outcomes: JoinOutcomes): void {
    this.#outcomes = outcomes
    const link = this.#former?.unlink()
    if (!link) return this.#wait()
    this.#take(link)
    if (link.channel.state === "joined") outcomes.ok(link.response)
  }

  /** Calls `send` with the channel: at once, or when there is one. */
  whenCreated(send: (channel: Channel) => void): void {
    if (this.#link) send(this.#link.channel)
    else this.#unsent.push(send)
  }

  /** Leaves the channel, or withdraws the join that waits. */
  leave(): void {
    this.#withdraw?.()
    this.#unsent = []
    const link = this.unlink()
    if (!link) return
    this.#opening.gate.left(link.ref)
    link.channel.leave()
  }

  /** To be called with a view: leaves and joins once more if it may have diffs of another join in it. */
  ensureClean(): void {
    if (this.#link?.isClean !== false) return
    this.leave()
    for (const { event, callback } of this.#bindings.values()) {
      if (event === ERROR) callback({ source: "transport", reason: "two joins of one topic were open" })
    }
    this.#wait()
  }

  /** Gives the channel away. */
  unlink(): Link | undefined {
    const link = this.#link
    for (const binding of this.#bindings.values()) {
      if (binding.ref !== undefined) link?.channel.off(binding.event, binding.ref)
      binding.ref = undefined
    }
    if (link) link.owner = undefined
    this.#link = undefined
    return link
  }

  settle(outcome: keyof JoinOutcomes, response?: unknown): void {
    this.#outcomes?.[outcome](response)
  }

  #wait(): void {
    this.#withdraw = this.#opening.gate.whenClear(this.topic, () => this.#open())
  }

  #open(): void {
    const { gate, topic, timeout, create } = this.#opening
    const isAlone = (): boolean => gate.sent(topic, link.ref!)
    const channel = create(() => {
      link.ref = channel.joinRef()!
      link.isClean = isAlone()
    })
    const link: Link = { channel, owner: this, ref: undefined, response: undefined, isClean: true }
    this.#take(link)
    channel
      .join(timeout)
      .receive("ok", (response) => {
        link.response = response
        if (!link.owner) return
        // The join of a channel that the application made is seen only by its reply.
        if (!isAlone()) link.isClean = false
        link.owner.settle("ok", response)
      })
      .receive("error", (response) => link.owner?.settle("error", response))
      .receive("timeout", () => {
        // phoenix.js has left, and joins again without waiting for the end.
        gate.left(link.ref)
        link.owner?.settle("timeout")
      })
    for (const send of this.#unsent.splice(0)) send(channel)
  }

  #take(link: Link): void {
    this.#link = link
    link.owner = this
    for (const binding of this.#bindings.values()) binding.ref = link.channel.on(binding.event, binding.callback)
  }
}

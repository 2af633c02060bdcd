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

/** Returns the params with which a join is sent, for those that the application gave. */
export type Carry = (params: unknown) => unknown

export interface RoomChannel extends ChannelLike {
  readonly topic: string
  readonly state: Channel["state"]
  /** What the connection has in flight. */
  readonly flow: Flow
  /** The channel of phoenix.js to push to. There is one as soon as the join is sent. */
  readonly pushable: Channel
  /** Joins as soon as no former join of the topic is open. A later call takes over the join and its outcome. */
  join(events: ChannelEvents & { readonly carry: Carry }): void
  /** Passes on what phoenix.js does not know about the connection. */
  emit(what: keyof ChannelEvents, detail: unknown): void
  /** Removes all callbacks, before another room takes over. */
  unbind(): void
  /** Leaves the channel, or cancels the waiting join. */
  leave(): void
  /** To be called once there is a view. If it may contain diffs of another join, leaves and joins once more. */
  ensureClean(): void
}

/**
 * @param timeout how long a join waits for its reply, in milliseconds
 * @param create creates a channel that calls `sending` whenever it sends its join, and sends what `carry` returns
 */
export function createRoomChannel(
  gate: JoinGate,
  flow: Flow,
  topic: string,
  timeout: number | undefined,
  create: (sending: () => void, carry: Carry) => Channel,
): RoomChannel {
  const bindings = new Map<number, { readonly event: string; readonly callback: Callback; ref?: number | undefined }>()
  let count = 0
  let channel: Channel | undefined
  /** The ref of the last join that was sent. phoenix.js forgets it when the join times out. */
  let ref: string | undefined
  let isClean = true
  let response: unknown
  let events: ChannelEvents & { readonly carry: Carry }
  let withdraw: Undo | undefined

  const unbind = (): void => {
    for (const binding of bindings.values()) channel?.off(binding.event, binding.ref)
  }

  const open = (): void => {
    const sending = (): void => {
      ref = opened.joinRef()!
      isClean = gate.isAlone(topic, ref)
    }
    const opened = create(sending, (params) => events.carry(params))
    channel = opened
    const on =
      (what: Exclude<keyof ChannelEvents, "doubted">) =>
      (detail: unknown): void => {
        if (channel !== opened || (gate.held && (what === "broken" || what === "timeout"))) return
        response = detail
        // The join of a channel that the application made is seen only by its reply.
        if (what === "ok") isClean &&= gate.isAlone(topic, ref)
        // phoenix.js has left, and joins again without waiting for the end.
        if (what === "timeout") gate.left(topic, ref)
        events[what](detail)
      }
    for (const binding of bindings.values()) binding.ref = opened.on(binding.event, binding.callback)
    opened.onError(on("broken"))
    opened.onClose(on("closed"))
    const push = opened.join(timeout)
    for (const what of ["ok", "error", "timeout"] as const) push.receive(what, on(what))
  }

  const wait = (): void => void (withdraw = gate.whenClear(topic, open))

  const leave = (): void => {
    withdraw?.()
    const left = channel
    if (!left) return
    unbind()
    channel = undefined
    if (left.state.startsWith("join")) gate.left(topic, ref)
    left.leave()
  }

  return {
    topic,
    flow,
    get state() {
      return channel?.state ?? "joining"
    },
    get bindings() {
      return channel?.bindings
    },
    get pushable() {
      return channel!
    },
    joinRef: () => channel?.joinRef() ?? null,
    on(event, callback) {
      bindings.set(++count, { event, callback, ref: channel?.on(event, callback) })
      return count
    },
    off(event, binding) {
      // With `undefined` for a ref, phoenix.js would remove all callbacks of the event.
      channel?.off(event, bindings.get(binding!)?.ref ?? -1)
      bindings.delete(binding!)
    },
    join(given) {
      events = given
      if (channel?.state === "joined") events.ok(response)
      else if (!withdraw) wait()
      if (gate.held) events.broken(gate.held)
    },
    emit: (what, detail) => events[what](detail as Reason | undefined),
    unbind() {
      unbind()
      bindings.clear()
    },
    leave,
    ensureClean() {
      if (isClean) return
      isClean = true
      leave()
      events.broken({ source: "transport", reason: "overlapping joins" })
      wait()
    },
  }
}

/**
 * The channels that rooms use: one for each topic, which consecutive rooms of the topic share. A channel creates and joins one of
 * phoenix.js as soon as no former join of its topic is open, and joins once more if another join was open at the same time.
 *
 * A `presence_diff` has no `join_ref`. If a topic is joined again while the server still serves its former join, a diff of the
 * former one can arrive last: it would list a device whose leave was sent to nobody, for good.
 */
import type { Clock } from "../timers.ts"
import { CLOSE, ERROR, REPLY } from "../wire/events.ts"
import type { Flow } from "./flow.ts"
import { isPromise, valueOf } from "./given.ts"
import type { Params } from "./params.ts"
import type { Channel, Message, Socket } from "./phoenix.ts"
import type { ChannelLike } from "./sync.ts"

/** How long to wait for the end of a join that was left, in milliseconds. */
const END_TIMEOUT_MS = 3_000

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
  /** The connection may be dead, or has proved to be alive. */
  doubted(isDoubted: unknown): void
}

type JoinEvents = ChannelEvents & {
  /** Returns the params with which a join is sent, for those that the application gave. */
  carry(params: unknown): unknown
}

export interface RoomChannel extends ChannelLike {
  readonly topic: string
  readonly state: Channel["state"]
  /** What the connection has in flight. */
  readonly flow: Flow
  /** The channel of phoenix.js to push to. There is one as soon as the join is sent. */
  readonly pushable: Channel
  /** Joins as soon as no former join of the topic is open. A later call takes over the join and its outcome. */
  join(events: JoinEvents): void
  /** Passes on what phoenix.js does not know about the connection. */
  emit(what: keyof ChannelEvents, detail: unknown): void
  /** Removes all callbacks, before another room takes over. */
  unbind(): void
  /** Leaves the channel, or cancels the waiting join. */
  leave(): void
  /** To be called once there is a view. If it may contain diffs of another join, leaves and joins once more. */
  ensureClean(): void
}

/** What the channels of one connection share. */
export interface RoomChannels {
  /**
   * @param params those of each join, as the application gave them
   * @param timeout how long a join waits for its reply, in milliseconds
   */
  create(topic: string, params: Params, timeout: number | undefined): RoomChannel
  /**
   * Sets why the connection is given up at this moment, or paused; `undefined`: it is not. Meanwhile no join is sent, and what
   * phoenix.js reports about the loss is no news.
   */
  hold(cause: unknown): void
  /** The connection has ended, and with it all its joins. */
  reset(): void
}

/** Returns the channels of a socket. They notify `flow` of the end of the connection. */
export function createRoomChannels(socket: Socket, timers: Clock, flow: Flow): RoomChannels {
  /**
   * The open joins that must end before the topic is joined again, by their refs, which are unique on a connection: joins that
   * were left, with a timer, and joins of channels that the application created.
   */
  const joins = new Map<string, readonly [topic: string, timer?: unknown]>()
  /** Joins that wait until no join that was left is open, and their topics. */
  const waiting = new Map<() => void, string>()
  let held: unknown

  const end = (isEnded: (ref: string, topic: string) => boolean): void => {
    for (const [ref, [topic, timer]] of joins) {
      if (!isEnded(ref, topic)) continue
      timers.clear(timer)
      joins.delete(ref)
    }
    for (const [join, topic] of waiting) {
      if (held || [...joins.values()].some(([of, timer]) => timer && of === topic)) continue
      waiting.delete(join)
      join()
    }
  }

  /** The end of a join that was left is waited for, up to a limit. */
  const left = (topic: string, ref: string): void => {
    const [, timer = timers.set(() => end((each) => each === ref), END_TIMEOUT_MS)] = joins.get(ref) ?? []
    joins.set(ref, [topic, timer])
  }

  /** Whether no other join of this topic is open. phoenix.js, which permits only one, has left the others. */
  const isAlone = (topic: string, ref: string): boolean => {
    let isAlone = true
    for (const [other, [of]] of joins) {
      if (of !== topic || other === ref) continue
      left(topic, other)
      isAlone = false
    }
    return isAlone
  }

  const hold = (cause: unknown): void => {
    held = cause
    end(() => false)
  }

  const reset = (): void => end(() => true)

  const create: RoomChannels["create"] = (topic, params, timeout) => {
    const bindings = new Map<number, readonly [event: string, callback: Callback]>()
    let count = 0
    let channel: Channel | undefined
    /** The ref of the last join that was sent. phoenix.js forgets it when the join times out. */
    let ref: string
    let isClean = true
    let response: unknown
    let events: JoinEvents
    const carry = (given: unknown): unknown => events.carry(given)

    const open = (): void => {
      // `Flow` calls it when the join is sent, and recognizes by it a join that is sent again.
      const ask = (): unknown => {
        const given = valueOf(params)
        return isPromise(given) ? given.then(carry) : carry(given)
      }
      // `update` may be called before the join is sent.
      if (typeof params !== "function") carry(params)
      // phoenix.js calls this function each time it queues the join.
      const opened = socket.channel(topic, () => {
        ref = opened.joinRef()!
        isClean = isAlone(topic, ref)
        return ask
      })
      channel = opened
      const on =
        (what: Exclude<keyof ChannelEvents, "doubted">) =>
        (detail: unknown): void => {
          if (channel !== opened || (held && what !== "closed")) return
          response = detail
          // The join of a channel that the application made is seen only by its reply.
          if (what === "ok") isClean &&= isAlone(topic, ref)
          // phoenix.js has left, and joins again without waiting for the end.
          if (what === "timeout") left(topic, ref)
          events[what](detail)
        }
      // Before the callbacks of the application, because phoenix.js's `Presence` writes into the payloads.
      opened.onMessage = (event, payload, own, join) => {
        // A copy, because callbacks may bind others.
        for (const [bound, callback] of channel === opened ? [...bindings.values()] : [])
          if (bound === event) callback(payload, own, join || opened.joinRef())
        return payload
      }
      opened.onError(on("broken"))
      opened.onClose(on("closed"))
      const push = opened.join(timeout)
      for (const what of ["ok", "error", "timeout"] as const) push.receive(what, on(what))
    }

    const wait = (): void => {
      waiting.set(open, topic)
      end(() => false)
      if (!channel) flow.trace(topic, "join waits")
    }

    const leave = (): void => {
      waiting.delete(open)
      const former = channel
      if (!former) return
      channel = undefined
      if (former.state.startsWith("join")) left(topic, ref)
      former.leave()
    }

    return {
      topic,
      flow,
      get state() {
        return channel?.state ?? "joining"
      },
      get pushable() {
        return channel!
      },
      joinRef: () => channel?.joinRef(),
      on(event, callback) {
        bindings.set(++count, [event, callback])
        return count
      },
      off: (_event, binding) => void bindings.delete(binding!),
      join(given) {
        events = given
        if (channel?.state === "joined") events.ok(response)
        else if (!channel) wait()
        if (held) events.broken(held)
      },
      emit: (what, detail) => events[what](detail),
      unbind: () => bindings.clear(),
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

  socket.onMessage(({ topic, event, payload, ref, join_ref: join }: Message) => {
    // In version 1 of the protocol, the end of a join has no reference.
    if (event === CLOSE || event === ERROR) end((each, of) => (join ? each === join : of === topic))
    else if (event === REPLY && ref) {
      if ((payload as { status?: unknown }).status !== "ok") end((each) => each === ref)
      // The reply to a join. One of a channel that the application made is not known otherwise.
      else if (ref === join && !joins.has(ref)) joins.set(ref, [topic])
    }
  })
  socket.onOpen(reset)
  socket.onClose((event: { code?: number } | undefined) => {
    flow.closed((!held && event?.code) || 0)
    reset()
  })
  return { create, hold, reset }
}

import { encodeBody } from "../wire/message.ts"
import type { Data, Message, Serializer } from "../wire/message.ts"
import { Channel, named } from "./channel.ts"
import type { ChannelSocket } from "./channel.ts"
import { isPromise, whenever } from "./awaitable.ts"
import type { ChannelHandlers, JoinReply, Reply } from "./handlers.ts"
import { askToJoin, hearTopic } from "./join.ts"
import type { JoinAnswer } from "./join.ts"
import { Pace } from "./pace.ts"
import type { Identity } from "./mount.ts"
import type { Routes } from "./routes.ts"
import type { Runtime } from "./runtime.ts"
import type { Frame, Inlet, Outlet } from "./transport.ts"

/** What a socket needs of its server. */
export interface SocketRuntime extends Runtime {
  readonly routes: Routes<ChannelHandlers>
  nextPid(): string
  /** Called once, when a socket's connection has ended. */
  gone(socket: Socket): void
}

const UNMATCHED = { error: { reason: "unmatched topic" } }
const TOO_MANY = { error: { reason: "too many channels joined" } }
const TOO_FAST = { error: { reason: "too many joins" } }

/**
 * One connection: takes frames in, finds the channel that each is for, and answers what is no channel's to answer
 * (protocol rules 9–14). Frames are handled in order; a join that takes its time holds back those behind it.
 */
export class Socket implements Inlet, ChannelSocket {
  readonly serializer: Serializer
  readonly assigns: object
  /** By this name the server can end all connections of one user. */
  readonly id: string | undefined
  /** Where it comes from. */
  readonly address: string

  readonly #runtime: SocketRuntime
  readonly #outlet: Outlet
  readonly #channels = new Map<string, Channel>()
  /** The frames that wait for a join in progress. */
  #waiting: Message[] | undefined
  #queued = 0
  readonly #frames = new Pace()
  readonly #joins = new Pace()
  #closed = false

  constructor(runtime: SocketRuntime, outlet: Outlet, identity: Identity & { readonly address: string }) {
    this.#runtime = runtime
    this.#outlet = outlet
    this.serializer = identity.serializer
    this.assigns = identity.assigns
    this.id = identity.id
    this.address = identity.address
  }

  /** How many topics are joined. */
  get channels(): number {
    return this.#channels.size
  }

  receive(data: Data): void {
    if (this.#closed) return
    this.#runtime.count("frames_in")
    if (this.#frames.exceeds(this.#runtime.limits.maxFramesPerSecond, this.#runtime.timers.now())) {
      this.#runtime.count("frame_floods")
      this.close(1008)
      return
    }
    let message: Message
    try {
      message = this.serializer.decode(data)
    } catch (error) {
      this.#runtime.count("bad_frames")
      this.#runtime.logger.warn("a client sent a malformed frame", { error })
      this.close(1011)
      return
    }
    if (this.#waiting === undefined) {
      this.#dispatch(message)
    } else {
      this.#waiting.push(message)
      this.queued(1)
    }
  }

  /** Ends the connection and all that it holds. */
  close(code: number): void {
    if (this.#closed) return
    this.#outlet.close(code)
    this.closed()
  }

  closed(): void {
    if (this.#closed) return
    this.#closed = true
    this.#waiting = undefined
    for (const channel of this.#channels.values()) channel.end("closed")
    this.#runtime.gone(this)
  }

  write(frame: Frame | undefined): void {
    if (frame === undefined) this.#runtime.count("undeliverable")
    else if (!this.#closed) this.#outlet.send(frame)
  }

  forget(channel: { readonly topic: string }): void {
    if (this.#channels.get(channel.topic) === channel) this.#channels.delete(channel.topic)
  }

  queued(by: 1 | -1): void {
    this.#queued += by
    if (this.#queued > this.#runtime.limits.maxQueuedFrames && !this.#closed) {
      this.#runtime.count("queue_overflows")
      this.close(1008)
    }
  }

  #dispatch(message: Message): void {
    const { joinRef, topic, event } = message
    if (topic === "phoenix" && event === "heartbeat") this.#reply(null, message, { ok: {} })
    else if (event === "phx_join" && typeof topic === "string") this.#join(message, topic)
    else {
      const channel = this.#channels.get(topic as string)
      if (channel !== undefined && event !== "phx_join") {
        // A message of an earlier join is not this channel's. Equality is strict: 20 is not "20" (recorded case 04).
        if (joinRef === null || joinRef === channel.sentJoinRef) channel.receive(message)
        else this.#runtime.count("stale_messages")
      } else if (event === "phx_leave") this.#reply(joinRef, message, { ok: {} })
      else this.#unmatched(message)
    }
  }

  #join(message: Message, topic: string): void {
    const { limits, routes, timers } = this.#runtime
    const handlers = routes.match(topic)
    if (handlers === undefined) {
      this.#unmatched(message)
      return
    }
    if (this.#joins.exceeds(limits.maxJoinsPerSecond, timers.now())) {
      this.#runtime.count("join_floods")
      this.#reply(message.joinRef, message, TOO_FAST)
      return
    }
    const old = this.#channels.get(topic)
    if (old === undefined && this.#channels.size >= limits.maxChannels) {
      this.#runtime.count("channel_overflows")
      this.#reply(message.joinRef, message, TOO_MANY)
      return
    }
    this.#runtime.count("joins")
    if (old !== undefined) {
      old.end("rejoined")
      this.#runtime.presence.settle(topic)
    }
    const identity = { pid: this.#runtime.nextPid(), assigns: { ...this.assigns } as Record<string, unknown> }
    const channel = new Channel(this.#runtime, this, handlers, { ...message, topic }, identity)
    const encode = (reply: JoinReply): JoinAnswer => this.#encodeAnswer(message, reply)
    const asked = askToJoin(this.#runtime, handlers, channel, message.payload, encode)
    const answered = whenever(asked, (answer) => hearTopic(this.#runtime, topic, answer, encode))
    const done = whenever(answered, (answer) => this.#answer(channel, old, answer))
    if (!isPromise(done)) return
    this.#waiting = []
    void done.then(() => this.#resume())
  }

  #answer(channel: Channel, old: Channel | undefined, { ok, data }: JoinAnswer): void {
    if (this.#closed || !ok) {
      this.#runtime.count("failed_joins")
      if (ok) this.#runtime.unhear(channel.topic)
      channel.end("closed")
    } else {
      this.#channels.set(channel.topic, channel)
    }
    this.#send(data)
    // The old channel's end comes after the new one's answer, also when that is a refusal (recorded case 04).
    if (old !== undefined) this.#send(this.serializer.end(old.sentJoinRef, old.topic, "phx_close", "{}"))
    if (ok && !this.#closed) channel.start()
  }

  /** Takes up the frames that waited, until one of them is a join that takes its time, too. */
  #resume(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    while (waiting.length > 0 && !this.#closed) {
      this.queued(-1)
      this.#dispatch(waiting.shift() as Message)
      if (this.#waiting !== undefined) {
        ;(this.#waiting as Message[]).push(...waiting)
        return
      }
    }
  }

  #unmatched(message: Message): void {
    this.#runtime.count("unmatched_messages")
    this.#reply(null, message, UNMATCHED)
  }

  #reply(joinRef: unknown, message: Message, reply: Reply): void {
    this.#send(this.#encodeReply(joinRef, message, reply))
  }

  /** @throws RollcallError `bad_reply`; TypeError when the payload is no JSON value */
  #encodeAnswer(message: Message, reply: JoinReply): JoinAnswer {
    return { ok: named(reply).status === "ok", data: this.#encodeReply(message.joinRef, message, reply) }
  }

  #encodeReply(joinRef: unknown, message: Message, reply: Reply): Data | undefined {
    const { status, response } = named(reply)
    return this.serializer.reply(joinRef, message.ref, message.topic, status, encodeBody(response))
  }

  #send(data: Data | undefined): void {
    this.write(data === undefined ? undefined : { data })
  }
}

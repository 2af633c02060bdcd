import { BAD_FRAME, LIMIT_EXCEEDED, SLOW_CONSUMER } from "../../wire/close-codes.ts"
import { CLOSE, HEARTBEAT, HEARTBEAT_TOPIC, JOIN, LEAVE } from "../../wire/events.ts"
import { encodeBody } from "../../wire/message.ts"
import { TOO_MANY_CHANNELS, TOO_MANY_JOINS, TOPIC_TOO_LONG, UNMATCHED_TOPIC } from "../../wire/refusals.ts"
import type { Data, Message, Serializer } from "../../wire/message.ts"
import { Channel } from "../channel/channel.ts"
import type { ChannelSocket } from "../channel/channel.ts"
import { isPromise, whenever } from "../awaitable.ts"
import { named } from "../channel/reply.ts"
import type { ChannelHandlers } from "../channel/handlers.ts"
import type { JoinReply, Reply } from "../channel/reply.ts"
import { runJoinHandler, subscribeTopic } from "../channel/join.ts"
import type { JoinAnswer } from "../channel/join.ts"
import { RateLimiter } from "./rate-limit.ts"
import type { Identity } from "../admission/mount.ts"
import type { Routes } from "../channel/routes.ts"
import type { Runtime } from "../channel/runtime.ts"
import type { Frame, Inlet, Outlet } from "../transport.ts"
import { ConnectionQueue } from "./fair-queue.ts"
import type { Consumer, FairQueue } from "./fair-queue.ts"

/** What a socket needs of its server. */
export interface SocketRuntime extends Runtime {
  readonly routes: Routes<ChannelHandlers>
  readonly fairQueue: FairQueue
  nextPid(): string
  /** Called once, when a socket's connection has ended. */
  gone(socket: Socket): void
}

/** What its turn comes for: a frame, goodbye, to be answered with a code, or, once all is over, a channel that is to end. */
type Said = Data | number | Channel

/** What its turn comes for once a join in progress is answered: a frame of the client's, one to it, or its end. */
type Mail = { readonly message: Message } | { readonly frame: Frame } | { readonly code: number }

const UNMATCHED = { error: { reason: UNMATCHED_TOPIC } }
const TOO_LONG = { error: { reason: TOPIC_TOO_LONG } }
const TOO_MANY = { error: { reason: TOO_MANY_CHANNELS } }
const TOO_FAST = { error: { reason: TOO_MANY_JOINS } }

/**
 * One connection: takes frames in, finds the channel that each is for, and answers what is no channel's to answer
 * (P9–P14). Frames are handled in order. A join that takes its time holds back all that is to come, frames to
 * the client, too: as in Phoenix, where one process sees to a connection, a join's answer comes before anything later.
 */
export class Socket implements Inlet, ChannelSocket, Consumer<Said> {
  readonly serializer: Serializer
  readonly assigns: object
  /** By this name the server can end all connections of one user. */
  readonly id: string | undefined
  /** Where it comes from, if that is of interest. */
  readonly address: string | undefined

  readonly #runtime: SocketRuntime
  readonly #outlet: Outlet
  readonly #channels = new Map<string, Channel>()
  /** What waits for a join in progress. */
  #waiting: Mail[] | undefined
  #busy: Promise<void> | undefined
  #queued = 0
  /** Bytes of the frames to the client that wait. */
  #held = 0
  readonly #frames = new RateLimiter()
  readonly #joins = new RateLimiter()
  readonly #share: ConnectionQueue<Said>
  #state: "open" | "ending" | "closed" = "open"

  constructor(runtime: SocketRuntime, outlet: Outlet, identity: Identity, address: string | undefined) {
    this.#runtime = runtime
    this.#outlet = outlet
    this.#share = new ConnectionQueue(runtime.fairQueue, this)
    this.serializer = identity.serializer
    this.assigns = identity.assigns
    this.id = identity.id
    this.address = address
  }

  get busy(): Promise<void> | undefined {
    return this.crowded?.then(() => this.#busy) ?? this.#busy
  }

  get crowded(): Promise<void> | undefined {
    return this.#share.waiting
  }

  receive(data: Data): void {
    if (this.#state !== "open") return
    this.#runtime.count("frames_in")
    if (this.#frames.exceeds(this.#runtime.limits.maxFramesPerSecond, this.#runtime.timers.now())) {
      this.#runtime.count("frame_floods")
      this.close(LIMIT_EXCEEDED)
      return
    }
    this.#share.add(data, data.length)
  }

  take(said: Said): void {
    if (said instanceof Channel) {
      said.end("closed")
      return
    }
    if (this.#state !== "open") return
    if (typeof said === "number") {
      this.#endInTurn(said)
      return
    }
    let message: Message
    try {
      message = this.serializer.decode(said)
    } catch (error) {
      this.#runtime.count("bad_frames")
      this.#runtime.logger.warn("a client sent a malformed frame", { error })
      this.#endInTurn(BAD_FRAME)
      return
    }
    if (this.#waiting === undefined) this.#dispatch(message)
    else this.#wait(this.#waiting, { message })
  }

  /** Ends the connection when its turn has come: after all that was said before. */
  closeInTurn(code: number): void {
    this.#share.add(code, 0)
  }

  /** Ends the connection at once, and all that it holds as soon as there is time for it. */
  close(code: number): void {
    if (this.#state === "open") this.#outlet.close(code)
    this.closed()
  }

  closed(): void {
    if (this.#state === "closed") return
    this.#state = "closed"
    this.#waiting = undefined
    this.#share.drop()
    // In turns, too: when a proxy dies, thousands of channels end at once, and others are still here.
    for (const channel of this.#channels.values()) this.#share.add(channel, Infinity)
    if (this.crowded !== undefined) this.#runtime.trackWork(this.crowded)
    this.#runtime.gone(this)
  }

  write(frame: Frame | undefined): void {
    if (frame === undefined) this.#runtime.count("undeliverable")
    else if (this.#waiting !== undefined) this.#wait(this.#waiting, { frame })
    else if (this.#state === "open") this.#outlet.send(frame)
  }

  forget(channel: { readonly topic: string }): void {
    if (this.#channels.get(channel.topic) === channel) this.#channels.delete(channel.topic)
  }

  queued(by: 1 | -1): void {
    this.#queued += by
    if (this.#queued > this.#runtime.limits.maxQueuedFrames && this.#state === "open") {
      this.#runtime.count("queue_overflows")
      this.close(LIMIT_EXCEEDED)
    }
  }

  /**
   * Ends the connection once a join in progress has been answered. What its channels were told before is still done by
   * them, though nobody is answered any more.
   */
  #endInTurn(code: number): void {
    if (this.#waiting !== undefined) this.#wait(this.#waiting, { code })
    else if (this.#state === "open") {
      this.#state = "ending"
      this.#outlet.close(code)
      this.#runtime.timers.soon(() => this.closed())
    }
  }

  #dispatch(message: Message): void {
    const { joinRef, topic, event } = message
    if (topic === HEARTBEAT_TOPIC && event === HEARTBEAT) this.#reply(null, message, { ok: {} })
    else if (event === JOIN && typeof topic === "string") this.#join(message, topic)
    else {
      const channel = this.#channels.get(topic as string)
      if (channel !== undefined && event !== JOIN) {
        // A message of an earlier join is not this channel's. Equality is strict: 20 is not "20" (recorded case 04).
        if (joinRef === null || isSame(joinRef, channel.sentJoinRef)) channel.receive(message)
        else this.#runtime.count("stale_messages")
      } else if (event === LEAVE) this.#reply(joinRef, message, { ok: {} })
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
    const { maxTopicLength } = limits
    if (topic.length > maxTopicLength || lengthOf(message.joinRef ?? message.ref) > maxTopicLength) {
      this.#runtime.count("long_topics")
      this.#reply(message.joinRef, message, TOO_LONG)
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
    const asked = runJoinHandler(this.#runtime, handlers, channel, message.payload, encode)
    const answered = whenever(asked, (answer) => subscribeTopic(this.#runtime, topic, answer, encode))
    const done = whenever(answered, (answer) => this.#answer(channel, old, answer))
    if (!isPromise(done)) return
    this.#waiting = []
    this.#busy = Promise.resolve(done).then(() => this.#resume())
  }

  #answer(channel: Channel, old: Channel | undefined, { ok, data }: JoinAnswer): void {
    if (this.#state !== "open" || !ok) {
      this.#runtime.count("failed_joins")
      if (ok) this.#runtime.unsubscribe(channel.topic)
      channel.end("closed")
    } else {
      this.#channels.set(channel.topic, channel)
    }
    this.#send(data)
    if (old !== undefined) this.#sendEnd(old)
    if (ok && this.#state === "open") channel.start()
  }

  /**
   * Tells the end of a channel that was joined anew: after the new one's answer, also when that is a refusal (recorded
   * case 04), and after the answers to the rest of the burst, but before all that came while the join took its time.
   */
  #sendEnd(old: Channel): void {
    const frame: Frame = { data: this.serializer.end(old.sentJoinRef, old.topic, CLOSE, "{}") }
    if (this.#waiting === undefined) queueMicrotask(() => this.write(frame))
    else this.#waiting.unshift({ frame })
  }

  #wait(waiting: Mail[], mail: Mail): void {
    waiting.push(mail)
    if (!("frame" in mail)) {
      this.queued(1)
      return
    }
    const isTooMuch = this.#held > this.#runtime.limits.maxBufferedBytes
    this.#held += mail.frame.data.length
    if (!isTooMuch) return
    this.#runtime.count("slow_consumers")
    this.close(SLOW_CONSUMER)
  }

  /** Takes up what waited. A join among it that takes its time holds back the rest: returns what is waited for then. */
  #resume(): Promise<void> | undefined {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    this.#busy = undefined
    for (const [at, mail] of waiting.entries()) {
      if (this.#state !== "open") return undefined
      if ("frame" in mail) {
        this.#held -= mail.frame.data.length
        this.#outlet.send(mail.frame)
        continue
      }
      this.queued(-1)
      if ("code" in mail) this.#endInTurn(mail.code)
      else this.#dispatch(mail.message)
      if (this.#busy === undefined) continue
      this.#waiting = waiting.slice(at + 1)
      return this.#busy
    }
    return undefined
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

  /** Sends what is the answer to a frame whose turn it is: nothing has to be waited for. */
  #send(data: Data | undefined): void {
    if (data === undefined) this.#runtime.count("undeliverable")
    else if (this.#state === "open") this.#outlet.send({ data })
  }
}

/** How much there is to keep of a reference, whatever JSON it is. */
function lengthOf(ref: unknown): number {
  return typeof ref === "object" ? JSON.stringify(ref).length : String(ref).length
}

/** Whether two references are one: of the same type and value, whatever JSON they are. */
function isSame(one: unknown, other: unknown): boolean {
  return one === other || (typeof one === "object" && JSON.stringify(one) === JSON.stringify(other))
}

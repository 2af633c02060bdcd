import { guard } from "../../listeners.ts"
import { BAD_FRAME, LIMIT_EXCEEDED, SLOW_CONSUMER } from "../../wire/close-codes.ts"
import { HEARTBEAT, HEARTBEAT_TOPIC, JOIN, LEAVE } from "../../wire/events.ts"
import { UNMATCHED_TOPIC } from "../../wire/refusals.ts"
import type { Data, Message, Serializer } from "../../wire/message.ts"
import { ChannelProcess } from "../channel/channel.ts"
import { isPromise, andThen } from "../awaitable.ts"
import { encodeReply, type Reply } from "../channel/reply.ts"
import { processJoin, type JoinAnswer } from "../channel/join.ts"
import type { Dialect } from "../channel/dialect.ts"
import type { ConnectionContext } from "./connection-context.ts"
import { FlowControl } from "./flow-control.ts"
import type { Identity } from "./identity.ts"
import { JoinLimits } from "./join-limits.ts"
import { isLoss } from "./losses.ts"
import { Mailbox } from "./mailbox.ts"
import type { ChannelSocket } from "../channel/server-context.ts"
import type { Frame, Inlet, Outlet } from "../transport.ts"
import { ConnectionQueue, type Consumer } from "./fair-queue.ts"

/** An item of the connection in the fair queue: a frame, a close code, or a channel that must end. */
type Item = Data | number | ChannelProcess

const UNMATCHED = { error: { reason: UNMATCHED_TOPIC } }

/**
 * One connection: it decodes frames, dispatches them to their channels, and answers the messages without a channel (P9–P14).
 *
 * Frames are handled in order. While a join is in progress, everything after it waits, including frames to the client. In
 * Phoenix, where one process serves a connection, the answer to a join also comes before everything later.
 */
export class Socket implements Inlet, ChannelSocket, Consumer<Item> {
  readonly serializer: Serializer
  readonly assigns: object
  readonly isIntroduced: boolean
  /** The disconnect id. */
  readonly id: string | undefined
  /** The client's IPv4 address, or the network of its IPv6 address; `undefined` when no limit depends on it. */
  readonly address: string | undefined

  readonly #context: ConnectionContext
  readonly #outlet: Outlet
  readonly #channels = new Map<string, ChannelProcess>()
  readonly #mailbox = new Mailbox()
  #busy: Promise<void> | undefined
  /** The channel whose join is in progress. */
  #joining: ChannelProcess | undefined
  readonly #flow: FlowControl
  readonly #joinLimits: JoinLimits
  readonly #dialect: Dialect | undefined
  readonly #queue: ConnectionQueue<Item>
  #state: "open" | "ending" | "ended" = "open"
  /** Whether the client or the network ends the connection, and not this server. */
  #isLost = true

  constructor(context: ConnectionContext, outlet: Outlet, identity: Identity, address: string | undefined) {
    this.#context = context
    this.#outlet = outlet
    this.#flow = new FlowControl(context)
    this.#joinLimits = new JoinLimits(context)
    this.#queue = new ConnectionQueue(context.fairQueue, this)
    this.serializer = identity.serializer
    this.assigns = identity.assigns
    this.#dialect = identity.dialect
    this.isIntroduced = identity.isIntroduced
    this.id = identity.id
    this.address = address
  }

  get busy(): Promise<void> | undefined {
    return this.#queue.waiting?.then(() => this.#busy) ?? this.#busy
  }

  get crowded(): Promise<void> | undefined {
    return this.#queue.waiting ?? this.#flow.paused
  }

  receive(data: Data): void {
    if (this.#state !== "open") return
    this.#context.count("frames_in")
    if (!this.#flow.receive()) {
      this.#context.count("frame_floods")
      this.close(LIMIT_EXCEEDED)
      return
    }
    this.#queue.add(data, data.length)
  }

  take(item: Item): void {
    if (item instanceof ChannelProcess) return item.end("closed", this.#isLost)
    if (typeof item === "number") return this.#endAfterMail(item)
    if (this.#state !== "open" && !this.#isLost) return
    const message = this.#decode(item)
    if (message === undefined) this.#endAfterMail(BAD_FRAME)
    else if (this.#state !== "open") this.#leave(message)
    else if (this.#mailbox.isHolding) this.#wait({ kind: "message", message })
    else this.#dispatchSafely(message)
  }

  /** Closes the connection in order: after everything that the client has sent so far has been handled. */
  closeInTurn(code: number): void {
    // Now: a client that is lost before its turn, or was a moment ago, was sent away nevertheless.
    this.#isLost &&= isLoss(code)
    this.#queue.add(code, 0)
  }

  /** Closes the connection at once. Its channels end as soon as the event loop has time for them. */
  close(code: number): void {
    this.#end(code)
    this.closed()
  }

  closed(): void {
    if (this.#state === "ended") return
    this.#state = "ended"
    if (!this.#isLost) this.#queue.drop()
    for (let mail = this.#mailbox.take(); mail !== undefined; mail = this.#mailbox.take())
      if (mail.kind === "message") this.#leave(mail.message)
    this.#flow.end()
    // Through the fair queue: when a proxy dies, thousands of channels end at once, and other clients must not wait for that.
    for (const channel of this.#channels.values()) this.#queue.add(channel, Infinity)
    if (this.#queue.waiting !== undefined) this.#context.trackWork(this.#queue.waiting)
    this.#context.gone(this, this.busy)
  }

  write(frame: Frame | undefined): void {
    if (frame === undefined) this.#context.count("undeliverable")
    else if (this.#state !== "open") return
    else if (this.#mailbox.isHolding) this.#hold(frame)
    else this.#outlet.send(frame)
  }

  forget(channel: { readonly topic: string }): void {
    if (this.#channels.get(channel.topic) === channel) this.#channels.delete(channel.topic)
  }

  queued(by: 1 | -1, message?: Message): void {
    if (!this.#flow.queue(by, message) && by === 1 && this.#state === "open") {
      this.#context.count("queue_overflows")
      this.close(LIMIT_EXCEEDED)
    }
  }

  /** Closes the connection: at once, or after the mail that waits for a join in progress. */
  #endAfterMail(code: number): void {
    this.#isLost &&= isLoss(code)
    if (this.#mailbox.isHolding) this.#wait({ kind: "close", code })
    else this.#end(code)
  }

  #wait(mail: Parameters<Mailbox["add"]>[0]): void {
    this.#mailbox.add(mail)
    this.queued(1, mail.kind === "message" ? mail.message : undefined)
  }

  /** Closes the connection. Its channels still handle the messages that they have received, but their replies are dropped. */
  #end(code: number): void {
    if (this.#state !== "open") return
    this.#state = "ending"
    this.#isLost &&= isLoss(code)
    this.#outlet.close(code)
    this.#context.timers.soon(() => this.closed())
  }

  /** Handles a message of a lost connection if it is a leave: a client that leaves and goes at once has left. */
  #leave(message: Message): void {
    if (message.event !== LEAVE) return
    const joining = this.#joining
    if (joining !== undefined && joining.topic === message.topic && joining.isFor(message)) joining.stop()
    else this.#dispatchSafely(message)
  }

  #decode(data: Data): Message | undefined {
    try {
      const message = this.serializer.decode(data)
      this.#flow.measure(message, data.length)
      return message
    } catch (error) {
      this.#context.count("bad_frames")
      this.#context.logger.warn("a client sent a malformed frame", { error })
      return undefined
    }
  }

  #dispatchSafely(message: Message): void {
    const failed = (error: unknown): void => this.#fail(error)
    guard(failed, () => this.#dispatch(message))
  }

  /** Closes the connection after a message that cannot be answered. The protocol's own serializers can answer every message. */
  #fail(error: unknown): void {
    this.#context.logger.error("a message could not be answered", { error })
    this.#end(BAD_FRAME)
  }

  #dispatch(message: Message): void {
    const { topic, event } = message
    if (topic === HEARTBEAT_TOPIC && event === HEARTBEAT) this.#reply(null, message, { ok: {} })
    else if (event === JOIN && typeof topic === "string") this.#join(message, topic)
    else {
      const channel = this.#channels.get(topic as string)
      if (channel !== undefined && event !== JOIN) {
        if (channel.isFor(message)) channel.receive(message)
        else this.#context.count("stale_messages")
      } else if (event === LEAVE) this.#reply(message.joinRef, message, { ok: {} })
      else this.#unmatched(message)
    }
  }

  #join(message: Message, topic: string): void {
    const route = this.#context.routes.match(topic)
    if (route === undefined) return this.#unmatched(message)
    const handlers = this.#dialect?.channel(route) ?? route
    const old = this.#channels.get(topic)
    const reason = this.#joinLimits.refusal(message, topic, this.#channels.size + (old === undefined ? 1 : 0))
    if (reason !== undefined) return this.#reply(message.joinRef, message, { error: { reason } })
    if (old !== undefined) {
      old.end("rejoined")
      this.#context.presence.settle(topic)
    }
    const identity = { pid: this.#context.nextPid(), assigns: { ...this.assigns } as Record<string, unknown> }
    const channel = new ChannelProcess(this.#context, this, handlers, { ...message, topic }, identity)
    const sendEnd = this.#endSender(old)
    if (this.#mailbox.isHolding) sendEnd()
    const answer = processJoin(this.#context, handlers, channel, message)
    const answered = andThen(answer, (ready) => this.#answerJoin(channel, ready, sendEnd))
    if (!isPromise(answered)) return
    this.#joining = channel
    this.#mailbox.open()
    sendEnd()
    this.#busy = Promise.resolve(answered).then(
      () => this.#workOffMail(),
      (error: unknown) => this.#fail(error),
    )
  }

  #answerJoin(channel: ChannelProcess, { ok, data }: JoinAnswer, sendEnd: () => void): void {
    this.#joining = undefined
    if (this.#state !== "open" || !ok) {
      this.#context.count("failed_joins")
      if (ok) this.#context.unsubscribe(channel.topic)
      channel.end("closed", ok && this.#isLost)
    } else this.#channels.set(channel.topic, channel)
    this.#sendNow(data)
    sendEnd()
    if (ok && this.#state === "open") channel.start()
  }

  /**
   * Returns a function that sends, once, the `phx_close` of a channel whose topic is joined again, even if the join is refused
   * (recorded case 04). The frame comes after the join's answer, the answers to the rest of the burst, and the mail that was
   * queued when the join began, but before everything that arrives while the join is in progress.
   */
  #endSender(old: ChannelProcess | undefined): () => void {
    let pending = old
    return () => {
      const frame = pending?.closeFrame
      pending = undefined
      if (frame !== undefined && this.#mailbox.isHolding) this.#hold(frame)
      else if (frame !== undefined) queueMicrotask(() => this.write(frame))
    }
  }

  #hold(frame: Frame): void {
    const isFull = this.#mailbox.frameBytes > this.#context.limits.maxBufferedBytes
    this.#mailbox.addFrame(frame)
    if (!isFull) return
    this.#context.count("slow_consumers")
    this.close(SLOW_CONSUMER)
  }

  /** Handles the mail that waited for a join. If that starts another slow join, stops there and returns that join's promise. */
  #workOffMail(): Promise<void> | undefined {
    this.#busy = undefined
    while (this.#state === "open" && this.#busy === undefined) {
      const mail = this.#mailbox.take()
      if (mail === undefined) break
      if (mail.kind !== "frame") this.queued(-1, mail.kind === "message" ? mail.message : undefined)
      if (mail.kind === "frame") this.#outlet.send(mail.frame)
      else if (mail.kind === "close") this.#end(mail.code)
      else this.#dispatchSafely(mail.message)
    }
    return this.#busy
  }

  #unmatched(message: Message): void {
    this.#context.count("unmatched_messages")
    this.#reply(null, message, UNMATCHED)
  }

  #reply(joinRef: unknown, message: Message, reply: Reply): void {
    this.#sendNow(encodeReply(this.serializer, joinRef, message, reply))
  }

  /** Sends the answer to the message that is being handled. It bypasses the mailbox, in which all mail is newer. */
  #sendNow(data: Data | undefined): void {
    if (data === undefined) this.#context.count("undeliverable")
    else if (this.#state === "open") this.#outlet.send({ data })
  }
}

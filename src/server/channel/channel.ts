import { RollcallError } from "../../error.ts"
import { guard } from "../../listeners.ts"
import { quote } from "../../quote.ts"
import { CLOSE, ERROR, PRESENCE_STATE, type EndEvent } from "../../wire/events.ts"
import { countAsked } from "../../wire/introduction.ts"
import { Payload } from "../../wire/payload.ts"
import type { Message, Serializer } from "../../wire/message.ts"
import type { Subscriber } from "./fastlane.ts"
import { isPromise } from "../awaitable.ts"
import { withDeadline } from "../deadline.ts"
import type { Me } from "./client-meta.ts"
import { isForJoin, referenceOf } from "./join-reference.ts"
import { Outbox, type OutboxOwner } from "./outbox.ts"
import { OwnPresence } from "./own-presence.ts"
import { encodeReply } from "./reply.ts"
import type { AnyAssigns, Channel, ChannelHandlers, LeftReason } from "./handlers.ts"
import type { Reply } from "./reply.ts"
import type { ChannelSocket, ServerContext } from "./server-context.ts"
import { EMPTY, kicked, LEFT, STOPPED, type Ending } from "./ending.ts"
import { crashPayload, isLeave, loggableEvent, runLeft, runTask, type Task } from "./run-handler.ts"
import type { Frame } from "../transport.ts"

/** `RESOLVED.then` queues a microtask at a lower cost than `queueMicrotask`, for which Node creates an object with hooks. */
const RESOLVED = Promise.resolve()

/**
 * One client in one topic: an actor that runs its tasks one at a time.
 *
 * A task does not start before all frames that arrived together with its message have been read. So if a leave and a join of
 * one topic arrive together, the join finds the old channel and replaces it, as in Phoenix (recorded case 04).
 */
export class ChannelProcess<Assigns extends object = AnyAssigns> implements Channel<Assigns>, Subscriber, OutboxOwner {
  readonly topic: string
  readonly assigns: Assigns
  readonly pid: string
  /** The join's reference as the client sent it; `null` when it sent none. */
  readonly sentJoinRef: unknown
  readonly joinRef: unknown
  readonly handlers: ChannelHandlers<Assigns>

  receivedDiff = false
  isCounting = false
  me: Me | undefined

  readonly #context: ServerContext
  readonly #socket: ChannelSocket
  readonly #outbox: Outbox
  readonly #ownPresence: OwnPresence | undefined
  #state: "joining" | "joined" | "ended" = "joining"
  #tasks: Task[] | undefined
  /** The message that is being handled. */
  #current: Message | undefined
  #isHandling = false
  /** How the channel ends once the handler that is running has returned. */
  #ending: Ending | undefined

  constructor(
    context: ServerContext,
    socket: ChannelSocket,
    handlers: ChannelHandlers<Assigns>,
    join: { readonly topic: string; readonly joinRef: unknown; readonly ref: unknown; readonly payload?: unknown },
    identity: { readonly pid: string; readonly assigns: Assigns },
  ) {
    this.#context = context
    this.#socket = socket
    this.handlers = handlers
    this.topic = join.topic
    this.sentJoinRef = join.joinRef
    this.joinRef = referenceOf(join)
    this.pid = identity.pid
    this.assigns = identity.assigns
    this.#outbox = new Outbox(this, context.presence, socket.isIntroduced ? countAsked(join.payload) : undefined)
    this.#ownPresence = socket.isIntroduced ? new OwnPresence(this, context.presence.own) : undefined
  }

  get ended(): boolean {
    return this.#state === "ended"
  }

  get key(): string | undefined {
    return this.#context.presence.keyOf(this)
  }

  get serializer(): Serializer {
    return this.#socket.serializer
  }

  push(event: string, payload: unknown = {}): void {
    if (this.#canSend()) this.#outbox.push(event, payload)
  }

  broadcast(event: string, payload: unknown = {}): void {
    if (this.#canSend()) this.#context.broadcast(this.topic, event, payload)
  }

  broadcastFrom(event: string, payload: unknown = {}): void {
    if (this.#canSend()) this.#context.broadcast(this.topic, event, payload, this)
  }

  replyTo(): (reply: Reply) => void {
    const message = this.#current
    if (message === undefined) {
      throw new RollcallError("no_message", "expected replyTo to be called while a message is handled, got no message")
    }
    const failed = (error: unknown): void => this.fail(loggableEvent({ kind: "message", message }), error)
    return (reply) => guard(failed, () => this.#reply(message, reply))
  }

  stop(): void {
    this.#endAfterHandler(STOPPED)
  }

  kick(reason: string): void {
    this.#endAfterHandler(kicked(reason))
  }

  #endAfterHandler(ending: Ending): void {
    this.#ending ??= ending
    if (!this.#isHandling && this.#state === "joined") this.#close(this.#ending)
  }

  /** Whether a message is for this channel, not for an earlier join of its topic. */
  isFor({ joinRef }: Message): boolean {
    return isForJoin(this.sentJoinRef, joinRef)
  }

  /** Starts the channel once its join has been answered, or ends it at once, unseen by others, if `join` has kicked its client. */
  start(): void {
    this.#state = "joined"
    this.#context.fastlane.add(this.topic, this)
    this.#ownPresence?.joined()
    const { joined, presence } = this.handlers
    if (this.#ending !== undefined) this.#close(this.#ending)
    else if (joined !== undefined || presence !== undefined) this.#enqueue({ kind: "joined" })
  }

  receive(message: Message): void {
    this.#enqueue({ kind: "message", message })
  }

  intercepts(event: string): boolean {
    return this.handlers.out !== undefined && Object.hasOwn(this.handlers.out, event)
  }

  intercept(event: string, payload: unknown): void {
    this.#enqueue({ kind: "broadcast", event, payload })
  }

  holdsOlderState(isRead: boolean): boolean {
    return this.#outbox.holdsOlderState(isRead)
  }

  release(isInside = false): void {
    // The caller releases many channels. An error of this one's serializer must not prevent the others from being released.
    const failed = (error: unknown): void => this.fail(PRESENCE_STATE, error)
    guard(failed, () => this.#outbox.release(isInside))
  }

  write(frame: Frame | undefined): void {
    if (frame === undefined) this.#context.count("undeliverable")
    else this.#socket.write(frame)
  }

  fail(event: string, error: unknown): void {
    if (this.#state === "ended") return
    this.#context.count("channel_crashes")
    this.#context.logger.error("a channel crashed", { topic: this.topic, event, error })
    this.#sendEnd(ERROR, crashPayload(error, this.#context))
    this.end("crashed")
  }

  /** Ends the channel without a message to its client: either the socket sends that message, or the client is gone. */
  end(reason: LeftReason, isLost = false): void {
    if (this.#state === "ended") return
    const wasJoined = this.#state === "joined"
    this.#state = "ended"
    const isLeaving = this.#ending !== undefined || this.#tasks?.some(isLeave) === true
    for (const task of this.#tasks ?? []) this.#count(-1, task)
    this.#tasks = undefined
    this.#outbox.clear()
    this.#context.fastlane.remove(this.topic, this)
    this.#socket.forget(this)
    this.#context.presence.kept.ended(this, isLost && !isLeaving, this.#socket.id)
    this.#ownPresence?.end()
    if (!wasJoined) return
    this.#context.count("leaves")
    this.#context.unsubscribe(this.topic)
    if (this.handlers.left !== undefined)
      this.#context.trackWork(runLeft(this.handlers, this, reason, this.#context.logger))
  }

  /** Returns `false` when the channel has ended. @throws RollcallError `not_joined` before its join has been answered */
  #canSend(): boolean {
    if (this.#state === "joining") {
      const message = `expected ${quote(this.topic)} to be joined, got a message before its join was answered`
      throw new RollcallError("not_joined", message)
    }
    return this.#state === "joined"
  }

  /** The `phx_close` message of this channel. */
  get closeFrame(): Frame {
    return { data: this.serializer.end(this.sentJoinRef, this.topic, CLOSE, EMPTY) }
  }

  #close({ reason, payload }: Ending): void {
    this.#sendEnd(CLOSE, payload)
    this.end(reason)
  }

  /** Sends what is held, and the end. The channel must end also when an application's serializer throws for one of them. */
  #sendEnd(event: EndEvent, payload: Payload): void {
    const failed = (error: unknown): void => {
      this.#context.logger.error("the last messages of a channel could not be sent", { topic: this.topic, error })
    }
    guard(failed, () => this.#outbox.flush())
    guard(failed, () => this.write({ data: this.serializer.end(this.sentJoinRef, this.topic, event, payload) }))
  }

  #reply(message: Message, reply: Reply): void {
    if (this.#state === "ended") return
    const data = encodeReply(this.serializer, this.joinRef, message, reply)
    this.write(data === undefined ? undefined : { data })
  }

  #enqueue(task: Task): void {
    if (this.#state === "ended") return
    this.#count(1, task)
    // Counting the task may have exceeded the limit, which ends the connection and this channel with it.
    if (this.ended) return
    if (this.#tasks !== undefined) {
      this.#tasks.push(task)
      return
    }
    this.#tasks = [task]
    this.#proceed()
  }

  #count(by: 1 | -1, task: Task): void {
    if (task.kind !== "joined") this.#socket.queued(by, task.kind === "message" ? task.message : undefined)
  }

  /** Runs the next task after the microtasks of the last one: the diff of an update is sent before the next reply. */
  #proceed(): void {
    if (this.#tasks?.length === 0) this.#tasks = undefined
    if (this.#tasks !== undefined) void RESOLVED.then(() => this.#runNext())
  }

  #runNext(): void {
    const task = this.#tasks?.shift()
    if (task === undefined) return
    this.#count(-1, task)
    this.#handle(task)
    if (!this.#isHandling) this.#proceed()
  }

  #handle(task: Task): void {
    try {
      if (task.kind === "message" && isLeave(task)) {
        this.#reply(task.message, { ok: {} })
        this.#close(LEFT)
        return
      }
      this.#isHandling = true
      this.#current = task.kind === "message" ? task.message : undefined
      const context = { channel: this, me: this.me, outbox: this.#outbox, server: this.#context }
      // Handed over once: it need not stay in memory.
      if (task.kind === "joined") this.me = undefined
      const result = runTask(this.handlers, task, context)
      if (isPromise(result)) this.#awaitResult(task, result)
      else this.#settle(task, result)
    } catch (error) {
      this.fail(loggableEvent(task), error)
    }
  }

  #awaitResult(task: Task, result: PromiseLike<Reply | void>): void {
    const { timers, limits } = this.#context
    const limit = { ms: limits.handlerTimeoutMs, timers, code: "handler_timeout", expected: "a handler to return" }
    void withDeadline(result, limit)
      .then(
        (reply) => this.#settle(task, reply),
        (error: unknown) => this.fail(loggableEvent(task), error),
      )
      .then(() => this.#proceed())
  }

  #settle(task: Task, reply: Reply | void): void {
    if (this.#state === "ended") return
    try {
      if (task.kind === "message" && reply !== undefined && reply !== null) this.#reply(task.message, reply)
    } catch (error) {
      this.fail(loggableEvent(task), error)
      return
    }
    this.#isHandling = false
    this.#current = undefined
    if (this.#ending !== undefined) this.#close(this.#ending)
  }
}

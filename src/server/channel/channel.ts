import { RollcallError, kindOf } from "../../error.ts"
import { CLOSE, ERROR, LEAVE } from "../../wire/events.ts"
import type { EndEvent } from "../../wire/events.ts"
import { encodeBody } from "../../wire/message.ts"
import { CHANNEL_CRASH } from "../../wire/refusals.ts"
import type { Data, Message, Serializer } from "../../wire/message.ts"
import type { Subscriber } from "./fastlane.ts"
import { isPromise } from "../awaitable.ts"
import type { Awaitable } from "../awaitable.ts"
import { named } from "./reply.ts"
import type { AnyAssigns, ChannelHandlers, LeftReason } from "./handlers.ts"
import type { Reply } from "./reply.ts"
import type { Runtime } from "./runtime.ts"
import type { Payload } from "../../wire/payload.ts"
import type { Frame } from "../transport.ts"

/** A channel's socket, as the channel sees it. */
export interface ChannelSocket {
  readonly serializer: Serializer
  write(frame: Frame | undefined): void
  /** Forgets a channel that has ended. */
  forget(channel: { readonly topic: string }): void
  /** Accounts for a message that waits (`1`) or no longer does (`-1`). */
  queued(by: 1 | -1): void
}

/** What waits for its turn in a channel. */
type Mail =
  | { readonly kind: "in"; readonly message: Message }
  | { readonly kind: "out"; readonly event: string; readonly payload: unknown }
  | { readonly kind: "joined" }

/** What is held back: a message as it goes out, or the event under which the topic's state does, as it is then. */
type Held = { readonly data: Data | undefined } | { readonly state: string }

const EMPTY = "{}"
/** Of two ways into the microtask queue the cheaper: Node makes an object with hooks for each `queueMicrotask`. */
const NEXT = Promise.resolve()
const CRASHED = JSON.stringify({ reason: CHANNEL_CRASH })

/**
 * One client in one topic: an actor that takes its messages one at a time.
 *
 * Messages are taken up after the burst that brought them has been read. So a join right behind a leave in one burst
 * finds the old channel still there and replaces it, as it does in Phoenix (recorded case 04).
 */
export class Channel<Assigns extends object = AnyAssigns> implements Subscriber {
  readonly topic: string
  /** What `connect` returned, in a copy of this channel's own: yours to change. */
  readonly assigns: Assigns
  /** The channel's name on its node: the pid of its presences. */
  readonly pid: string
  /** The join's reference as it came; `null` when it had none. */
  readonly sentJoinRef: unknown
  /** The reference that this channel's own messages carry (P10). */
  readonly joinRef: unknown

  /** Whether this channel has been sent a presence diff. Presence sets it. */
  receivedDiff = false

  readonly #runtime: Runtime
  readonly #socket: ChannelSocket
  readonly #handlers: ChannelHandlers<Assigns>
  #state: "joining" | "joined" | "ended" = "joining"
  #mail: Mail[] | undefined
  /** The message being handled. */
  #current: Message | undefined
  #handling = false
  #stopping = false
  /** Pushes that wait for the topic's pending diff, in order: the state is first among them. */
  #held: Held[] | undefined

  constructor(
    runtime: Runtime,
    socket: ChannelSocket,
    handlers: ChannelHandlers<Assigns>,
    join: { readonly topic: string; readonly joinRef: unknown; readonly ref: unknown },
    identity: { readonly pid: string; readonly assigns: Assigns },
  ) {
    this.#runtime = runtime
    this.#socket = socket
    this.#handlers = handlers
    this.topic = join.topic
    this.sentJoinRef = join.joinRef
    this.joinRef = join.joinRef === null || join.joinRef === false ? join.ref : join.joinRef
    this.pid = identity.pid
    this.assigns = identity.assigns
  }

  /** Whether it is over: what is said then is dropped. */
  get ended(): boolean {
    return this.#state === "ended"
  }

  get serializer(): Serializer {
    return this.#socket.serializer
  }

  /**
   * Sends an event to this client only.
   *
   * A presence snapshot (`presence.list`) goes out as the topic is when it leaves: after the diff that is still being
   * gathered, so that the diff can leave out what came and went inside its window.
   * @throws RollcallError `not_joined` before the join has been answered, `bad_payload` when the payload is neither an
   * object nor bytes (P6); TypeError when it is no JSON value
   */
  push(event: string, payload: unknown = {}): void {
    if (!this.#alive()) return
    // A snapshot is not kept until it leaves: people who come by the thousand would each keep one of everybody.
    if (this.#runtime.presence.isState(this.topic, payload)) this.#sayState(event)
    // What cannot be said is told to who says it, though it may be held for a while.
    else this.#say(this.serializer.push(this.joinRef, this.topic, event, encodeBody(payload)))
  }

  /** Whether messages wait behind the topic's state. */
  get holdsMessages(): boolean {
    return this.#held?.some((held) => "data" in held) === true
  }

  /** Sends what was held back for a pending diff. */
  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const one of held) {
      if ("state" in one) this.#sayState(one.state)
      else this.#say(one.data)
    }
  }

  /** Sends an event to every client of the topic, this one included. @throws as `push` */
  broadcast(event: string, payload: unknown = {}): void {
    if (this.#alive()) this.#runtime.broadcast(this.topic, event, payload)
  }

  /** Sends an event to every client of the topic but this one. @throws as `push` */
  broadcastFrom(event: string, payload: unknown = {}): void {
    if (this.#alive()) this.#runtime.broadcast(this.topic, event, payload, this)
  }

  /**
   * A function that answers the message now being handled, later than its handler (P16).
   * What it says after the channel has ended is dropped; what cannot be said ends the channel, as in a handler.
   * @throws RollcallError `no_message` when no message is being handled
   */
  replyTo(): (reply: Reply) => void {
    const message = this.#current
    if (message === undefined) throw new RollcallError("no_message", "expected to be called while a message is handled")
    return (reply) => {
      try {
        this.#reply(message, reply)
      } catch (error) {
        this.#crash({ kind: "in", message }, error)
      }
    }
  }

  /** Ends this channel: its client gets `phx_close`, after the reply of the handler that called. */
  stop(): void {
    this.#stopping = true
    if (!this.#handling && this.#state === "joined") this.#close("stopped")
  }

  // What the socket and the fastlane call.

  /** The join has been answered: from here on the topic's broadcasts arrive and messages are handled. */
  start(): void {
    this.#state = "joined"
    this.#runtime.fastlane.add(this.topic, this)
    if (this.#handlers.joined !== undefined) this.#enqueue({ kind: "joined" })
    else if (this.#stopping) this.#close("stopped")
  }

  receive(message: Message): void {
    this.#enqueue({ kind: "in", message })
  }

  intercepts(event: string): boolean {
    return this.#handlers.out !== undefined && Object.hasOwn(this.#handlers.out, event)
  }

  intercept(event: string, payload: unknown): void {
    this.#enqueue({ kind: "out", event, payload })
  }

  write(frame: Frame | undefined): void {
    if (frame === undefined) this.#runtime.count("undeliverable")
    else this.#socket.write(frame)
  }

  /** Ends the channel without a word to its client: the socket says, or has said, what is to be said. */
  end(reason: LeftReason): void {
    if (this.#state === "ended") return
    const joined = this.#state === "joined"
    this.#state = "ended"
    for (const mail of this.#mail ?? []) if (mail.kind !== "joined") this.#socket.queued(-1)
    this.#mail = undefined
    this.#held = undefined
    this.#runtime.fastlane.remove(this.topic, this)
    this.#socket.forget(this)
    this.#runtime.presence.untrack(this)
    if (!joined) return
    this.#runtime.count("leaves")
    this.#runtime.unsubscribe(this.topic)
    if (this.#handlers.left !== undefined)
      this.#runtime.trackWork(this.#guard(() => this.#handlers.left?.(this, reason)))
  }

  #alive(): boolean {
    if (this.#state === "joining") {
      throw new RollcallError(
        "not_joined",
        `expected ${this.topic} to be joined, got a message before its join was answered`,
      )
    }
    return this.#state === "joined"
  }

  /** Sends a topic's state as it is then, or holds it for the diff that is still being gathered. */
  #sayState(event: string): void {
    if (this.#held === undefined && this.#runtime.presence.hold(this)) this.#held = []
    if (this.#held === undefined) this.#sendShared(event, this.#runtime.presence.state(this.topic))
    else this.#held.push({ state: event })
  }

  #say(data: Data | undefined): void {
    if (this.#held === undefined) this.#send(data)
    else this.#held.push({ data })
  }

  /** Sends the last of this channel, after all that it has said: its client hears no diff any more that could be waited for. */
  #sayEnd(event: EndEvent, body: string): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const one of held) {
      if ("state" in one) this.#sendShared(one.state, this.#runtime.presence.state(this.topic))
      else this.#send(one.data)
    }
    this.#send(this.serializer.end(this.sentJoinRef, this.topic, event, body))
  }

  #sendShared(event: string, shared: Payload): void {
    const [before, after] = this.serializer.around(this.joinRef, this.topic, event)
    this.write({ data: before + shared.json + after, parts: [before, shared, after] })
  }

  #send(data: Data | undefined): void {
    this.write(data === undefined ? undefined : { data })
  }

  #reply(message: Message, reply: Reply): void {
    if (this.#state === "ended") return
    const { status, response } = named(reply)
    this.#send(this.serializer.reply(this.joinRef, message.ref, this.topic, status, encodeBody(response)))
  }

  #enqueue(mail: Mail): void {
    if (this.#state === "ended") return
    if (mail.kind !== "joined") this.#socket.queued(1)
    // One too many has ended the connection, and this channel with it.
    if (this.ended) return
    if (this.#mail !== undefined) {
      this.#mail.push(mail)
      return
    }
    this.#mail = [mail]
    this.#proceed()
  }

  /** Has the next message taken after what the last one caused: the diff of an update comes before the next reply. */
  #proceed(): void {
    if (this.#mail?.length === 0) this.#mail = undefined
    if (this.#mail !== undefined) void NEXT.then(() => this.#work())
  }

  #work(): void {
    const mail = this.#mail?.shift()
    if (mail === undefined) return
    if (mail.kind !== "joined") this.#socket.queued(-1)
    this.#handle(mail)
    if (!this.#handling) this.#proceed()
  }

  #handle(mail: Mail): void {
    if (mail.kind === "in" && mail.message.event === LEAVE) {
      this.#reply(mail.message, { ok: {} })
      this.#close("left")
      return
    }
    this.#handling = true
    this.#current = mail.kind === "in" ? mail.message : undefined
    let outcome: Awaitable<Reply | void>
    try {
      outcome = this.#run(mail)
    } catch (error) {
      this.#crash(mail, error)
      return
    }
    if (isPromise(outcome)) this.#await(mail, outcome)
    else this.#settle(mail, outcome)
  }

  #run(mail: Mail): Awaitable<Reply | void> {
    if (mail.kind === "joined") return this.#handlers.joined?.(this)
    const { event, payload } = mail.kind === "in" ? mail.message : mail
    const handlers = (mail.kind === "in" ? this.#handlers.on : this.#handlers.out) ?? {}
    const handler = typeof event === "string" && Object.hasOwn(handlers, event) ? handlers[event] : undefined
    if (handler === undefined) {
      throw new RollcallError("no_handler", `expected an event that ${this.topic} handles, got ${nameOf(event)}`)
    }
    return handler.call(handlers, payload, this)
  }

  #await(mail: Mail, outcome: PromiseLike<Reply | void>): void {
    const { timers, limits } = this.#runtime
    const late = (): void => {
      const message = `expected an answer within ${limits.handlerTimeoutMs} ms`
      this.#crash(mail, new RollcallError("handler_timeout", message))
    }
    const timer = timers.set(late, limits.handlerTimeoutMs)
    Promise.resolve(outcome)
      .then(
        (reply) => this.#settle(mail, reply),
        (error: unknown) => this.#crash(mail, error),
      )
      .finally(() => timers.clear(timer))
      .then(() => this.#proceed())
  }

  #settle(mail: Mail, reply: Reply | void): void {
    if (this.#state === "ended") return
    try {
      if (mail.kind === "in" && reply !== undefined && reply !== null) this.#reply(mail.message, reply)
    } catch (error) {
      this.#crash(mail, error)
      return
    }
    this.#handling = false
    this.#current = undefined
    if (this.#stopping) this.#close("stopped")
  }

  #crash(mail: Mail, error: unknown): void {
    if (this.#state === "ended") return
    const event = mail.kind === "in" ? mail.message.event : mail.kind === "out" ? mail.event : "joined"
    this.#runtime.count("channel_crashes")
    this.#runtime.logger.error("a channel crashed", { topic: this.topic, event: nameOf(event), error })
    this.#sayEnd(ERROR, CRASHED)
    this.end("crashed")
  }

  #close(reason: LeftReason): void {
    this.#sayEnd(CLOSE, EMPTY)
    this.end(reason)
  }

  async #guard(run: () => Awaitable<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      this.#runtime.logger.error("a left handler failed", { topic: this.topic, error })
    }
  }
}

/** An event as it may be logged: a client can put anything in its place. */
function nameOf(event: unknown): string {
  return typeof event === "string" ? event.slice(0, 64) : kindOf(event)
}

import type { Timers } from "../timers.ts"
import { EnginePubSub } from "./engine-pubsub.ts"
import type { Engine } from "./engine.ts"
import { deliverEnvelope, encodeEnvelope } from "./envelope.ts"
import type { LivenessTiming } from "./liveness.ts"
import { isProbe, NodeProbe } from "./node-probe.ts"
import type { PubSubOptions } from "./pubsub.ts"
import { reconnectDelay } from "./reconnect-delay.ts"
import { isRefusal, type CreateRedisClient } from "./redis-connection.ts"
import type { ConnectRedis } from "./redis-servers.ts"
import { RedisSession } from "./redis-session.ts"
import { ReportsOnce } from "./reports-once.ts"
import { subjectNames, type SubjectNames } from "./subject-names.ts"

/** The options of the Redis engine. */
export interface RedisEngineOptions extends Required<LivenessTiming> {
  readonly pubsub: PubSubOptions
  readonly createClient: CreateRedisClient
  readonly connect: ConnectRedis
  readonly timers: Timers
  readonly random: () => number
}

/** After how many probes a refused subscription is requested again. */
const PROBES_PER_RETRY = 10

/** A node on Redis: one session at a time, and a new one whenever it fails. */
export class RedisEngine implements Engine {
  readonly pubsub: EnginePubSub
  readonly #options: RedisEngineOptions
  readonly #names: SubjectNames
  readonly #probe: NodeProbe
  readonly #reports: ReportsOnce
  /** The channels to subscribe in each session. */
  readonly #channels = new Map<string, { readonly topic: string; isRefused: boolean }>()
  #session: RedisSession | undefined
  #timer: unknown
  #probes = 0
  #isClosed = false

  constructor(options: RedisEngineOptions) {
    this.#options = options
    this.pubsub = new EnginePubSub(options.pubsub, this, "disconnected")
    this.#names = subjectNames(this.pubsub.namespace)
    this.#probe = new NodeProbe(this.pubsub.node, this.pubsub.report)
    this.#reports = new ReportsOnce(this.pubsub.report)
  }

  get unansweredMs(): number {
    return this.#session?.unansweredMs ?? 0
  }

  /**
   * Opens the first session.
   * @throws the error of the connection, or of the subscription to this node's own channel
   */
  async open(): Promise<void> {
    await this.#openSession()
  }

  async subscribe(topic: string): Promise<void> {
    const channel = this.#names.topic(topic)
    await this.#current().subscribe(channel)
    this.#channels.set(channel, { topic, isRefused: false })
  }

  async unsubscribe(topic: string): Promise<void> {
    const channel = this.#names.topic(topic)
    const isRefused = this.#channels.get(channel)?.isRefused
    this.#channels.delete(channel)
    this.pubsub.restore(topic)
    if (!isRefused) await this.#current().unsubscribe(channel)
  }

  publish(topic: string, bytes: Uint8Array): Promise<unknown> {
    return this.#publish(this.#names.topic(topic), topic, bytes)
  }

  send(node: string, topic: string, bytes: Uint8Array): Promise<unknown> {
    return this.#publish(this.#names.node(node), topic, bytes)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#options.timers.clear(this.#timer)
    this.#session?.close()
  }

  #current(): RedisSession {
    if (this.#session === undefined) throw new Error("expected a session, got none")
    return this.#session
  }

  #publish(channel: string, topic: string, bytes: Uint8Array): Promise<unknown> {
    const { namespace, node } = this.pubsub
    return this.#current().publish(channel, encodeEnvelope({ namespace, from: node, topic, bytes }))
  }

  async #openSession(): Promise<void> {
    const { createClient, connect, timers, pingIntervalMs, pingTimeoutMs } = this.#options
    let isOpen = false
    let lostBy: unknown
    const session = new RedisSession({
      createClient,
      timers,
      pingIntervalMs,
      pingTimeoutMs,
      onFrame: (frame) => this.#receive(frame),
      // A session that fails while it is being opened makes this function reject.
      onLost: (cause) => {
        if (isOpen) this.#onLost(cause)
        else lostBy = cause
      },
    })
    this.#session = session
    try {
      await connect(session)
      await session.subscribe(this.#names.node(this.pubsub.node))
      await this.#restoreChannels(session)
      if (session.isLost || this.#isClosed) throw new Error("the connection was lost")
    } catch (error) {
      session.close()
      // After a lost connection, the error may only say that the session has been closed.
      throw lostBy ?? error
    }
    isOpen = true
    await this.#sendProbe(session)
    session.every(pingIntervalMs, () => this.#sendProbe(session))
  }

  /** Subscribes to all channels again. Reports those that the server no longer allows; the others work without them. */
  async #restoreChannels(session: RedisSession): Promise<void> {
    await Promise.all(Array.from(this.#channels.keys(), (channel) => this.#restore(session, channel)))
  }

  async #restore(session: RedisSession, channel: string): Promise<void> {
    const entry = this.#channels.get(channel)
    try {
      await session.subscribe(channel)
      if (entry === undefined) return
      entry.isRefused = false
      this.pubsub.restore(entry.topic)
    } catch (error) {
      if (!isRefusal(error)) throw error
      if (entry === undefined || entry.isRefused) return
      entry.isRefused = true
      this.pubsub.revoke(entry.topic, error)
    }
  }

  /**
   * Sends a probe to this node's own name. A node that may not send is of no use to the others, so it counts as
   * disconnected, although it receives.
   */
  async #sendProbe(session: RedisSession): Promise<void> {
    try {
      await session.publish(this.#names.node(this.pubsub.node), this.#probe.message)
    } catch (error) {
      if (session.isLost) return
      this.#reports.report(error)
      return this.pubsub.setStatus("disconnected", error)
    }
    if (session.isLost) return
    this.#reports.clear()
    this.#probes += 1
    if (this.#probes % PROBES_PER_RETRY === 0) await this.#retryRefused(session)
    if (!session.isLost) this.pubsub.setStatus("connected")
  }

  async #retryRefused(session: RedisSession): Promise<void> {
    for (const [channel, { isRefused }] of this.#channels) if (isRefused) await this.#restore(session, channel)
  }

  #receive(frame: Buffer): void {
    if (isProbe(frame)) this.#probe.receive(frame)
    else deliverEnvelope(this.pubsub, frame)
  }

  #onLost(cause: unknown): void {
    if (this.#isClosed) return
    this.pubsub.setStatus("disconnected", cause)
    this.#reports.report(cause)
    this.#reconnect(0)
  }

  #reconnect(attempt: number): void {
    const { timers, random } = this.#options
    const open = async (): Promise<void> => {
      try {
        await this.#openSession()
      } catch (error) {
        if (this.#isClosed) return
        this.pubsub.setStatus("disconnected", error)
        this.#reports.report(error)
        this.#reconnect(attempt + 1)
      }
    }
    this.#timer = timers.set(() => void open(), reconnectDelay(attempt, random()))
  }
}

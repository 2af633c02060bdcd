import { ConfigError, RollcallError } from "../error.ts"
import type { DropReason, PubSub, PubSubOptions, PubSubStatus, Receive } from "./pubsub.ts"

/**
 * What an engine does for its `Endpoint`, which asks only while `connected` and, for one topic, one thing at a time.
 *
 * A promise that rejects after the connection is gone is asked again when it is back; rejecting while it stands is final.
 */
export interface Engine {
  /** Resolves once messages of `topic` are sure to arrive. */
  listen(topic: string): Promise<unknown>
  unlisten(topic: string): Promise<unknown>
  /** Settles when the bytes have left; `undefined` says that they have. They are the caller's again on return. */
  publish(topic: string, bytes: Uint8Array): Promise<unknown> | undefined
  send(node: string, topic: string, bytes: Uint8Array): Promise<unknown> | undefined
  close(): Promise<unknown>
}

interface Subscription {
  readonly receive: Receive
  active: boolean
}

interface Topic {
  /** Replaced, never changed: a receiver may subscribe and undo while the messages are being handed out. */
  subscriptions: readonly Subscription[]
  listening: boolean
  step: Promise<void> | undefined
}

/** Messages that leave together, as an engine tells by giving one promise for several. */
interface Departure {
  readonly sent: Promise<unknown>
  size: number
  count: number
}

/** Counted for each message on its way out, so that ten million empty ones are not free. */
const OVERHEAD = 64

/** The half of a node that no engine differs in: who listens here, what is counted, what may wait. */
export class Endpoint implements PubSub {
  readonly node: string
  readonly namespace: string
  readonly maxBufferedBytes: number
  readonly #engine: Engine
  readonly #onDrop: (reason: DropReason) => void
  readonly #onError: (error: unknown) => void
  readonly #topics = new Map<string, Topic>()
  readonly #listeners = new Set<(status: PubSubStatus) => void>()
  #status: PubSubStatus
  /** How often the connection broke: an answer from before is no answer to the question as it stands now. */
  #breaks = 0
  #buffered = 0
  #departure: Departure | undefined
  #drained: (() => void) | undefined
  #closing: Promise<void> | undefined

  constructor(options: PubSubOptions, engine: Engine, status: PubSubStatus = "connected") {
    this.node = named("node", options.node ?? randomName())
    this.namespace = named("namespace", options.namespace ?? "rollcall")
    this.maxBufferedBytes = options.maxBufferedBytes ?? 64 * 1024 * 1024
    if (!(this.maxBufferedBytes > 0)) {
      throw new ConfigError(`maxBufferedBytes must be a number above 0; it is ${this.maxBufferedBytes}`)
    }
    this.#onDrop = options.onDrop ?? (() => {})
    this.#onError = options.onError ?? (() => {})
    this.#engine = engine
    this.#status = status
  }

  get status(): PubSubStatus {
    return this.#status
  }

  async subscribe(topic: string, receive: Receive): Promise<() => void> {
    this.#assertOpen()
    const entry = this.#topics.get(topic) ?? { subscriptions: [], listening: false, step: undefined }
    this.#topics.set(topic, entry)
    const subscription: Subscription = { receive, active: true }
    entry.subscriptions = [...entry.subscriptions, subscription]
    const undo = (): void => {
      if (!subscription.active) return
      subscription.active = false
      entry.subscriptions = entry.subscriptions.filter((other) => other !== subscription)
      if (entry.subscriptions.length === 0) this.#settle(topic, entry).catch((error: unknown) => this.report(error))
    }
    try {
      await this.#settle(topic, entry)
      this.#assertOpen()
    } catch (error) {
      undo()
      throw error
    }
    return undo
  }

  publish(topic: string, bytes: Uint8Array): void {
    if (this.#admits(bytes)) this.#track(bytes.length + OVERHEAD, this.#engine.publish(topic, bytes))
  }

  send(node: string, topic: string, bytes: Uint8Array): void {
    if (!this.#admits(bytes)) return
    if (node === this.node) this.drop("echo")
    else this.#track(bytes.length + OVERHEAD, this.#engine.send(node, topic, bytes))
  }

  onStatus(listener: (status: PubSubStatus) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Hands one message to whoever listens here; the engine's side. */
  deliver(from: string, topic: string, bytes: Uint8Array): void {
    if (this.#status === "closed") return
    if (from === this.node) return this.drop("echo")
    const subscriptions = this.#topics.get(topic)?.subscriptions ?? []
    if (subscriptions.length === 0) return this.drop("unwanted")
    for (const subscription of subscriptions) {
      if (!subscription.active) continue
      try {
        subscription.receive(bytes, from)
      } catch (error) {
        this.report(error)
      }
    }
  }

  /** Takes note of how the connection stands; the engine's side. */
  become(status: "connected" | "disconnected"): void {
    if (this.#status !== "closed") this.#tell(status)
  }

  /** Counts a message that goes no further. */
  drop(reason: DropReason): void {
    this.guard(() => this.#onDrop(reason))
  }

  /** Passes on what the engine complains of. */
  report(error: unknown): void {
    try {
      this.#onError(error)
    } catch {
      // A reporter that throws has nobody left to be reported to.
    }
  }

  /** Runs foreign code, which must not break the one who calls it. */
  guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.report(error)
    }
  }

  /**
   * Brings the engine to what the subscribers wish, one step at a time: listen → unlisten → listen sent in one breath
   * would leave it to the driver which of them wins. A step under way is awaited even where the wish already looks
   * fulfilled: whoever subscribes during an unlisten would otherwise be told yes by the listening that is ending.
   */
  async #settle(topic: string, entry: Topic): Promise<void> {
    while (this.#status !== "closed") {
      if (entry.step === undefined) {
        if (entry.listening === entry.subscriptions.length > 0) break
        entry.step = this.#step(topic, entry).finally(() => (entry.step = undefined))
      }
      await this.#untilClosed(entry.step)
    }
    if (entry.subscriptions.length === 0 && this.#topics.get(topic) === entry) this.#topics.delete(topic)
  }

  async #step(topic: string, entry: Topic): Promise<void> {
    if (this.#status === "disconnected") return this.#statusChange()
    const wanted = entry.subscriptions.length > 0
    const breaks = this.#breaks
    try {
      await (wanted ? this.#engine.listen(topic) : this.#engine.unlisten(topic))
      entry.listening = wanted
    } catch (error) {
      if (this.#status !== "connected" || this.#breaks !== breaks) return
      for (const subscription of entry.subscriptions) subscription.active = false
      entry.subscriptions = []
      throw refused(topic, error)
    }
  }

  /** Settles as `work` does, and no later than the close, after which a driver may leave its promises open. */
  #untilClosed(work: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const undo = this.onStatus((status) => {
        if (status === "closed") resolve()
      })
      work.then(resolve, reject).finally(undo)
    })
  }

  #statusChange(): Promise<void> {
    return new Promise((resolve) => {
      const undo = this.onStatus(() => {
        undo()
        resolve()
      })
    })
  }

  #admits(bytes: Uint8Array): boolean {
    this.#assertOpen()
    if (bytes.length > this.maxBufferedBytes) {
      const message = `A payload of at most ${this.maxBufferedBytes} bytes was expected, ${bytes.length} came`
      throw new RollcallError("payload_too_large", message)
    }
    if (this.#status === "connected" && this.#buffered <= this.maxBufferedBytes) return true
    this.drop(this.#status === "connected" ? "overflow" : "offline")
    return false
  }

  #track(size: number, sent: Promise<unknown> | undefined): void {
    if (sent === undefined) return
    this.#buffered += size
    if (sent === this.#departure?.sent) {
      this.#departure.size += size
      this.#departure.count += 1
      return
    }
    const departure = { sent, size, count: 1 }
    this.#departure = departure
    const release = (): void => {
      if (this.#departure === departure) this.#departure = undefined
      this.#buffered -= departure.size
      if (this.#buffered === 0) this.#drained?.()
    }
    sent.then(release, () => {
      release()
      for (let i = 0; i < departure.count; i += 1) this.drop("offline")
    })
  }

  async #close(): Promise<void> {
    this.#tell("closed")
    for (const entry of this.#topics.values())
      for (const subscription of entry.subscriptions) subscription.active = false
    this.#topics.clear()
    this.#listeners.clear()
    if (this.#buffered > 0) await new Promise<void>((resolve) => (this.#drained = resolve))
    await this.#engine.close()
  }

  #tell(status: PubSubStatus): void {
    if (status === this.#status) return
    if (status === "disconnected") this.#breaks += 1
    this.#status = status
    for (const listener of this.#listeners) this.guard(() => listener(status))
  }

  #assertOpen(): void {
    if (this.#status === "closed") throw new RollcallError("closed", `The node ${this.node} was closed and stays so`)
  }
}

function refused(topic: string, cause: unknown): RollcallError {
  const said = cause instanceof Error ? cause.message : String(cause)
  return new RollcallError("subscribe_refused", `The engine refused the topic ${JSON.stringify(topic)}: ${said}`, {
    cause,
  })
}

function named(option: string, value: string): string {
  if (value.length >= 1 && value.length <= 255) return value
  throw new ConfigError(`${option} must have 1 to 255 characters; it has ${value.length}`)
}

function randomName(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("")
}

import { ConfigError, RollcallError } from "../error.ts"
import type { Engine } from "./engine.ts"
import { Listeners } from "../listeners.ts"
import type { DropReason, PubSub, PubSubOptions, PubSubStatus, Receive } from "./pubsub.ts"
import { EngineStatus } from "./engine-status.ts"
import { Subscriptions } from "./subscriptions.ts"

/** Messages that leave together. */
interface Departure {
  readonly sent: Promise<unknown>
  size: number
  count: number
}

/** Counted for each message on its way out, so that ten million empty ones are not free. */
const OVERHEAD = 64

/** The half of a node that no engine differs in: who listens here, what is counted, what may wait. */
export class EnginePubSub implements PubSub {
  readonly node: string
  readonly namespace: string
  readonly maxBufferedBytes: number
  readonly #engine: Engine
  readonly #dropListeners = new Listeners<[reason: DropReason]>()
  readonly #onError: (error: unknown) => void
  readonly #status: EngineStatus
  readonly #subscriptions: Subscriptions
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
    if (options.onDrop !== undefined) this.#dropListeners.add(options.onDrop)
    this.#onError = options.onError ?? (() => {})
    this.#engine = engine
    this.#status = new EngineStatus(status, this.report)
    this.#subscriptions = new Subscriptions(engine, this.#status, this.report)
  }

  get status(): PubSubStatus {
    return this.#status.status
  }

  async subscribe(topic: string, receive: Receive): Promise<() => void> {
    this.#assertOpen()
    const undo = await this.#subscriptions.add(topic, receive)
    this.#assertOpen()
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
    return this.#status.onChange(listener)
  }

  onDrop(listener: (reason: DropReason) => void): () => void {
    return this.#dropListeners.add(listener)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Hands one message to whoever listens here; the engine's side. */
  deliver(from: string, topic: string, bytes: Uint8Array): void {
    if (this.status === "closed") return
    if (from === this.node) this.drop("echo")
    else if (!this.#subscriptions.deliver(topic, bytes, from)) this.drop("unwanted")
  }

  /** Takes note of how the connection stands; the engine's side. */
  become(status: "connected" | "disconnected"): void {
    this.#status.become(status)
  }

  /** Counts a message that goes no further. */
  drop(reason: DropReason): void {
    this.#dropListeners.emit(this.report, reason)
  }

  /** Reports an error of the engine, or of a listener. */
  readonly report = (error: unknown): void => {
    try {
      this.#onError(error)
    } catch {
      // When `onError` itself throws, there is nowhere left to report it.
    }
  }

  #admits(bytes: Uint8Array): boolean {
    this.#assertOpen()
    if (bytes.length > this.maxBufferedBytes) {
      const message = `A payload of at most ${this.maxBufferedBytes} bytes was expected, ${bytes.length} came`
      throw new RollcallError("payload_too_large", message)
    }
    if (this.status === "connected" && this.#buffered <= this.maxBufferedBytes) return true
    this.drop(this.status === "connected" ? "overflow" : "offline")
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
    this.#status.become("closed")
    this.#subscriptions.clear()
    if (this.#buffered > 0) await new Promise<void>((resolve) => (this.#drained = resolve))
    await this.#engine.close()
  }

  #assertOpen(): void {
    if (this.status === "closed") throw new RollcallError("closed", `The node ${this.node} was closed and stays so`)
  }
}

function named(option: string, value: string): string {
  if (value.length >= 1 && value.length <= 255) return value
  throw new ConfigError(`${option} must have 1 to 255 characters; it has ${value.length}`)
}

function randomName(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("")
}

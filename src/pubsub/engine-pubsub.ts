import { ConfigError, RollcallError } from "../error.ts"
import { Listeners } from "../listeners.ts"
import type { Engine } from "./engine.ts"
import { subscribeRefused, textOf } from "./engine-refusals.ts"
import { EngineStatus } from "./engine-status.ts"
import type { DropReason, PubSub, PubSubOptions, PubSubStatus, Receive } from "./pubsub.ts"
import { ReportsOnce } from "./reports-once.ts"
import { Subscriptions } from "./subscriptions.ts"

/** Messages that leave together: the engine returned the same promise for them. */
interface Batch {
  readonly sent: Promise<unknown>
  size: number
  count: number
}

/** The bytes counted for each buffered message in addition to its payload: ten million empty messages take memory, too. */
const OVERHEAD = 64

/** A node on an engine. It contains the parts that all engines share: subscriptions, drop counts, and the buffer limit. */
export class EnginePubSub implements PubSub {
  readonly node: string
  readonly namespace: string
  readonly maxBufferedBytes: number
  readonly #engine: Engine
  readonly #dropListeners = new Listeners<[reason: DropReason]>()
  readonly #errorListeners = new Listeners<[error: unknown]>()
  readonly #refusals = new ReportsOnce((error) => this.report(error))
  readonly #status: EngineStatus
  readonly #subscriptions: Subscriptions
  #problem: string | undefined
  #bufferedBytes = 0
  #lastBatch: Batch | undefined
  #onDrained: (() => void) | undefined
  #closing: Promise<void> | undefined

  /** @throws ConfigError for a name that is empty or too long, and for a buffer limit that is not above 0 */
  constructor(options: PubSubOptions, engine: Engine, status: PubSubStatus = "connected") {
    this.node = checkedName("node", options.node ?? randomName())
    this.namespace = checkedName("namespace", options.namespace ?? "rollcall")
    this.maxBufferedBytes = options.maxBufferedBytes ?? 64 * 1024 * 1024
    const limit: unknown = this.maxBufferedBytes
    if (!(typeof limit === "number" && limit > 0)) {
      throw new ConfigError(`expected maxBufferedBytes to be a number of bytes above 0, got ${String(limit)}`)
    }
    if (options.onDrop !== undefined) this.#dropListeners.add(options.onDrop)
    if (options.onError !== undefined) this.#errorListeners.add(options.onError)
    this.#engine = engine
    this.#status = new EngineStatus(status, this.report)
    this.#subscriptions = new Subscriptions(engine, this.#status, this.report)
  }

  get status(): PubSubStatus {
    return this.#status.current
  }

  get problem(): string | undefined {
    return this.status === "disconnected" ? this.#problem : undefined
  }

  get unansweredMs(): number | undefined {
    return this.#engine.unansweredMs
  }

  async subscribe(topic: string, receive: Receive): Promise<() => void> {
    this.#assertOpen()
    const undo = await this.#subscriptions.add(topic, receive)
    this.#assertOpen()
    return undo
  }

  publish(topic: string, bytes: Uint8Array): void {
    if (this.#canSend(bytes)) this.#countBuffered(bytes.length + OVERHEAD, this.#engine.publish(topic, bytes))
  }

  send(node: string, topic: string, bytes: Uint8Array): void {
    if (!this.#canSend(bytes)) return
    if (node === this.node) this.drop("echo")
    else this.#countBuffered(bytes.length + OVERHEAD, this.#engine.send(node, topic, bytes))
  }

  onStatus(listener: (status: PubSubStatus) => void): () => void {
    return this.#status.onChange(listener)
  }

  onDrop(listener: (reason: DropReason) => void): () => void {
    return this.#dropListeners.add(listener)
  }

  onError(listener: (error: unknown) => void): () => void {
    return this.#errorListeners.add(listener)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Delivers a message that the engine received to the subscribers of this node. */
  deliver(from: string, topic: string, bytes: Uint8Array): void {
    if (this.status === "closed") return
    if (from === this.node) this.drop("echo")
    else if (!this.#subscriptions.deliver(topic, bytes, from)) this.drop("unwanted")
  }

  /** Sets the status of the connection, as the engine sees it, and for `disconnected` the reason. */
  setStatus(status: "connected" | "disconnected", cause?: unknown): void {
    if (cause !== undefined) this.#problem = textOf(cause)
    else if (status === "connected") this.#problem = undefined
    this.#status.set(status)
  }

  /** Reports that the engine no longer allows a topic. Until `restore`, further subscriptions to it are refused. */
  revoke(topic: string, cause: unknown): void {
    const error = subscribeRefused(topic, cause)
    this.#subscriptions.revoke(topic, error)
    this.report(error)
  }

  restore(topic: string): void {
    this.#subscriptions.restore(topic)
  }

  /** Counts a dropped message. */
  drop(reason: DropReason): void {
    this.#dropListeners.emit(this.report, reason)
  }

  /** Reports an error of the engine, of a receiver or of a listener. */
  readonly report = (error: unknown): void => {
    // An error that a listener itself throws cannot be reported anywhere.
    this.#errorListeners.emit(() => {}, error)
  }

  /** Returns `false`, and counts the drop, when the message cannot be sent now. */
  #canSend(bytes: Uint8Array): boolean {
    this.#assertOpen()
    if (bytes.length > this.maxBufferedBytes) {
      const message = `expected a payload of at most ${this.maxBufferedBytes} bytes (maxBufferedBytes), got ${bytes.length}`
      throw new RollcallError("payload_too_large", message)
    }
    if (this.status === "connected" && this.#bufferedBytes <= this.maxBufferedBytes) return true
    this.drop(this.status === "connected" ? "overflow" : "offline")
    return false
  }

  /** Counts a message as buffered until `sent` settles. */
  #countBuffered(size: number, sent: Promise<unknown> | undefined): void {
    if (sent === undefined) return
    this.#bufferedBytes += size
    if (sent === this.#lastBatch?.sent) {
      this.#lastBatch.size += size
      this.#lastBatch.count += 1
      return
    }
    const batch = { sent, size, count: 1 }
    this.#lastBatch = batch
    const release = (): void => {
      if (this.#lastBatch === batch) this.#lastBatch = undefined
      this.#bufferedBytes -= batch.size
      if (this.#bufferedBytes === 0) this.#onDrained?.()
    }
    sent.then(release, (error: unknown) => {
      release()
      const isRefused = error instanceof RollcallError && error.code === "publish_refused"
      if (isRefused) this.#refusals.report(error)
      for (let i = 0; i < batch.count; i += 1) this.drop(isRefused ? "refused" : "offline")
    })
  }

  async #close(): Promise<void> {
    this.#status.set("closed")
    this.#subscriptions.clear()
    if (this.#bufferedBytes > 0) await new Promise<void>((resolve) => (this.#onDrained = resolve))
    await this.#engine.close()
  }

  #assertOpen(): void {
    if (this.status === "closed") throw nodeClosed(this.node)
  }
}

/** Returns the error of a call on a node after its `close()`: `RollcallError` `closed`. */
export function nodeClosed(node: string): RollcallError {
  return new RollcallError(
    "closed",
    `expected the node ${JSON.stringify(node)} to be open, got a call after its close()`,
  )
}

function checkedName(option: string, value: string): string {
  if (value.length >= 1 && value.length <= 255) return value
  throw new ConfigError(`expected ${option} to be a string of 1 to 255 characters, got ${value.length} characters`)
}

function randomName(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("")
}

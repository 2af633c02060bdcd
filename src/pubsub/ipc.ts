import { ConfigError, RollcallError } from "../error.ts"
import { Listeners } from "../listeners.ts"
import { systemTimers, type Timers } from "../timers.ts"
import { checkKnownNames } from "../known-names.ts"
import { quote } from "../quote.ts"
import { EnginePubSub } from "./engine-pubsub.ts"
import { primaryUnanswering } from "./engine-refusals.ts"
import type { Engine } from "./engine.ts"
import { decodeIpcMessage, decodePayload, encodeIpcMessage, encodePayload, type WorkerMessage } from "./ipc-messages.ts"
import { Liveness, type LivenessTiming } from "./liveness.ts"
import { PINGING_OPTIONS } from "./option-names.ts"
import { checkMs, pingTimingOf } from "./ping-timing.ts"
import type { PubSub, PubSubOptions } from "./pubsub.ts"

/** The options of `ipc`. */
export interface IpcOptions extends PubSubOptions, LivenessTiming {
  /** How many milliseconds the primary may take to answer the handshake; 5000 by default. */
  readonly timeoutMs?: number
  readonly timers?: Timers
}

/** A node that is notified at once when another node of its bus is gone. */
export type IpcPubSub = PubSub & Required<Pick<PubSub, "onNodeDown">>

let lastId = 0

/**
 * Connects a worker process to the bus of all workers of this machine, which the primary process relays (`relay`).
 *
 * When the primary is gone, the node stays `disconnected`: a worker cannot reconnect to another primary.
 *
 * It pings the primary each second. While the primary does not answer for 3 s, because it is suspended or blocked, the node
 * is `disconnected`, so that nobody counts the silence of the other workers.
 *
 * @throws ConfigError outside a worker process
 * @throws RollcallError `no_relay` when the primary does not answer, `node_taken` when another worker uses the name
 */
export async function ipc(options: IpcOptions = {}): Promise<IpcPubSub> {
  if (process.send === undefined) {
    throw new ConfigError("expected ipc() to run in a worker process with an IPC channel, got a process without one")
  }
  checkKnownNames("an option of ipc", options, { ...PINGING_OPTIONS, timeoutMs: true, timers: true })
  const { timeoutMs = 5_000, timers = systemTimers } = options
  const timing = pingTimingOf(options)
  checkMs("timeoutMs", timeoutMs)
  const id = (lastId += 1)
  const confirmations = new Map<string, () => void>()
  const nodeDownListeners = new Listeners<[node: string]>()
  let binary = false
  let resolveHandshake!: (outcome: "welcome" | "taken" | "timeout") => void
  const handshake = new Promise<string>((resolve) => (resolveHandshake = resolve))

  const send = (...message: WorkerMessage): Promise<void> =>
    new Promise((resolve, reject) => {
      process.send!(encodeIpcMessage(id, message), undefined, undefined, (error) => {
        if (!error) return resolve()
        // A write may fail before the process emits `disconnect`. The rejection would then look like a refusal.
        onDisconnect()
        reject(error)
      })
    })
  const onMessage = (received: unknown): void => {
    const decoded = decodeIpcMessage(received)
    if (decoded === undefined) return
    if (typeof decoded === "string") return pubsub.drop(decoded)
    if (decoded.id !== id) return
    receivedFromPrimary()
    const [kind, one, two, three] = decoded.message
    if (kind === "message" && typeof one === "string" && typeof two === "string") {
      const bytes = decodePayload(three)
      if (bytes === undefined) pubsub.drop("garbage")
      else pubsub.deliver(one, two, bytes)
    } else if (kind === "listening" && typeof one === "string") confirmations.get(one)?.()
    else if (kind === "down" && typeof one === "string") nodeDownListeners.emit(pubsub.report, one)
    else if (kind === "welcome" || kind === "taken") {
      binary = one === true
      resolveHandshake(kind)
    } else if (kind === "pong") liveness ??= watch()
    else pubsub.drop("garbage")
  }
  let liveness: Liveness | undefined
  let isSuspended = false
  const watch = (): Liveness =>
    new Liveness({
      ...timing,
      timers,
      ping: () => send("ping").then(() => new Promise(() => undefined)),
      onLost() {
        isSuspended = true
        const error = primaryUnanswering(timing.pingTimeoutMs)
        pubsub.setStatus("disconnected", error)
        pubsub.report(error)
      },
    })
  /** Called for each message from the primary: it answers, perhaps again. */
  const receivedFromPrimary = (): void => {
    liveness?.received()
    if (!isSuspended) return
    isSuspended = false
    liveness = watch()
    pubsub.setStatus("connected")
  }
  const onDisconnect = (): void => {
    liveness?.stop()
    pubsub.setStatus("disconnected", "the primary process is gone")
  }
  const engine: Engine = {
    async subscribe(topic) {
      const confirmed = new Promise<void>((resolve) => confirmations.set(topic, resolve))
      await send("listen", topic).then(() => confirmed)
      confirmations.delete(topic)
    },
    unsubscribe: (topic) => send("unlisten", topic),
    publish: (topic, bytes) => send("publish", topic, encodePayload(bytes, binary)),
    send: (node, topic, bytes) => send("send", node, topic, encodePayload(bytes, binary)),
    async close() {
      liveness?.stop()
      nodeDownListeners.clear()
      await send("bye").catch(() => {})
      process.off("message", onMessage).off("disconnect", onDisconnect)
    },
    get unansweredMs() {
      return liveness?.unansweredMs ?? 0
    },
  }
  const pubsub = new EnginePubSub(options, engine, "disconnected")
  process.on("message", onMessage).on("disconnect", onDisconnect)

  const timer = timers.set(() => resolveHandshake("timeout"), timeoutMs)
  await send("hello", pubsub.namespace, pubsub.node, new Uint8Array(1)).catch(() => resolveHandshake("timeout"))
  const outcome = await handshake
  timers.clear(timer)
  if (outcome !== "welcome") {
    await pubsub.close()
    throw outcome === "taken" ? nodeTaken(pubsub.node) : noRelay(timeoutMs)
  }
  pubsub.setStatus("connected")
  // A primary that does not answer this one runs an older release, and is not watched.
  void send("ping").catch(() => undefined)
  return Object.assign(pubsub, {
    onNodeDown: (listener: (node: string) => void): (() => void) => nodeDownListeners.add(listener),
  })
}

function nodeTaken(node: string): RollcallError {
  const message = `expected a node name that no other worker has, got ${quote(node)}`
  return new RollcallError("node_taken", message)
}

function noRelay(timeoutMs: number): RollcallError {
  const message = `expected the primary process to answer within ${timeoutMs} ms, got no answer; call relay() in it`
  return new RollcallError("no_relay", message)
}

import { ConfigError, RollcallError } from "../error.ts"
import { systemTimers, type Timers } from "../timers.ts"
import { EnginePubSub } from "./engine-pubsub.ts"
import type { Engine } from "./engine.ts"
import { envelop, pack, read, unpack, type FromWorker } from "./ipc-messages.ts"
import { Listeners } from "../listeners.ts"
import type { PubSub, PubSubOptions } from "./pubsub.ts"

/** What `ipc` takes. */
export interface IpcOptions extends PubSubOptions {
  /** How many milliseconds the primary may take to answer; 5000 by default. */
  readonly timeoutMs?: number
  readonly timers?: Timers
}

/** A node whose engine sees the others die. */
export type IpcPubSub = PubSub & Required<Pick<PubSub, "onNodeDown">>

let nodes = 0

/**
 * Joins, from a worker process, the bus of all workers of this machine, which the primary relays (`relay`).
 *
 * Rejects with `ConfigError` outside a worker, and with `RollcallError`: `no_relay` when the primary does not answer,
 * `node_taken` when another worker has the name. When the primary is gone the node is `disconnected` for good.
 */
export async function ipc(options: IpcOptions = {}): Promise<IpcPubSub> {
  if (process.send === undefined) {
    throw new ConfigError("ipc() works in a worker process that was forked with an IPC channel; this process has none")
  }
  const { timeoutMs = 5_000, timers = systemTimers } = options
  const id = (nodes += 1)
  const confirmations = new Map<string, () => void>()
  const downs = new Listeners<[node: string]>()
  let binary = false
  let answer!: (answer: "welcome" | "taken" | "silence") => void
  const answered = new Promise<string>((resolve) => (answer = resolve))

  const say = (...said: FromWorker): Promise<void> =>
    new Promise((resolve, reject) => {
      process.send!(envelop(id, said), undefined, undefined, (error) => (error ? reject(error) : resolve()))
    })
  const hear = (message: unknown): void => {
    const post = read(message)
    if (post === undefined) return
    if (typeof post === "string") return endpoint.drop(post)
    if (post.id !== id) return
    const [word, one, two, three] = post.said
    if (word === "message" && typeof one === "string" && typeof two === "string") {
      const bytes = unpack(three)
      if (bytes === undefined) endpoint.drop("garbage")
      else endpoint.deliver(one, two, bytes)
    } else if (word === "listening" && typeof one === "string") confirmations.get(one)?.()
    else if (word === "down" && typeof one === "string") {
      downs.emit(endpoint.report, one)
    } else if (word === "welcome" || word === "taken") {
      binary = one === true
      answer(word)
    } else endpoint.drop("garbage")
  }
  const lost = (): void => endpoint.become("disconnected")
  const engine: Engine = {
    async listen(topic) {
      const confirmed = new Promise<void>((resolve) => confirmations.set(topic, resolve))
      await say("listen", topic).then(() => confirmed)
      confirmations.delete(topic)
    },
    unlisten: (topic) => say("unlisten", topic),
    publish: (topic, bytes) => say("publish", topic, pack(bytes, binary)),
    send: (node, topic, bytes) => say("send", node, topic, pack(bytes, binary)),
    async close() {
      downs.clear()
      await say("bye").catch(() => {})
      process.off("message", hear).off("disconnect", lost)
    },
  }
  const endpoint = new EnginePubSub(options, engine, "disconnected")
  process.on("message", hear).on("disconnect", lost)

  const timer = timers.set(() => answer("silence"), timeoutMs)
  await say("hello", endpoint.namespace, endpoint.node, new Uint8Array(1)).catch(() => answer("silence"))
  const outcome = await answered
  timers.clear(timer)
  if (outcome !== "welcome") {
    await endpoint.close()
    if (outcome === "taken")
      throw new RollcallError("node_taken", `Another worker is named ${JSON.stringify(endpoint.node)}`)
    throw new RollcallError(
      "no_relay",
      `An answer of the primary was expected within ${timeoutMs} ms; it needs relay()`,
    )
  }
  endpoint.become("connected")
  return Object.assign(endpoint, {
    onNodeDown: (listener: (node: string) => void): (() => void) => downs.add(listener),
  })
}

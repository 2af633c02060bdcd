import { convertPayload, decodeIpcMessage, encodeIpcMessage, type PrimaryMessage } from "./ipc-messages.ts"
import type { DropReason } from "./pubsub.ts"
import { NamespacedIndexes, type SubscriberIndex } from "./subscriber-index.ts"

/** A worker process, as its primary sees it: a `Worker` of `node:cluster`, or a `ChildProcess` with an IPC channel. */
export interface WorkerProcess {
  send(message: unknown, callback?: (error: Error | null) => void): boolean
  on(event: "message", listener: (message: unknown) => void): unknown
  on(event: "exit" | "disconnect", listener: () => void): unknown
}

/** The part of `node:cluster` that `relay` uses. */
export interface WorkerCluster {
  readonly workers?: { readonly [id: string]: WorkerProcess | undefined } | undefined
  on(event: "fork", listener: (worker: WorkerProcess) => void): unknown
}

/** The options of `relay`. */
export interface RelayOptions {
  /** How many bytes may be buffered for one worker; messages beyond that are dropped. 64 MiB by default. */
  readonly maxBufferedBytes?: number
  /** Called with the reason for each message that is dropped. */
  readonly onDrop?: (reason: DropReason) => void
}

/** The primary's part of the bus: it relays messages between the workers, and is not a node itself. */
export interface Relay {
  /** Adds a worker to the relay until its process ends. */
  add(worker: WorkerProcess): void
}

/** The relay of each cluster: two relays for one cluster would deliver each message twice. */
const relays = new WeakMap<WorkerCluster, Relay>()

/**
 * Relays messages between worker processes: `relay(cluster)` serves all present and future workers of a `node:cluster`,
 * `relay()` the workers that are passed to `add`. A second call for the same cluster returns its existing relay, and
 * ignores the options.
 *
 * The relay knows the subscriptions of each worker, and sends a message only to the workers that need it. When a node
 * is gone, it notifies all workers at once.
 *
 * Fork with `serialization: "advanced"`, which carries payloads as bytes. The default, JSON, needs base64: many times
 * slower for large payloads, though a little faster for those below a kilobyte.
 */
export function relay(cluster?: WorkerCluster, options: RelayOptions = {}): Relay {
  const existing = cluster && relays.get(cluster)
  if (existing !== undefined) return existing
  const indexes = new NamespacedIndexes<Connection>()
  const created: Relay = { add: (worker) => serve(worker, indexes, options) }
  for (const worker of Object.values(cluster?.workers ?? {})) if (worker !== undefined) created.add(worker)
  cluster?.on("fork", created.add)
  if (cluster !== undefined) relays.set(cluster, created)
  return created
}

/** The connection to one node in a worker process. */
interface Connection {
  /** Whether the IPC channel carries bytes, or only JSON. */
  readonly binary: boolean
  /** @param size the bytes to count against `maxBufferedBytes`; 0 for control messages, which are never dropped */
  send(message: PrimaryMessage, size?: number): void
}

interface ConnectedNode {
  readonly index: SubscriberIndex<Connection>
  readonly name: string
  readonly connection: Connection
}

/** The bytes counted for each message in addition to its payload. */
const OVERHEAD = 64

function serve(worker: WorkerProcess, indexes: NamespacedIndexes<Connection>, options: RelayOptions): void {
  const { maxBufferedBytes = 64 * 1024 * 1024 } = options
  const nodes = new Map<number, ConnectedNode>()
  let bufferedBytes = 0

  const onDrop = (reason: DropReason): void => {
    try {
      options.onDrop?.(reason)
    } catch (error) {
      // If it were thrown here, it would end the loop over the subscribers, and the remaining ones would miss their message.
      queueMicrotask(() => {
        throw error
      })
    }
  }
  const connectionOf = (id: number, binary: boolean): Connection => ({
    binary,
    send(message, size = 0) {
      if (size > 0 && bufferedBytes > maxBufferedBytes) return onDrop("overflow")
      bufferedBytes += size
      worker.send(encodeIpcMessage(id, message), (error) => {
        bufferedBytes -= size
        if (error && size > 0) onDrop("offline")
      })
    },
  })
  const addNode = (id: number, namespace: string, name: string, probe: unknown): void => {
    const connection = connectionOf(id, probe instanceof Uint8Array)
    const index = indexes.of(namespace)
    if (!index.add(name, connection)) return connection.send(["taken"])
    nodes.set(id, { index, name, connection })
    connection.send(["welcome", connection.binary])
  }
  const removeNode = (id: number): void => {
    const node = nodes.get(id)
    if (node === undefined) return
    nodes.delete(id)
    node.index.remove(node.name)
    for (const [, connection] of node.index.peers()) connection.send(["down", node.name])
  }
  const forward = (from: string, to: Connection, topic: string, payload: unknown): void => {
    const converted = convertPayload(payload, to.binary)
    if (converted === undefined) return onDrop("garbage")
    to.send(["message", from, topic, converted], converted.length + OVERHEAD)
  }
  const onGone = (): void => {
    for (const id of nodes.keys()) removeNode(id)
  }

  worker.on("exit", onGone)
  worker.on("disconnect", onGone)
  worker.on("message", (received) => {
    const decoded = decodeIpcMessage(received)
    if (decoded === undefined) return
    if (typeof decoded === "string") return onDrop(decoded)
    const [kind, one, two, three] = decoded.message
    const node = nodes.get(decoded.id)
    if (kind === "hello" && node === undefined && typeof one === "string" && typeof two === "string") {
      addNode(decoded.id, one, two, three)
    } else if (node === undefined) onDrop("garbage")
    else if (kind === "listen" && typeof one === "string") {
      node.index.subscribe(node.name, one)
      node.connection.send(["listening", one])
    } else if (kind === "unlisten" && typeof one === "string") node.index.unsubscribe(node.name, one)
    else if (kind === "publish" && typeof one === "string") {
      for (const [name, connection] of node.index.subscribers(one)) {
        if (name !== node.name) forward(node.name, connection, one, two)
      }
    } else if (kind === "send" && typeof one === "string" && typeof two === "string") {
      const connection = node.index.subscriber(one, two)
      if (connection !== undefined) forward(node.name, connection, two, three)
    } else if (kind === "ping") node.connection.send(["pong"])
    else if (kind === "bye") removeNode(decoded.id)
    else onDrop("garbage")
  })
}

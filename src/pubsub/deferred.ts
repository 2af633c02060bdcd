import { Listeners } from "../listeners.ts"
import type { DropReason, PubSub, PubSubStatus, Receive } from "./pubsub.ts"

/**
 * Returns a node at once for an engine that is still connecting, for code that cannot await it.
 *
 * Until the engine is connected the node is `disconnected`, as when a bus is away: subscriptions wait, and messages are
 * dropped.
 *
 * @param failed called when the engine cannot be reached; the node is then `closed`
 */
export function deferred(node: string, connecting: Promise<PubSub>, failed: (error: unknown) => void): PubSub {
  const statusListeners = new Listeners<[status: PubSubStatus]>()
  const nodeDownListeners = new Listeners<[node: string]>()
  const dropListeners = new Listeners<[reason: DropReason]>()
  let connected: PubSub | undefined
  let closed = false

  const emitStatus = (status: PubSubStatus): void => {
    statusListeners.emit(failed, status)
  }
  const connection = connecting.then(async (pubsub) => {
    if (closed) {
      await pubsub.close()
      return pubsub
    }
    connected = pubsub
    pubsub.onStatus(emitStatus)
    pubsub.onNodeDown?.((node) => {
      nodeDownListeners.emit(failed, node)
    })
    pubsub.onDrop?.((reason) => {
      dropListeners.emit(failed, reason)
    })
    emitStatus(pubsub.status)
    return pubsub
  })
  connection.catch((error: unknown) => {
    closed = true
    emitStatus("closed")
    failed(error)
  })

  return {
    node,
    get status() {
      return connected?.status ?? (closed ? "closed" : "disconnected")
    },
    subscribe: async (topic: string, receive: Receive) => (await connection).subscribe(topic, receive),
    publish: (topic, bytes) => connected?.publish(topic, bytes),
    send: (to, topic, bytes) => connected?.send(to, topic, bytes),
    onStatus: (listener) => statusListeners.add(listener),
    onNodeDown: (listener) => nodeDownListeners.add(listener),
    onDrop: (listener) => dropListeners.add(listener),
    async close() {
      closed = true
      await connection.then((pubsub) => pubsub.close()).catch(() => undefined)
    },
  }
}

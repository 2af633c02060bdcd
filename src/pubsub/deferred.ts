import { Listeners } from "../listeners.ts"
import type { DropReason, PubSub, PubSubStatus, Receive } from "./pubsub.ts"

/**
 * A node whose engine is still being reached: until then it is `disconnected`, subscriptions wait, and messages are lost,
 * as on any bus that is away. For who has to name a node at once, and cannot await its engine.
 *
 * @param failed told when the engine cannot be reached; the node is then `closed`
 */
export function deferred(node: string, arriving: Promise<PubSub>, failed: (error: unknown) => void): PubSub {
  const statusListeners = new Listeners<[status: PubSubStatus]>()
  const downListeners = new Listeners<[node: string]>()
  const dropListeners = new Listeners<[reason: DropReason]>()
  let engine: PubSub | undefined
  let closed = false

  const tell = (status: PubSubStatus): void => {
    statusListeners.emit(failed, status)
  }
  const arrived = arriving.then(async (pubsub) => {
    if (closed) {
      await pubsub.close()
      return pubsub
    }
    engine = pubsub
    pubsub.onStatus(tell)
    pubsub.onNodeDown?.((node) => {
      downListeners.emit(failed, node)
    })
    pubsub.onDrop?.((reason) => {
      dropListeners.emit(failed, reason)
    })
    tell(pubsub.status)
    return pubsub
  })
  arrived.catch((error: unknown) => {
    closed = true
    tell("closed")
    failed(error)
  })

  return {
    node,
    get status() {
      return engine?.status ?? (closed ? "closed" : "disconnected")
    },
    subscribe: async (topic: string, receive: Receive) => (await arrived).subscribe(topic, receive),
    publish: (topic, bytes) => engine?.publish(topic, bytes),
    send: (to, topic, bytes) => engine?.send(to, topic, bytes),
    onStatus: (listener) => statusListeners.add(listener),
    onNodeDown: (listener) => downListeners.add(listener),
    onDrop: (listener) => dropListeners.add(listener),
    async close() {
      closed = true
      await arrived.then((pubsub) => pubsub.close()).catch(() => undefined)
    },
  }
}

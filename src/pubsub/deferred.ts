import { Listeners } from "../listeners.ts"
import { nodeClosed } from "./engine-pubsub.ts"
import { EngineStatus } from "./engine-status.ts"
import type { DropReason, PubSub, Receive } from "./pubsub.ts"

/** The callbacks for the errors of a deferred node. */
export interface DeferredHandlers {
  /** Called once when the engine cannot be reached; the node is `closed` then. Not called after a `close()`. */
  onUnreachable(error: unknown): void
  /** Called with what a listener of the node throws. */
  onError(error: unknown): void
}

/**
 * Returns a node at once for an engine that is still connecting, for code that cannot await it.
 *
 * Until the engine is connected, the node is `disconnected`: as after a lost connection, subscriptions wait for it, and
 * messages are dropped as `offline`. They also are if the engine cannot be reached.
 */
export function deferred(node: string, connecting: Promise<PubSub>, handlers: DeferredHandlers): PubSub {
  const onError = (error: unknown): void => handlers.onError(error)
  const status = new EngineStatus("disconnected", onError)
  const nodeDownListeners = new Listeners<[node: string]>()
  const dropListeners = new Listeners<[reason: DropReason]>()
  const errorListeners = new Listeners<[error: unknown]>()
  let engine: PubSub | undefined
  let closing: Promise<void> | undefined

  const attach = (connected: PubSub): PubSub => {
    if (closing !== undefined) return connected
    engine = connected
    connected.onStatus((next) => status.set(next))
    connected.onNodeDown?.((node) => {
      nodeDownListeners.emit(onError, node)
    })
    connected.onDrop?.((reason) => {
      dropListeners.emit(onError, reason)
    })
    connected.onError?.((error) => {
      errorListeners.emit(onError, error)
    })
    status.set(connected.status)
    return connected
  }
  const fail = (error: unknown): void => {
    if (closing !== undefined) return
    status.set("closed")
    handlers.onUnreachable(error)
  }
  const connection = connecting.then(attach)
  connection.catch(fail)

  /**
   * Returns the engine to send with; without one, counts the message as dropped. An engine that could not be reached was
   * reported once: an error for each message would fill the log.
   */
  const engineToSend = (): PubSub | undefined => {
    if (closing !== undefined) throw nodeClosed(node)
    if (engine === undefined) dropListeners.emit(onError, "offline")
    return engine
  }
  const subscribe = async (topic: string, receive: Receive): Promise<() => void> => {
    if (closing !== undefined) throw nodeClosed(node)
    const connected = await connection
    if (closing !== undefined) throw nodeClosed(node)
    return connected.subscribe(topic, receive)
  }
  const close = async (): Promise<void> => {
    status.set("closed")
    await connection.then((connected) => connected.close()).catch(() => undefined)
  }

  return {
    node,
    get status() {
      return status.current
    },
    get problem() {
      return engine?.problem
    },
    get unansweredMs() {
      return engine?.unansweredMs
    },
    subscribe,
    publish: (topic, bytes) => engineToSend()?.publish(topic, bytes),
    send: (to, topic, bytes) => engineToSend()?.send(to, topic, bytes),
    onStatus: (listener) => status.onChange(listener),
    onNodeDown: (listener) => nodeDownListeners.add(listener),
    onDrop: (listener) => dropListeners.add(listener),
    onError: (listener) => errorListeners.add(listener),
    close: () => (closing ??= close()),
  }
}

/** Receives a message: its bytes, which must not be modified, and the name of the node that sent them. */
export type Receive = (bytes: Uint8Array, from: string) => void

/**
 * The status of a node's connection to its engine. A `disconnected` node reconnects by itself; `closed` is final.
 *
 * When `connected` is emitted, every confirmed subscription is active again.
 */
export type PubSubStatus = "connected" | "disconnected" | "closed"

/**
 * Why a message was dropped.
 *
 * When sending: `offline` (the engine was not connected, or its connection was lost before the message had left),
 * `overflow` (more than `maxBufferedBytes` are waiting to be sent), `refused` (the engine does not allow this node to publish
 * to the topic).
 *
 * When receiving: `garbage` (not an envelope), `version` (an envelope of another version), `foreign` (of another
 * namespace), `echo` (the node's own), `incomplete` (a chunk of it was lost), `unwanted` (no subscription to its topic).
 */
export type DropReason =
  | "offline"
  | "overflow"
  | "refused"
  | "garbage"
  | "version"
  | "foreign"
  | "echo"
  | "incomplete"
  | "unwanted"

/**
 * One node on the bus between all nodes. It carries bytes by topic, to all other nodes or to one of them.
 *
 * The messages of one sender keep their order. A message may be lost, or arrive twice. Code that needs a guarantee must
 * repeat its messages itself. A node never receives its own messages. A topic may be any string.
 */
export interface PubSub {
  /** This node's name, unique in the cluster. */
  readonly node: string
  readonly status: PubSubStatus
  /** Why the node is not connected, in the words of the engine; `undefined` while it is, and where that is unknown. */
  readonly problem?: string | undefined
  /**
   * How long the engine has not answered, in ms; 0 while it answers. When the status becomes `disconnected`, it
   * says how long the connection had not worked before. Only engines that ping their server have this property.
   */
  readonly unansweredMs?: number | undefined
  /**
   * Subscribes to `topic`. Resolves once the engine has confirmed the subscription: every message that is published later
   * arrives. While the engine is disconnected, the promise waits for the reconnect. It resolves to a function that
   * unsubscribes: it takes effect at once, and a second call does nothing.
   *
   * @throws RollcallError `closed`, or `subscribe_refused` when the engine does not allow the topic
   */
  subscribe(topic: string, receive: Receive): Promise<() => void>
  /**
   * Sends to the subscribers of `topic` on all other nodes. The caller may reuse the bytes afterwards.
   *
   * @throws RollcallError `closed`, or `payload_too_large` beyond `maxBufferedBytes`
   */
  publish(topic: string, bytes: Uint8Array): void
  /** Sends to the subscribers of `topic` on one node. Otherwise it works like `publish`. */
  send(node: string, topic: string, bytes: Uint8Array): void
  /** Calls `listener` at each change of status. Returns a function that removes the listener. */
  onStatus(listener: (status: PubSubStatus) => void): () => void
  /**
   * Calls `listener` with the name of each node that is gone. Returns a function that removes the listener. Only engines that
   * detect such nodes have this method.
   */
  onNodeDown?(listener: (node: string) => void): () => void
  /** Calls `listener` with the reason for each dropped message. Returns a function that removes the listener. */
  onDrop?(listener: (reason: DropReason) => void): () => void
  /** Calls `listener` with each error that `onError` of the options gets. Returns a function that removes the listener. */
  onError?(listener: (error: unknown) => void): () => void
  /**
   * Closes the node, and resolves once all published messages have left and the connection is closed. No message is
   * received after the call. May be called again.
   */
  close(): Promise<void>
}

/** The options of every engine. */
export interface PubSubOptions {
  /** This node's name, 1 to 255 characters, unique in the cluster; a random one by default. */
  readonly node?: string
  /** Separates clusters that share an engine. 1 to 255 characters; `"rollcall"` by default. */
  readonly namespace?: string
  /** How many bytes may be waiting to be sent, and how large one payload may be; 64 MiB by default. */
  readonly maxBufferedBytes?: number
  /** Called with the reason for each dropped message. */
  readonly onDrop?: (reason: DropReason) => void
  /**
   * Called with the errors of the engine, and with those that a receiver or a listener throws. By default they are ignored.
   * Among them is a `RollcallError` with one of these codes:
   * - `name_conflict`: another living node has this node's name; reported once.
   * - `publish_refused`: the engine does not allow this node to publish; reported once for each text of the engine.
   * - `subscribe_refused`: the engine no longer allows a topic to which this node was subscribed.
   * - `engine_unanswering`: the engine did not answer a ping in time.
   */
  readonly onError?: (error: unknown) => void
}

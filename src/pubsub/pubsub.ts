/** What a node hears: the bytes, which it must not write to, and the name of the node that sent them. */
export type Receive = (bytes: Uint8Array, from: string) => void

/**
 * Where a node stands with its engine: `disconnected` comes back by itself, `closed` never does.
 *
 * By the time `connected` is told, every confirmed subscription stands again.
 */
export type PubSubStatus = "connected" | "disconnected" | "closed"

/**
 * Why a message went no further.
 *
 * On the way out: `offline` (the engine was away, or its connection broke under the message), `overflow` (more than
 * `maxBufferedBytes` wait to be sent).
 * On the way in: `garbage` (not an envelope), `version` (an envelope of another version), `foreign` (of another
 * namespace), `echo` (the node's own), `incomplete` (a part of it was lost), `unwanted` (nobody here listens any more).
 */
export type DropReason = "offline" | "overflow" | "garbage" | "version" | "foreign" | "echo" | "incomplete" | "unwanted"

/**
 * One node's place on the bus that joins all nodes: bytes by topic, to everybody else or to one.
 *
 * The messages of one sender keep their order. Loss and doubling are allowed: whoever needs more repeats himself.
 * A node never hears itself. A topic may be any string at all.
 */
export interface PubSub {
  /** This node's name, unique in the cluster. */
  readonly node: string
  readonly status: PubSubStatus
  /**
   * Hears `topic`, and resolves once the engine has confirmed it: nothing that is published later is missed.
   * While the engine is away it waits. The undo works at once, and once.
   *
   * Rejects with `RollcallError`: `closed`, or `subscribe_refused` when the engine does not allow it.
   */
  subscribe(topic: string, receive: Receive): Promise<() => void>
  /**
   * Sends to the subscribers of `topic` on all other nodes; the bytes may be reused afterwards.
   *
   * Throws `RollcallError`: `closed`, or `payload_too_large` beyond `maxBufferedBytes`.
   */
  publish(topic: string, bytes: Uint8Array): void
  /** Sends to the subscribers of `topic` on that node alone; otherwise as `publish`. */
  send(node: string, topic: string, bytes: Uint8Array): void
  /** Calls `listener` at each change of status; returns the undo. */
  onStatus(listener: (status: PubSubStatus) => void): () => void
  /** Calls `listener` with the name of a node that is known to be gone. Only where the engine sees its nodes die. */
  onNodeDown?(listener: (node: string) => void): () => void
  /** Calls `listener` with the reason why a message went no further, as `PubSubOptions.onDrop`; returns the undo. */
  onDrop?(listener: (reason: DropReason) => void): () => void
  /** Lets go of everything, after what was published has left. Nothing is received from the call on; may be repeated. */
  close(): Promise<void>
}

/** What every engine takes. */
export interface PubSubOptions {
  /** This node's name, 1 to 255 characters, unique in the cluster; a random one by default. */
  readonly node?: string
  /** Keeps apart the clusters that share an engine, 1 to 255 characters; `"rollcall"` by default. */
  readonly namespace?: string
  /** How many bytes may wait to be sent, and how large a single payload may be; 64 MiB by default. */
  readonly maxBufferedBytes?: number
  /** Told of each message that went no further. */
  readonly onDrop?: (reason: DropReason) => void
  /** Told what a receiver or a listener threw, and what the engine complains of; silent by default. */
  readonly onError?: (error: unknown) => void
}

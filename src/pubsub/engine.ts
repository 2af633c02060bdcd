/**
 * The operations of a message bus that an `EnginePubSub` calls. The bus is Redis, NATS, the primary process, or in memory.
 *
 * An engine is called only while the status is `connected`. Calls of `subscribe` and `unsubscribe` for one topic do not
 * overlap. If one of them rejects because the connection broke, it is repeated after the reconnect. If it rejects on an
 * intact connection, that is a final refusal. So an engine must report `disconnected` before it rejects because of a broken
 * connection.
 */
export interface Engine {
  /** Resolves once every message that is published to `topic` from now on will arrive. */
  subscribe(topic: string): Promise<unknown>
  unsubscribe(topic: string): Promise<unknown>
  /**
   * Sends the bytes. The caller may reuse their buffer after the call.
   *
   * The promise settles when the bytes have left this process. Messages that are written together may share one promise.
   * `undefined` means that they have left already. A promise that rejects with `publish_refused` is reported; after any
   * other error the messages count as `offline`.
   */
  publish(topic: string, bytes: Uint8Array): Promise<unknown> | undefined
  send(node: string, topic: string, bytes: Uint8Array): Promise<unknown> | undefined
  close(): Promise<unknown>
  /** How long the engine has not answered, in ms. Only engines that ping their server have this property. */
  readonly unansweredMs?: number | undefined
}

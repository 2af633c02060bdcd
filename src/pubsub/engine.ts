/**
 * What an `EnginePubSub` needs of a message bus: Redis, NATS, the primary process, or a bus in memory.
 *
 * It is called only while the status is `connected`, and for one topic one call at a time. A `subscribe` or `unsubscribe`
 * that rejects because the connection broke is repeated after the reconnect. One that rejects on an intact connection is
 * a refusal, and is final; so an engine must report `disconnected` before it rejects because of a broken connection.
 */
export interface Engine {
  /** Resolves once every message that is published to `topic` from now on will arrive. */
  subscribe(topic: string): Promise<unknown>
  unsubscribe(topic: string): Promise<unknown>
  /**
   * Sends the bytes; the caller may reuse their buffer after the call.
   *
   * The promise settles when the bytes have left this process. Messages that are written together may share one promise.
   * `undefined` means that they have left already.
   */
  publish(topic: string, bytes: Uint8Array): Promise<unknown> | undefined
  send(node: string, topic: string, bytes: Uint8Array): Promise<unknown> | undefined
  close(): Promise<unknown>
}

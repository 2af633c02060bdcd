/**
 * What an engine does for its `EnginePubSub`, which asks only while `connected` and, for one topic, one thing at a time.
 *
 * What fails because the connection broke is asked again when it is back; failing while it stands is final.
 */
export interface Engine {
  /** Resolves once messages of `topic` are sure to arrive. */
  listen(topic: string): Promise<unknown>
  unlisten(topic: string): Promise<unknown>
  /**
   * Settles when the bytes have left, one promise for several messages where they leave together; `undefined` says that
   * they have. They are the caller's again on return.
   */
  publish(topic: string, bytes: Uint8Array): Promise<unknown> | undefined
  send(node: string, topic: string, bytes: Uint8Array): Promise<unknown> | undefined
  close(): Promise<unknown>
}

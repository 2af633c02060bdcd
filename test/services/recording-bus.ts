import type { PubSub } from "../../src/pubsub/index.ts"

/** A message from one node to another. */
export interface Sent {
  readonly to: string
  readonly topic: string
  readonly bytes: Uint8Array
}

/** The same end of a bus, which adds what it sends to a node to `sent`. */
export const recording = (pubsub: PubSub, sent: Sent[]): PubSub => ({
  node: pubsub.node,
  status: "connected",
  subscribe: (topic, receive) => pubsub.subscribe(topic, receive),
  publish: (topic, bytes) => pubsub.publish(topic, bytes),
  send(to, topic, bytes) {
    sent.push({ to, topic, bytes: bytes.slice() })
    pubsub.send(to, topic, bytes)
  },
  onStatus: (listener) => pubsub.onStatus(listener),
  close: () => pubsub.close(),
})

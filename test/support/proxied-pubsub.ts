import type { PubSub } from "../../src/pubsub/pubsub.ts"

/** Returns a copy of a pubsub whose methods are own properties, so that a test can replace one of them. */
export function proxied(inner: PubSub): PubSub {
  return {
    node: inner.node,
    status: inner.status,
    subscribe: inner.subscribe.bind(inner),
    publish: inner.publish.bind(inner),
    send: inner.send.bind(inner),
    onStatus: inner.onStatus.bind(inner),
    close: inner.close.bind(inner),
  }
}

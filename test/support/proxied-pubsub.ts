import type { PubSub } from "../../src/pubsub/pubsub.ts"

/** A pubsub's members as own properties, so that one of them can be replaced. */
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

import type { PubSub } from "../../src/pubsub/pubsub.ts"

/** Changes or drops what a node receives, one sender at a time: for one-sided partitions, and for altered messages. */
export class FaultyBus {
  /** Returns what the node receives instead of the bytes; `undefined` drops the message. */
  change: ((bytes: Uint8Array, from: string) => Uint8Array | undefined) | undefined

  /** Returns a node's bus, over which the node receives the changed messages. What it sends is not changed. */
  around(pubsub: PubSub): PubSub {
    const subscribe: PubSub["subscribe"] = (topic, receive) =>
      pubsub.subscribe(topic, (bytes, from) => {
        const changed = this.change === undefined ? bytes : this.change(bytes, from)
        if (changed !== undefined) receive(changed, from)
      })
    return Object.create(pubsub, { subscribe: { value: subscribe } }) as PubSub
  }
}

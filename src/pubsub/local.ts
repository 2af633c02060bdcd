import { RollcallError } from "../error.ts"
import { checkKnownNames } from "../known-names.ts"
import { quote } from "../quote.ts"
import { EnginePubSub } from "./engine-pubsub.ts"
import type { Engine } from "./engine.ts"
import { PUBSUB_OPTIONS } from "./option-names.ts"
import type { PubSub, PubSubOptions } from "./pubsub.ts"
import { NamespacedIndexes } from "./subscriber-index.ts"

/** The options of `local`. */
export interface LocalOptions extends PubSubOptions {
  /** The bus to share with other nodes of this process; by default a new one, on which the node is alone. */
  readonly bus?: LocalBus
}

/** Creates a node without a network. It is alone by default; with `bus`, it shares that bus with other nodes of its process. */
export function local(options: LocalOptions = {}): PubSub {
  const { bus = new LocalBus(), ...shared } = options
  return bus.join(shared)
}

/**
 * A bus inside one process, for any number of nodes.
 *
 * Messages arrive in a microtask, in the order in which they were sent. Each node receives a copy of the bytes, as over a
 * network: the publisher may reuse its buffer after the call.
 */
export class LocalBus {
  readonly #indexes = new NamespacedIndexes<EnginePubSub>()

  /**
   * Adds a node.
   *
   * @throws RollcallError `node_taken` when the bus has a node with that name in the same namespace
   */
  join(options: PubSubOptions = {}): PubSub {
    checkKnownNames("an option of a local bus", options, PUBSUB_OPTIONS)
    const engine: Engine = {
      async subscribe(topic) {
        index.subscribe(pubsub.node, topic)
      },
      async unsubscribe(topic) {
        index.unsubscribe(pubsub.node, topic)
      },
      publish(topic, bytes) {
        for (const [, peer] of index.subscribers(topic)) if (peer !== pubsub) sendTo(peer, topic, bytes)
        return undefined
      },
      send(node, topic, bytes) {
        const peer = index.subscriber(node, topic)
        if (peer !== undefined) sendTo(peer, topic, bytes)
        return undefined
      },
      async close() {
        index.remove(pubsub.node)
      },
    }
    const pubsub = new EnginePubSub(options, engine)
    const index = this.#indexes.of(pubsub.namespace)
    const sendTo = (peer: EnginePubSub, topic: string, bytes: Uint8Array): void => {
      const copy = bytes.slice()
      queueMicrotask(() => peer.deliver(pubsub.node, topic, copy))
    }
    if (!index.add(pubsub.node, pubsub)) {
      const message = `expected a node name that no other node of this bus has, got ${quote(pubsub.node)}`
      throw new RollcallError("node_taken", message)
    }
    return pubsub
  }
}

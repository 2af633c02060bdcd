import { RollcallError } from "../error.ts"
import { EnginePubSub } from "./engine-pubsub.ts"
import type { Engine } from "./engine.ts"
import { NamespacedIndexes } from "./subscriber-index.ts"
import type { PubSub, PubSubOptions } from "./pubsub.ts"

/** What `local` takes. */
export interface LocalOptions extends PubSubOptions {
  /** The bus to share with other nodes of this process; alone on one of its own by default. */
  readonly bus?: LocalBus
}

/** The default engine: a node that is alone, or among others of its own process, as tests and pages want it. */
export function local(options: LocalOptions = {}): PubSub {
  return (options.bus ?? new LocalBus()).join(options)
}

/**
 * A bus inside one process, for any number of nodes.
 *
 * Messages arrive in a microtask, in the order of sending, and each node gets bytes of its own, as over a real engine:
 * what a publisher does with its buffer afterwards is seen by nobody.
 */
export class LocalBus {
  readonly #hubs = new NamespacedIndexes<EnginePubSub>()

  /** Adds a node. Throws `RollcallError` `node_taken` when one of that name is here. */
  join(options: PubSubOptions = {}): PubSub {
    const engine: Engine = {
      async listen(topic) {
        hub.listen(endpoint.node, topic)
      },
      async unlisten(topic) {
        hub.unlisten(endpoint.node, topic)
      },
      publish(topic, bytes) {
        for (const [, peer] of hub.listeners(topic)) if (peer !== endpoint) post(peer, topic, bytes)
        return undefined
      },
      send(node, topic, bytes) {
        const peer = hub.listener(node, topic)
        if (peer !== undefined) post(peer, topic, bytes)
        return undefined
      },
      async close() {
        hub.leave(endpoint.node)
      },
    }
    const endpoint = new EnginePubSub(options, engine)
    const hub = this.#hubs.of(endpoint.namespace)
    const post = (peer: EnginePubSub, topic: string, bytes: Uint8Array): void => {
      const copy = bytes.slice()
      queueMicrotask(() => peer.deliver(endpoint.node, topic, copy))
    }
    if (!hub.join(endpoint.node, endpoint)) {
      throw new RollcallError("node_taken", `A node of this bus is named ${JSON.stringify(endpoint.node)} already`)
    }
    return endpoint
  }
}

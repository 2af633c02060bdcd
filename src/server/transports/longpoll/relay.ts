import type { PubSub } from "../../../pubsub/pubsub.ts"
import type { Endpoint } from "../../transport.ts"
import { RelayClient } from "./relay-client.ts"
import { RelayHost } from "./relay-host.ts"
import { decodeRelayMessage, encodeRelayMessage } from "./relay-messages.ts"
import type { SendRelayMessage } from "./relay-messages.ts"
import type { LongPollSession, PolledSession } from "./session.ts"
import type { SessionName } from "./session-token.ts"

/** Where nodes speak of sessions on the bus: beside the tracker's topics and the broadcasts, never among them. */
const TOPIC = "longpoll"

/**
 * Between this node and the others, both ways: a session stays where it was born, and any node passes on what its client
 * asks.
 *
 * The bus may lose and double what is said on it. So a node that is asked says so at once, a doubled question is asked
 * once, and messages are given away when the node that has the client says that it has passed them on.
 */
export class LongPollRelay {
  readonly #asks: RelayClient
  readonly #hosting: RelayHost
  readonly #undo: Promise<() => void>
  readonly #undoDown: (() => void) | undefined

  /** @param find a session of this node */
  constructor(endpoint: Endpoint, pubsub: PubSub, find: (id: string) => LongPollSession | undefined) {
    const { count } = endpoint
    const say: SendRelayMessage = (node, message) => {
      try {
        pubsub.send(node, TOPIC, encodeRelayMessage(message))
      } catch {
        count("bus_drops")
      }
    }
    this.#asks = new RelayClient(endpoint, say)
    this.#hosting = new RelayHost(endpoint, say, find)
    this.#undo = pubsub.subscribe(TOPIC, (bytes, from) => {
      const message = decodeRelayMessage(bytes)
      if (message === undefined) count("bus_drops")
      else if (message.kind === "here" || message.kind === "answer") this.#asks.hear(from, message)
      else this.#hosting.hear(from, message)
    })
    this.#undo.catch(() => count("bus_drops"))
    this.#undoDown = pubsub.onNodeDown?.((node) => this.#asks.nodeDown(node))
  }

  /** A session of another node, as that node will have it. */
  session(name: SessionName): PolledSession {
    return this.#asks.session(name)
  }

  close(): void {
    this.#undoDown?.()
    this.#undo.then((undo) => undo()).catch(() => undefined)
    this.#asks.close()
    this.#hosting.close()
  }
}

import { subscribeForGood } from "../../../pubsub/lasting-subscription.ts"
import type { PubSub, Receive } from "../../../pubsub/pubsub.ts"
import type { Endpoint } from "../../transport.ts"
import { RelayClient } from "./relay-client.ts"
import { RelayHost } from "./relay-host.ts"
import { decodeRelayMessage, encodeRelayMessage } from "./relay-messages.ts"
import type { SendRelayMessage } from "./relay-messages.ts"
import type { LongPollSession, PolledSession } from "./session.ts"
import type { SessionAddress } from "./session-token.ts"

/** The topic of all relay messages. Neither the tracker nor broadcasts use it. */
const TOPIC = "longpoll"

/**
 * The relay of long-poll requests between this node and the others, in both directions. A session stays on the node that opened
 * it. Every other node forwards the requests of the session's client to that node.
 *
 * The bus may lose and duplicate messages. So a node acknowledges the requests that it receives, a duplicated request is
 * executed once, and a session keeps its messages until the node of the client confirms that they were delivered.
 */
export class LongPollRelay {
  readonly #client: RelayClient
  readonly #host: RelayHost
  readonly #unsubscribe: () => void
  readonly #offNodeDown: (() => void) | undefined

  /** @param find returns a session of this node by its id */
  constructor(endpoint: Endpoint, pubsub: PubSub, find: (id: string) => LongPollSession | undefined) {
    const { count, timers } = endpoint
    const send: SendRelayMessage = (node, message) => {
      try {
        pubsub.send(node, TOPIC, encodeRelayMessage(message))
      } catch {
        count("bus_drops")
      }
    }
    this.#client = new RelayClient(endpoint, send)
    this.#host = new RelayHost(endpoint, send, find)
    const receive: Receive = (bytes, from) => {
      const message = decodeRelayMessage(bytes)
      if (message === undefined) count("bus_drops")
      else if (message.kind === "acknowledge" || message.kind === "answer") this.#client.receive(from, message)
      else this.#host.receive(from, message)
    }
    this.#unsubscribe = subscribeForGood(pubsub, TOPIC, receive, { timers, onError: () => count("bus_drops") })
    this.#offNodeDown = pubsub.onNodeDown?.((node) => this.#client.nodeDown(node))
  }

  /** Returns a session of another node. It may not exist: only that node's answer to a request shows it. */
  session(address: SessionAddress): PolledSession {
    return this.#client.session(address)
  }

  close(): void {
    this.#offNodeDown?.()
    this.#unsubscribe()
    this.#client.close()
    this.#host.close()
  }
}

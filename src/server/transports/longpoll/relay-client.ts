import { randomBytes } from "node:crypto"
import { whenever } from "../../awaitable.ts"
import type { Endpoint } from "../../transport.ts"
import { RELAY_TIMEOUT_MS } from "./relay-messages.ts"
import type { RelayedAnswer, SendRelayMessage } from "./relay-messages.ts"
import type { AnswerPoll, PolledSession } from "./session.ts"
import type { SessionName } from "./session-token.ts"

/** What has been asked and is not answered: no more of these than requests of clients that wait. */
interface Ask {
  readonly to: SessionName
  readonly answer: AnswerPoll
  timer: unknown
}

/** What this node asks of others for clients of theirs that have come here. */
export class RelayClient {
  readonly #endpoint: Endpoint
  readonly #say: SendRelayMessage
  readonly #open = new Map<string, Ask>()
  /** No two asks of any node have one name, not even those of a node that was restarted. */
  readonly #life = randomBytes(9).toString("base64url")
  #count = 0

  constructor(endpoint: Endpoint, say: SendRelayMessage) {
    this.#endpoint = endpoint
    this.#say = say
  }

  session(to: SessionName): PolledSession {
    const { node, session } = to
    return {
      poll: (answer) => {
        const ask = this.#start(to, answer)
        this.#say(node, { kind: "poll", ask, session })
        return () => {
          if (this.#end(ask) !== undefined) this.#say(node, { kind: "cancel", ask, session })
        }
      },
      post: (messages) =>
        new Promise((resolve) => {
          const ask = this.#start(to, (status) => (resolve(status), true))
          this.#say(node, { kind: "post", ask, session, messages })
        }),
    }
  }

  hear(from: string, message: RelayedAnswer): void {
    if (message.kind === "here") return this.#wait(message.ask)
    const { ask, session, status, messages } = message
    const open = this.#end(ask)
    // An answer to nothing is one that was doubled, or that crossed with its cancel: all has been said about it.
    if (open === undefined) return
    const isTaken = open.answer(status, messages)
    if (messages.length === 0) return
    void whenever(isTaken, (isTaken) => this.#say(from, { kind: isTaken ? "taken" : "cancel", ask, session }))
  }

  /** The sessions of a node that is gone are gone. */
  nodeDown(node: string): void {
    for (const [ask, { to }] of this.#open) if (to.node === node) void this.#end(ask)?.answer(410, [])
  }

  close(): void {
    for (const ask of this.#open.keys()) void this.#end(ask)?.answer(410, [])
  }

  #start(to: SessionName, answer: AnswerPoll): string {
    const ask = `${this.#life}${(this.#count += 1)}`
    const timer = this.#endpoint.timers.set(() => this.#giveUp(ask), RELAY_TIMEOUT_MS)
    this.#open.set(ask, { to, answer, timer })
    return ask
  }

  /** It has been heard, and may take a window: a poll for messages, a post for the answer to its join. */
  #wait(ask: string): void {
    const open = this.#open.get(ask)
    if (open === undefined) return
    const { timers, limits } = this.#endpoint
    timers.clear(open.timer)
    open.timer = timers.set(() => this.#giveUp(ask), limits.longPollWindowMs + RELAY_TIMEOUT_MS)
  }

  #end(ask: string): Ask | undefined {
    const open = this.#open.get(ask)
    this.#endpoint.timers.clear(open?.timer)
    this.#open.delete(ask)
    return open
  }

  /** Its node is dead, or has not heard, or was not heard: in any case the client begins anew. */
  #giveUp(ask: string): void {
    const { to, answer } = this.#end(ask) as Ask
    this.#endpoint.count("relay_timeouts")
    this.#say(to.node, { kind: "abandon", ask, session: to.session })
    void answer(410, [])
  }
}

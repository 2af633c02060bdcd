import { randomBytes } from "node:crypto"
import { andThen } from "../../awaitable.ts"
import type { Endpoint } from "../../transport.ts"
import { RELAY_TIMEOUT_MS } from "./relay-messages.ts"
import type { RelayedAnswer, SendRelayMessage } from "./relay-messages.ts"
import type { AnswerPoll, PolledSession, SessionStatus } from "./session.ts"
import type { SessionAddress } from "./session-token.ts"

/** A forwarded request that is not answered yet. There is at most one for each HTTP request that waits on this node. */
interface PendingRequest {
  readonly address: SessionAddress
  readonly answer: AnswerPoll
  timer: unknown
}

/** Forwards requests that this node receives to the nodes on which their sessions live. */
export class RelayClient {
  readonly #endpoint: Endpoint
  readonly #send: SendRelayMessage
  readonly #pending = new Map<string, PendingRequest>()
  /** Makes request ids unique among all nodes, and after a restart of this one. */
  readonly #idPrefix = randomBytes(9).toString("base64url")
  #count = 0

  constructor(endpoint: Endpoint, send: SendRelayMessage) {
    this.#endpoint = endpoint
    this.#send = send
  }

  session(address: SessionAddress): PolledSession {
    const { node, session } = address
    let posting: Promise<SessionStatus> | undefined
    return {
      id: session,
      get crowded() {
        return posting
      },
      poll: (answer) => {
        const request = this.#start(address, answer)
        this.#send(node, { kind: "poll", request, session })
        return () => {
          if (this.#end(request) !== undefined) this.#send(node, { kind: "cancel", request, session })
        }
      },
      post: (messages) => {
        posting = new Promise((resolve) => {
          const request = this.#start(address, (status) => (resolve(status), true))
          this.#send(node, { kind: "post", request, session, messages })
        })
        return posting
      },
    }
  }

  receive(from: string, message: RelayedAnswer): void {
    if (message.kind === "acknowledge") return this.#extend(message.request)
    const { request, session, status, messages } = message
    const pending = this.#end(request)
    // The answer is a duplicate, or this node has cancelled the request. In both cases the other node knows the outcome.
    if (pending === undefined) return
    const isDelivered = pending.answer(status, messages)
    if (messages.length === 0) return
    void andThen(isDelivered, (isDelivered) => {
      this.#send(from, { kind: isDelivered ? "delivered" : "cancel", request, session })
    })
  }

  /** Answers the pending requests to a node that is down with 410, because its sessions are gone. */
  nodeDown(node: string): void {
    for (const [request, { address }] of this.#pending) {
      if (address.node === node) void this.#end(request)?.answer(410, [])
    }
  }

  close(): void {
    for (const request of this.#pending.keys()) void this.#end(request)?.answer(410, [])
  }

  #start(address: SessionAddress, answer: AnswerPoll): string {
    const request = `${this.#idPrefix}${(this.#count += 1)}`
    const timer = this.#endpoint.timers.set(() => this.#onTimeout(request), RELAY_TIMEOUT_MS)
    this.#pending.set(request, { address, answer, timer })
    return request
  }

  /** Extends the timeout of an acknowledged request by a window: a poll waits for messages, a post for the answer to its join. */
  #extend(request: string): void {
    const pending = this.#pending.get(request)
    if (pending === undefined) return
    const { timers, limits } = this.#endpoint
    timers.clear(pending.timer)
    pending.timer = timers.set(() => this.#onTimeout(request), limits.longPollWindowMs + RELAY_TIMEOUT_MS)
  }

  #end(request: string): PendingRequest | undefined {
    const pending = this.#pending.get(request)
    this.#endpoint.timers.clear(pending?.timer)
    this.#pending.delete(request)
    return pending
  }

  /** The other node is down, or the request or its answer was lost. In each case the client has to open a new session. */
  #onTimeout(request: string): void {
    const { address, answer } = this.#end(request) as PendingRequest
    this.#endpoint.count("relay_timeouts")
    this.#send(address.node, { kind: "abandon", request, session: address.session })
    void answer(410, [])
  }
}

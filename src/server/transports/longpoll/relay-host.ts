import type { Data } from "../../../wire/message.ts"
import { isPromise, andThen } from "../../awaitable.ts"
import type { Awaitable } from "../../awaitable.ts"
import { withDeadline } from "../../deadline.ts"
import type { Endpoint } from "../../transport.ts"
import { RELAY_TIMEOUT_MS } from "./relay-messages.ts"
import type { RelayedRequest, SendRelayMessage } from "./relay-messages.ts"
import type { LongPollSession, SessionStatus } from "./session.ts"

/** How many request ids are remembered for a session. They detect duplicates, which arrive soon after the original. */
const REMEMBERED_REQUESTS = 32

/** The relayed requests of one session. */
interface RelayedRequests {
  /** The ids of the latest requests, oldest first. */
  readonly ids: string[]
  /** The latest relayed poll. */
  poll: { readonly request: string; readonly cancel: () => void } | undefined
}

/** Executes requests that other nodes forward for sessions of this node. */
export class RelayHost {
  readonly #endpoint: Endpoint
  readonly #send: SendRelayMessage
  readonly #find: (id: string) => LongPollSession | undefined
  readonly #relayed = new WeakMap<LongPollSession, RelayedRequests>()
  /** Id of a poll that was answered with messages → the function that reports whether these were delivered. */
  readonly #deliveries = new Map<string, (isDelivered: boolean) => void>()

  constructor(endpoint: Endpoint, send: SendRelayMessage, find: (id: string) => LongPollSession | undefined) {
    this.#endpoint = endpoint
    this.#send = send
    this.#find = find
  }

  receive(from: string, message: RelayedRequest): void {
    const { kind, request } = message
    const session = this.#find(message.session)
    if (session === undefined) {
      if (kind === "poll" || kind === "post") this.#answer(from, request, message.session, 410)
      return
    }
    const relayed = this.#relayed.get(session) ?? { ids: [], poll: undefined }
    this.#relayed.set(session, relayed)
    switch (kind) {
      case "poll":
        if (isNew(relayed, request)) this.#poll(from, request, session, relayed)
        break
      case "post":
        if (!isNew(relayed, request)) break
        this.#endpoint.count("relayed_posts")
        this.#post(from, request, session, message.messages)
        break
      case "delivered":
        this.#deliveries.get(request)?.(true)
        break
      case "cancel":
        if (relayed.poll?.request === request) relayed.poll.cancel()
        this.#deliveries.get(request)?.(false)
        break
      case "abandon":
        session.expire()
    }
  }

  close(): void {
    for (const settle of this.#deliveries.values()) settle(false)
  }

  #poll(from: string, request: string, session: LongPollSession, relayed: RelayedRequests): void {
    this.#send(from, { kind: "acknowledge", request, session: session.id })
    this.#endpoint.count("relayed_polls")
    const cancel = session.poll((status, messages) => {
      this.#answer(from, request, session.id, status, messages)
      return messages.length === 0 || this.#confirmation(request, session)
    })
    relayed.poll = { request, cancel }
  }

  #post(from: string, request: string, session: LongPollSession, messages: readonly Data[]): void {
    const posted = session.post(messages)
    const { crowded } = session
    const status = crowded === undefined ? posted : this.#onceRead(crowded).then(() => posted)
    if (isPromise(status)) this.#send(from, { kind: "acknowledge", request, session: session.id })
    void andThen(status, (status) => this.#answer(from, request, session.id, status))
  }

  /** Waits for a session that has too many messages, for a window at most: the other node holds the next post meanwhile. */
  #onceRead(crowded: Promise<unknown>): Promise<unknown> {
    const { timers, limits } = this.#endpoint
    const limit = { ms: limits.longPollWindowMs, timers, code: "handler_timeout", expected: "messages to be handled" }
    return withDeadline(crowded, limit).catch(() => undefined)
  }

  #answer(
    node: string,
    request: string,
    session: string,
    status: SessionStatus,
    messages: readonly string[] = [],
  ): void {
    this.#send(node, { kind: "answer", request, session, status, messages })
  }

  /**
   * Resolves to whether the messages of an answer were delivered. If no confirmation arrives in time, the messages may be lost,
   * and later messages are useless without them. So the session ends, and its client gets the current state in a new session.
   */
  #confirmation(request: string, session: LongPollSession): Awaitable<boolean> {
    const { timers, count } = this.#endpoint
    return new Promise((resolve) => {
      const timer = timers.set(() => {
        count("relay_timeouts")
        session.expire()
        settle(false)
      }, RELAY_TIMEOUT_MS)
      const settle = (isDelivered: boolean): void => {
        timers.clear(timer)
        this.#deliveries.delete(request)
        resolve(isDelivered)
      }
      this.#deliveries.set(request, settle)
    })
  }
}

/** Returns whether a request was not received before, and remembers it. */
function isNew({ ids }: RelayedRequests, request: string): boolean {
  if (ids.includes(request)) return false
  if (ids.push(request) > REMEMBERED_REQUESTS) ids.shift()
  return true
}

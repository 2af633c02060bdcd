import type { Data } from "../../../wire/message.ts"
import { isPromise, whenever } from "../../awaitable.ts"
import type { Awaitable } from "../../awaitable.ts"
import type { Endpoint } from "../../transport.ts"
import { RELAY_TIMEOUT_MS } from "./relay-messages.ts"
import type { RelayedRequest, SendRelayMessage } from "./relay-messages.ts"
import type { LongPollSession, SessionStatus } from "./session.ts"

/** So many asks of a session are remembered. One that was doubled comes twice in a row, or nearly so. */
const REMEMBERED_ASKS = 32

/** What other nodes have asked of one session. */
interface Guest {
  readonly asks: string[]
  /** The poll that waits, if any does. */
  poll: { readonly ask: string; readonly forget: () => void } | undefined
}

/** What this node does for others whose clients have their sessions here. */
export class RelayHost {
  readonly #endpoint: Endpoint
  readonly #say: SendRelayMessage
  readonly #find: (id: string) => LongPollSession | undefined
  readonly #guests = new WeakMap<LongPollSession, Guest>()
  /** Ask → tells whether the messages that it was answered with have been passed on. */
  readonly #given = new Map<string, (isTaken: boolean) => void>()

  constructor(endpoint: Endpoint, say: SendRelayMessage, find: (id: string) => LongPollSession | undefined) {
    this.#endpoint = endpoint
    this.#say = say
    this.#find = find
  }

  hear(from: string, message: RelayedRequest): void {
    const { kind, ask } = message
    const session = this.#find(message.session)
    if (session === undefined) {
      if (kind === "poll" || kind === "post") this.#answer(from, ask, message.session, 410)
      return
    }
    const guest = this.#guests.get(session) ?? { asks: [], poll: undefined }
    this.#guests.set(session, guest)
    switch (kind) {
      case "poll":
        if (isNew(guest, ask)) this.#poll(from, ask, session, guest)
        break
      case "post":
        if (!isNew(guest, ask)) break
        this.#endpoint.count("relayed_posts")
        this.#post(from, ask, session, message.messages)
        break
      case "taken":
        this.#given.get(ask)?.(true)
        break
      case "cancel":
        if (guest.poll?.ask === ask) guest.poll.forget()
        this.#given.get(ask)?.(false)
        break
      case "abandon":
        session.expire()
    }
  }

  close(): void {
    for (const settle of this.#given.values()) settle(false)
  }

  #poll(from: string, ask: string, session: LongPollSession, guest: Guest): void {
    this.#say(from, { kind: "here", ask, session: session.id })
    this.#endpoint.count("relayed_polls")
    const forget = session.poll((status, messages) => {
      this.#answer(from, ask, session.id, status, messages)
      return messages.length === 0 || this.#taken(ask, session)
    })
    guest.poll = { ask, forget }
  }

  #post(from: string, ask: string, session: LongPollSession, messages: readonly Data[]): void {
    const status = session.post(messages)
    if (isPromise(status)) this.#say(from, { kind: "here", ask, session: session.id })
    void whenever(status, (status) => this.#answer(from, ask, session.id, status))
  }

  #answer(node: string, ask: string, session: string, status: SessionStatus, messages: readonly string[] = []): void {
    this.#say(node, { kind: "answer", ask, session, status, messages })
  }

  /**
   * Whether messages have been passed on. When nobody says so, they may be lost, and those that follow make no sense
   * without them: the session ends, and its client gets all that there is to know in a new one.
   */
  #taken(ask: string, session: LongPollSession): Awaitable<boolean> {
    const { timers, count } = this.#endpoint
    return new Promise((resolve) => {
      const timer = timers.set(() => {
        count("relay_timeouts")
        session.expire()
        settle(false)
      }, RELAY_TIMEOUT_MS)
      const settle = (isTaken: boolean): void => {
        timers.clear(timer)
        this.#given.delete(ask)
        resolve(isTaken)
      }
      this.#given.set(ask, settle)
    })
  }
}

function isNew({ asks }: Guest, ask: string): boolean {
  if (asks.includes(ask)) return false
  if (asks.push(ask) > REMEMBERED_ASKS) asks.shift()
  return true
}

import { randomBytes } from "node:crypto"
import type { Admission, Endpoint } from "../../transport.ts"
import { TimerWheel } from "../timer-wheel.ts"
import { LongPollRelay } from "./relay.ts"
import { LongPollSession } from "./session.ts"
import type { PolledSession } from "./session.ts"
import { sessionTokens } from "./session-token.ts"
import type { SessionTokens } from "./session-token.ts"

/** A session that is not polled for that many windows is over: its client has had time to ask again. */
const WINDOWS_TO_LIVE = 1.5

/** By endpoint: one that is served on several HTTP servers has its sessions polled through any of them. */
const all = new WeakMap<Endpoint, LongPollSessions>()

/** The sessions of an endpoint. Whoever asks for them closes them; they end with the last one who does. */
export function sessionsOf(endpoint: Endpoint): LongPollSessions {
  const sessions = all.get(endpoint) ?? new LongPollSessions(endpoint)
  all.set(endpoint, sessions)
  sessions.users += 1
  return sessions
}

/** Where sessions are found by their tokens: those that live on this node and, over the bus, those of the others. */
class LongPollSessions {
  users = 0
  readonly #endpoint: Endpoint
  readonly #tokens: SessionTokens
  readonly #sessions = new Map<string, LongPollSession>()
  readonly #idle: TimerWheel<LongPollSession>
  readonly #relay: LongPollRelay | undefined

  constructor(endpoint: Endpoint) {
    const { timers, limits, pubsub } = endpoint
    this.#endpoint = endpoint
    this.#tokens = sessionTokens(endpoint.secret, endpoint.node)
    this.#idle = new TimerWheel(timers, limits.longPollWindowMs * WINDOWS_TO_LIVE, (session) => {
      endpoint.count("idle_timeouts")
      session.expire()
    })
    this.#relay = pubsub && new LongPollRelay(endpoint, pubsub, (id) => this.#sessions.get(id))
  }

  /** Opens a session for a client that was let in, and returns its token. */
  open(admission: Extract<Admission, { ok: true }>): string {
    const session = new LongPollSession(this.#endpoint, randomBytes(16).toString("base64url"), {
      polled: (polled) => this.#idle.touch(polled),
      ended: (ended) => {
        this.#sessions.delete(ended.id)
        this.#idle.forget(ended)
      },
    })
    this.#sessions.set(session.id, session)
    this.#idle.touch(session)
    session.open(admission.open(session))
    return this.#tokens.issue(session.id)
  }

  /** The session that a token names, unless it is known to be gone. */
  find(token: string | null): PolledSession | undefined {
    const name = token === null ? undefined : this.#tokens.read(token)
    if (name === undefined) return undefined
    return name.node === this.#endpoint.node ? this.#sessions.get(name.session) : this.#relay?.session(name)
  }

  close(): void {
    this.users -= 1
    if (this.users > 0) return
    all.delete(this.#endpoint)
    this.#idle.stop()
    for (const session of this.#sessions.values()) session.expire()
    this.#relay?.close()
  }
}

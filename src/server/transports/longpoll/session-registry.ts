import { randomBytes } from "node:crypto"
import type { Admission, Endpoint } from "../../transport.ts"
import { TimerWheel } from "../timer-wheel.ts"
import { BodyBudget } from "./body-budget.ts"
import { PostQueue } from "./post-queue.ts"
import { LongPollRelay } from "./session-relay.ts"
import { LongPollSession } from "./session.ts"
import type { PolledSession } from "./session.ts"
import { sessionTokens } from "./session-token.ts"
import type { SessionTokens } from "./session-token.ts"

/** A session expires when it was not polled for so many windows. A client has half a window to poll again. */
const WINDOWS_TO_LIVE = 1.5

/** A handle to the long-poll sessions of an endpoint. Each transport that uses them has a handle of its own. */
export interface Sessions {
  /** Opens a session for a client that was admitted at a mounted path, and returns its token. */
  open(admission: Extract<Admission, { ok: true }>, path?: string): string
  /**
   * Returns the session that a token names, on this node or another. Returns `undefined` for an invalid token, for one of
   * another path, and for a session of this node that has ended.
   *
   * The path counts because each has its own allowed origins, hosts and `connect`.
   */
  find(token: string | null, path?: string): PolledSession | undefined
  /** Returns whether a token names a session that this server, or another node with its secret, has opened. */
  hasIssued(token: string | null): boolean
  /** The queue of all posts of a session, no matter through which transport they come. */
  readonly posts: PostQueue
  /** The bytes of all posts that are in memory. */
  readonly budget: BodyBudget
  /** Closes this handle. All sessions end when the last handle is closed. Closing a handle again has no effect. */
  close(): void
}

/** One registry per endpoint: if an endpoint is served on several HTTP servers, its clients may poll through any of them. */
const registries = new WeakMap<Endpoint, SessionRegistry>()

/** Returns a new handle to the sessions of an endpoint. The caller must close it. */
export function sessionsOf(endpoint: Endpoint): Sessions {
  const registry = registries.get(endpoint) ?? new SessionRegistry(endpoint)
  registries.set(endpoint, registry)
  return registry.newHandle()
}

/** Finds sessions by their tokens: those of this node in a map, and those of other nodes over the bus. */
class SessionRegistry {
  readonly #endpoint: Endpoint
  readonly #tokens: SessionTokens
  readonly #handles = new Set<Sessions>()
  readonly #sessions = new Map<string, LongPollSession>()
  readonly #posts = new PostQueue()
  readonly #budget: BodyBudget
  readonly #idleTimer: TimerWheel<LongPollSession>
  readonly #relay: LongPollRelay | undefined

  constructor(endpoint: Endpoint) {
    const { timers, limits, pubsub } = endpoint
    this.#endpoint = endpoint
    this.#tokens = sessionTokens(endpoint.secret, endpoint.node)
    this.#budget = new BodyBudget(limits.maxBufferedPostBytes)
    this.#idleTimer = new TimerWheel(timers, limits.longPollWindowMs * WINDOWS_TO_LIVE, (session) => {
      endpoint.count("idle_timeouts")
      session.expire()
    })
    this.#relay = pubsub && new LongPollRelay(endpoint, pubsub, (id) => this.#sessions.get(id))
  }

  newHandle(): Sessions {
    const handle: Sessions = {
      posts: this.#posts,
      budget: this.#budget,
      open: (admission, path) => this.#open(admission, path),
      find: (token, path) => this.#find(token, path),
      hasIssued: (token) => token !== null && this.#tokens.read(token) !== undefined,
      close: () => {
        if (this.#handles.delete(handle) && this.#handles.size === 0) this.#close()
      },
    }
    this.#handles.add(handle)
    return handle
  }

  #open(admission: Extract<Admission, { ok: true }>, path?: string): string {
    const session = new LongPollSession(this.#endpoint, randomBytes(16).toString("base64url"), {
      onPoll: (polled) => this.#idleTimer.touch(polled),
      onEnd: (ended) => {
        this.#sessions.delete(ended.id)
        this.#idleTimer.remove(ended)
      },
    })
    this.#sessions.set(session.id, session)
    this.#idleTimer.touch(session)
    session.open(admission.open(session))
    return this.#tokens.issue(session.id, path)
  }

  #find(token: string | null, path?: string): PolledSession | undefined {
    const address = token === null ? undefined : this.#tokens.read(token)
    if (address === undefined || (address.path !== undefined && address.path !== path)) return undefined
    return address.node === this.#endpoint.node ? this.#sessions.get(address.session) : this.#relay?.session(address)
  }

  #close(): void {
    registries.delete(this.#endpoint)
    this.#idleTimer.stop()
    for (const session of this.#sessions.values()) session.expire()
    this.#relay?.close()
  }
}

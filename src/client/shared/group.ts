/**
 * A tab among those of its group: which of them leads, and what they send each other.
 *
 * The leader holds a lock, for which the others wait: the next one has it some milliseconds after the leader was closed, or has
 * crashed. A leader that hangs keeps it. So one of the others, the deputy, sends it pings, and takes the lock away from one that does
 * not answer.
 */
import type { Undo } from "../../listeners.ts"
import type { Clock } from "../../timers.ts"
import type { Transport } from "../phoenix.ts"
import { holdLock } from "./held-lock.ts"
import type { Hub, HubWith } from "./hub.ts"
import * as kinds from "./messages.ts"
import type { Frame, Handlers, Lead, TabMessage } from "./messages.ts"
import { createPings } from "./pings.ts"
import { CONNECTING, createPort, OPEN } from "./port.ts"

/** How long the connection of a hidden leader stays beside that of its successor, in milliseconds, so that nobody seems to leave. */
const LINGER_MS = 5_000
/** After how long at most a visible tab asks a hidden leader that is not connected, in milliseconds. */
const IMPATIENT_MS = 1_000

export interface Group {
  readonly isLeader: boolean
  /** Uses the connection of the leader. */
  readonly transport: Transport
  /**
   * Takes part from here on, and after that what the page does when it is left.
   *
   * @param createHub returns what serves the tabs while this one leads; as `hub.ts`
   * @param topicsOf returns the topics of the tab's rooms
   * @param ended called when the connections of all tabs are to end
   */
  start(createHub: HubWith, topicsOf: () => readonly string[], ended: () => void): void
  /** Ends the connections of the other tabs of the group. */
  end(): void
  /** Takes part no more. A leader closes the connection, and another tab leads. */
  leave(): void
}

/**
 * @param pingMs the time between two pings of the deputy, in milliseconds
 * @param handOverMs after how long a visible tab replaces a leader that is hidden, in milliseconds
 * @param wake called when a transport that was closed can be opened again
 */
export function createGroup(name: string, timers: Clock, pingMs: number, handOverMs: number, wake: () => void): Group {
  const id = crypto.randomUUID()
  /** For the end of all. It stays open in the back/forward cache, from which a message removes the page: it must not come back joined. */
  const ends = new BroadcastChannel(`end ${name}`)
  let hub: Hub
  let handlers: Handlers
  let topics: () => readonly string[]
  /** There is one while the tab's own lock is held. The leader waits for that, to learn that the tab is gone. */
  let channel: BroadcastChannel | undefined
  /** From when the page is shown until it is left. */
  let stay: AbortController | undefined
  /** While the tab waits for the lock of the leader, and holds it. */
  let candidacy = new AbortController()
  /** While the tab waits for the lock of the deputy, and holds it. */
  let deputation = candidacy
  /** Whether the tab would lead: it is neither frozen nor left. */
  let isCandidate = false
  let isLeader = false
  let isYielding = false
  let isOver = false
  let leader = ""
  let term = 0
  let activeAt = 0
  let asking: unknown
  const watched = new Set<string>()

  const post = (...message: TabMessage): void => channel?.postMessage(message)

  const receive = (kind: number, from: string, data?: unknown): void => {
    // Another script may use a channel of this name.
    if (kind >= (isLeader ? kinds.HELLO : kinds.LEAD)) handlers[kind]?.(from, data as never)
  }

  const toLeader = (kind: number, data?: unknown): void => {
    if (isLeader) receive(kind, id, data)
    else post(leader, id, kind, data)
  }

  const toTab = (to: string, kind: number, data?: unknown): void => {
    if (to !== id) post(to, id, kind, data)
    if (to && to !== id) return
    // phoenix.js's `Presence` writes into what it gets.
    const copy = structuredClone(data)
    queueMicrotask(() => receive(kind, id, copy))
  }

  const hello = (): void => {
    if (channel && port.state === CONNECTING) toLeader(kinds.HELLO, [activeAt, topics()])
  }

  const port = createPort((kind, data) => (kind === kinds.HELLO ? hello() : toLeader(kind, data)))

  const stepDown = (): void => {
    if (!isLeader) return
    isLeader = false
    leader = ""
    watched.clear()
    hub.stop(isYielding ? LINGER_MS : 0)
    isYielding = false
    if (isCandidate) deputize()
  }

  const begin = (): Undo => {
    deputation.abort()
    // What it still has of a former term.
    hub.stop(0)
    isLeader = true
    toTab("", kinds.LEAD, [Math.max(term + 1, Date.now()), false] satisfies Lead)
    return () => {
      isYielding = false
      stepDown()
    }
  }

  /** Waits to lead. A leader resigns. */
  const lead = (steal?: boolean): void => {
    candidacy.abort()
    const mine = (candidacy = new AbortController())
    void holdLock(name, mine, begin, steal).then(() => {
      // Another tab has taken the lock away.
      stepDown()
      if (candidacy === mine && isCandidate) lead()
    })
  }

  const pings = createPings(
    timers,
    pingMs,
    () => toLeader(kinds.PING),
    () => lead(true),
  )

  const deputize = (): void => {
    deputation.abort()
    deputation = new AbortController()
    void holdLock(`deputy ${name}`, deputation, pings.start)
  }

  const stand = (): void => {
    // A page that comes back from the cache resumes before it is shown.
    if (isCandidate || !channel) return
    isCandidate = true
    lead()
    deputize()
  }

  const resign = (): void => {
    isCandidate = false
    candidacy.abort()
    deputation.abort()
  }

  /** A visible tab replaces a leader that is hidden: the timers of that are slow, and it may be frozen any time. */
  const ask = (): void => {
    timers.clear(asking)
    if (!isCandidate || isLeader || document.hidden) return
    asking = timers.set(
      () => {
        toLeader(kinds.WANT)
        ask()
      },
      port.state === OPEN ? handOverMs : Math.min(handOverMs, IMPATIENT_MS),
    )
  }

  const look = (): void => {
    if (document.hidden) return
    activeAt = Date.now()
    toLeader(kinds.ACTIVE, activeAt)
    ask()
  }

  const enter = (): void => {
    if (stay || isOver) return
    stay = new AbortController()
    void holdLock(`${id} ${name}`, stay, () => {
      const opened = (channel = new BroadcastChannel(name))
      opened.addEventListener("message", ({ data }: MessageEvent<TabMessage>) => {
        if (!Array.isArray(data) || (data[0] && data[0] !== id)) return
        receive(data[2], data[1], data[3])
      })
      look()
      hello()
      stand()
      return () => {
        opened.close()
        channel = undefined
      }
    })
  }

  const exit = (): void => {
    resign()
    // Another tab leads by the time that the page comes back.
    leader = ""
    hub.stop(0)
    timers.clear(asking)
    stay?.abort()
    stay = undefined
  }

  return {
    transport: port.transport,
    get isLeader() {
      return isLeader
    },
    start(createHub, topicsOf, ended) {
      topics = topicsOf
      hub = createHub(
        (to, ...frame) => toTab(to, kinds.MESSAGE, frame),
        (to, ...given) => isLeader && toTab(to, kinds.LEAD, [term, ...given] satisfies Lead),
      )
      const [serve, bye, ...others] = hub.handlers
      handlers = [
        // HELLO
        (tab, data) => {
          if (tab !== id && !watched.has(tab)) {
            watched.add(tab)
            const gone = (): void => {
              watched.delete(tab)
              bye!(tab, undefined as never)
            }
            navigator.locks.request(`${tab} ${name}`, { signal: candidacy.signal }, gone).catch(() => {})
          }
          serve!(tab, data)
        },
        bye!,
        ...others,
        // PING
        // A frozen page receives messages, but its timers do not run.
        (tab) => void timers.set(() => isLeader && toTab(tab, kinds.PONG), 0),
        // WANT
        (tab) => {
          if (tab === id || !document.hidden) return
          isYielding = true
          toTab(tab, kinds.YIELD)
        },
        // LEAD
        (tab, [number, isOpen, detail]: Lead) => {
          // What an earlier leader has sent may arrive late. Written so that it holds for what is no number, too.
          if (!(number >= term)) return
          const isNew = number > term
          term = number
          pings.answered()
          if (isLeader && tab !== id) {
            stepDown()
            lead()
          }
          leader = tab
          if (isNew) port.lose()
          if (!isOpen) port.lose(detail)
          else if (!port.open(detail)) wake()
          if (isNew) {
            wake()
            hello()
          }
          ask()
        },
        // MESSAGE
        (tab, frame: Frame) => {
          if (tab === leader) port.message(frame)
        },
        // PONG
        () => pings.answered(),
        // YIELD
        () => {
          if (isCandidate) lead(true)
        },
      ]
      ends.addEventListener("message", ended)
      addEventListener("focus", look)
      document.addEventListener("visibilitychange", look)
      // A frozen leader would keep its lock. So would one in the back/forward cache, from which a message would remove the page.
      document.addEventListener("freeze", resign)
      document.addEventListener("resume", stand)
      addEventListener("pagehide", exit)
      addEventListener("pageshow", () => {
        enter()
        wake()
      })
      enter()
    },
    end() {
      ends.postMessage(0)
    },
    leave() {
      isOver = true
      ends.close()
      exit()
    },
  }
}

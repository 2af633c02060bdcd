/**
 * A tab among those of its group: which of them leads, and what they send each other.
 *
 * The leader holds a lock, for which the others wait: the next one has it some milliseconds after the leader was closed, or has
 * crashed. A leader that hangs keeps it. So one of the others, the deputy, sends it pings, and takes the lock away from one that does
 * not answer.
 */
import type { Clock } from "../../timers.ts"
import type { Message } from "../phoenix.ts"
import type { HubWith } from "./hub.ts"
import { CLOSED, lose, open, OPEN, type Line } from "./line.ts"
import { createLock } from "./lock.ts"
import { HELLO, LEAD, MESSAGE, PING, WANT, YIELD, type Hello, type Lead, type TabMessage } from "./messages.ts"

/** How long the connection of a hidden leader stays beside that of its successor, in milliseconds, so that nobody seems to leave. */
const LINGER_MS = 5_000
/** After how long a visible tab asks a hidden leader that is not connected, in milliseconds. */
const IMPATIENT_MS = 1_000
/** After so many pings without an answer, the leader is replaced. */
const MISSES = 2

export type Group = readonly [
  /** Sends to the leader: see `createTransport`. */
  send: (line: Line, kind: number, data?: unknown) => void,
  isLeader: () => boolean,
  /** Takes part no more. A leader closes the connection, and another tab leads. */
  leave: () => void,
]

/**
 * Takes part in the group of a name, and does what is to be done when the page is left.
 *
 * @param pingMs the time between two pings of the deputy, in milliseconds
 * @param handOverMs after how long a visible tab replaces a leader that is hidden, in milliseconds
 * @param createHub returns what serves the tabs while this one leads; as `hub.ts`
 * @param topics returns the topics of the tab's rooms. Called later
 * @param wake called when a transport that was closed can be opened again
 */
export function createGroup(
  name: string,
  timers: Clock,
  pingMs: number,
  handOverMs: number,
  createHub: HubWith,
  topics: () => readonly string[],
  wake: () => void,
): Group {
  const id = crypto.randomUUID()
  /** There is one while the tab's own lock is held. The leader waits for that, to learn that the tab is gone. */
  let channel: BroadcastChannel | undefined
  let line: Line | undefined
  /** From when the page is shown until it is left. */
  let isShown = false
  /** Whether the tab would lead: it is neither frozen nor left. */
  let isCandidate = false
  /** While the tab leads. */
  let leading: AbortSignal | undefined
  let isYielding = false
  let leader = ""
  let term = 0
  let activeAt = 0
  let asking: unknown
  let misses = 0
  const watched = new Set<string>()

  const post = (...message: TabMessage): void => channel?.postMessage(message)

  const receive = (kind: number, from: string, data?: unknown): void => {
    // Another script may use a channel of this name.
    if (kind >= (leading ? HELLO : LEAD)) handlers[kind]?.(from, data as never)
  }

  const toLeader = (kind: number, data?: unknown): void => {
    if (leading) receive(kind, id, data)
    else post(leader, id, kind, data)
  }

  const toTab = (to: string, kind: number, data?: unknown): void => {
    if (to !== id) post(to, id, kind, data)
    if (to && to !== id) return
    // phoenix.js's `Presence` writes into what it gets.
    const copy = structuredClone(data)
    queueMicrotask(() => receive(kind, id, copy))
  }

  const [serve, bye, frame, show, stop] = createHub(
    (to, message) => toTab(to, MESSAGE, message),
    (to, isOpen, detail) => leading && toTab(to, LEAD, [term, isOpen, detail] satisfies Lead),
  )

  const hello = (): void => {
    if (channel && line && line.readyState < CLOSED) toLeader(HELLO, [activeAt, topics()] satisfies Hello)
  }

  const [lead, unlead] = createLock(
    name,
    (end) => {
      undeputize()
      // What it still has of a former term.
      stop(0)
      leading = end
      toTab("", LEAD, [Math.max(term + 1, Date.now())] satisfies Lead)
      return () => {
        leading = undefined
        leader = ""
        watched.clear()
        stop(isYielding ? LINGER_MS : 0)
        isYielding = false
        if (isCandidate) deputize()
      }
    },
    () => isCandidate && lead(),
  )

  const [deputize, undeputize] = createLock(`deputy ${name}`, () => {
    let timer: unknown
    const ping = (): void => {
      timer = timers.set(ping, pingMs)
      if (misses++ < MISSES) toLeader(PING)
      else lead(true)
    }
    // The first one is too early to be missed.
    misses = -1
    ping()
    return () => timers.clear(timer)
  })

  const stand = (): void => {
    // A page that comes back from the cache resumes before it is shown.
    if (isCandidate || !channel) return
    isCandidate = true
    lead()
    deputize()
  }

  const resign = (): void => {
    isCandidate = isYielding = false
    unlead()
    undeputize()
  }

  /** A visible tab replaces a leader that is hidden: the timers of that are slow, and it may be frozen any time. */
  const ask = (): void => {
    timers.clear(asking)
    if (!isCandidate || leading || document.hidden) return
    asking = timers.set(
      () => {
        toLeader(WANT)
        ask()
      },
      line?.readyState === OPEN ? handOverMs : IMPATIENT_MS,
    )
  }

  const look = (): void => {
    if (!document.hidden) activeAt = Date.now()
    hello()
    ask()
  }

  const [live, die] = createLock(`${id} ${name}`, () => {
    channel = new BroadcastChannel(name)
    channel.addEventListener("message", ({ data }: MessageEvent<TabMessage>) => {
      if (Array.isArray(data) && (!data[0] || data[0] === id)) receive(data[2], data[1], data[3])
    })
    look()
    stand()
    return () => {
      channel!.close()
      channel = undefined
    }
  })

  const enter = (): void => {
    if (!isShown) live()
    isShown = true
  }

  const exit = (): void => {
    resign()
    // Another tab leads by the time that the page comes back.
    leader = ""
    stop(0)
    timers.clear(asking)
    die()
    isShown = false
  }

  /** What handles the messages of each kind, in the order of the kinds. */
  const handlers: readonly ((tab: string, data: never) => void)[] = [
    // HELLO
    (tab, data) => {
      if (tab !== id && !watched.has(tab)) {
        watched.add(tab)
        const gone = (): void => {
          watched.delete(tab)
          bye(tab)
        }
        navigator.locks.request(`${tab} ${name}`, { signal: leading! }, gone).catch(() => {})
      }
      serve(tab, data)
    },
    bye,
    frame,
    // PING
    // A frozen page receives messages, but its timers do not run.
    (tab) => void timers.set(() => show(tab), 0),
    // WANT
    (tab) => {
      if (tab === id || !document.hidden) return
      isYielding = true
      toTab(tab, YIELD)
    },
    // LEAD
    (tab, [number, isOpen, detail]: Lead) => {
      // What an earlier leader has sent may arrive late. Written so that it holds for what is no number, too.
      if (!(number >= term)) return
      const isNew = number > term
      term = number
      misses = 0
      if (leading && tab !== id) lead()
      leader = tab
      if (isNew) lose(line)
      if (!isOpen) lose(line, detail)
      else if (!open(line, detail)) wake()
      if (isNew) {
        wake()
        hello()
      }
      ask()
    },
    // MESSAGE
    (tab, data: Message) => {
      if (tab === leader && line?.readyState === OPEN) line.onmessage({ data })
    },
    // YIELD
    () => isCandidate && lead(true),
  ]

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
  return [
    (from, kind, data) => {
      if (kind === HELLO) {
        line = from
        hello()
      } else if (line === from && from.readyState < CLOSED) toLeader(kind, data)
    },
    () => !!leading,
    () => {
      exit()
      isShown = true
    },
  ]
}

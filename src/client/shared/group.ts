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
import type { Hub } from "./hub.ts"
import type { Frame, Lead, TabMessage, ToLeader, ToTab } from "./messages.ts"
import { createPings } from "./pings.ts"
import { createPort } from "./port.ts"

/** How long the connection of a hidden leader stays beside that of its successor, in milliseconds, so that nobody seems to leave. */
const LINGER_MS = 5_000
/** After how long at most a visible tab asks a hidden leader that is not connected, in milliseconds. */
const IMPATIENT_MS = 1_000

export interface Group {
  readonly isLeader: boolean
  /** Uses the connection of the leader. */
  readonly transport: Transport
  /** Ends the connections of all tabs of the group, this one included. */
  end(): void
  /** Takes part no more. A leader closes the connection, and another tab leads. */
  leave(): void
}

/**
 * @param pingMs the time between two pings of the deputy, in milliseconds
 * @param handOverMs after how long a visible tab replaces a leader that is hidden, in milliseconds
 * @param topicsOf returns the topics of the tab's rooms
 * @param createHub returns what serves the tabs while this one leads; as `hub.ts`
 * @param wake called when a transport that was closed can be opened again
 * @param ended called when the connections of all tabs are to end
 */
export function createGroup(
  name: string,
  timers: Clock,
  pingMs: number,
  handOverMs: number,
  topicsOf: () => readonly string[],
  createHub: (
    send: (to: string, frame: Frame) => void,
    show: (to: string, isOpen: boolean, detail: unknown) => void,
  ) => Hub,
  wake: () => void,
  ended: () => void,
): Group {
  const id = crypto.randomUUID()
  let hub: Hub
  let channel: BroadcastChannel | undefined
  /** From when the page is shown until it is left. */
  let stay = new AbortController()
  /** While the tab waits for the lock of the leader, and holds it. */
  let candidacy = stay
  /** While the tab waits for the lock of the deputy, and holds it. */
  let deputation = stay
  /** Whether the tab would lead: it is neither frozen nor left. */
  let isCandidate = false
  /** Whether the tab's own lock is held. The leader waits for it, to learn that the tab is gone. */
  let isSeen = false
  let isLeader = false
  let isYielding = false
  let isOver = false
  let leader = ""
  let term = 0
  let activeAt = 0
  let asking: unknown
  const watched = new Set<string>()

  const post = (...message: TabMessage): void => channel?.postMessage(message)

  const toLeader = (kind: ToLeader, data?: unknown): void => {
    if (isLeader) serve(kind, id, data)
    else post(leader, id, kind, data)
  }

  const toTab = (to: string, kind: ToTab, data?: unknown): void => {
    if (to !== id) post(to, id, kind, data)
    if (to === id || !to) queueMicrotask(() => asTab[kind](id, data))
  }

  const hello = (): void => {
    if (isSeen && port.isPending) toLeader("hello", [activeAt, topicsOf()])
  }

  const port = createPort((kind, data) => (kind === "hello" ? hello() : toLeader(kind, data)))

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
    toTab("", "lead", [Math.max(term + 1, Date.now()), false] satisfies Lead)
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
    () => toLeader("ping"),
    () => lead(true),
  )

  const deputize = (): void => {
    deputation.abort()
    deputation = new AbortController()
    void holdLock(`${name} deputy`, deputation, pings.start)
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

  const want = (): void => {
    toLeader("want")
    ask()
  }

  /** A visible tab replaces a leader that is hidden: the timers of that are slow, and it may be frozen any time. */
  const ask = (): void => {
    timers.clear(asking)
    if (!isCandidate || isLeader || document.hidden) return
    asking = timers.set(want, port.isOpen ? handOverMs : Math.min(handOverMs, IMPATIENT_MS))
  }

  const asLeader = {
    hello(tab: string, data: never) {
      if (tab !== id && !watched.has(tab)) {
        watched.add(tab)
        const gone = (): void => {
          watched.delete(tab)
          hub.bye(tab)
        }
        navigator.locks.request(name + tab, { signal: candidacy.signal }, gone).catch(() => {})
      }
      hub.hello(tab, data)
    },
    // A frozen page receives messages, but its timers do not run.
    ping: (tab: string) => timers.set(() => isLeader && toTab(tab, "pong"), 0),
    want(tab: string) {
      if (tab === id || !document.hidden) return
      isYielding = true
      toTab(tab, "yield")
    },
  }

  const serve = (kind: ToLeader, tab: string, data: unknown): void => {
    ;({ ...hub, ...asLeader })[kind](tab, data as never)
  }

  const asTab: Record<ToTab, (tab: string, data: unknown) => void> = {
    lead(tab, data) {
      const [number, isOpen, detail] = data as Lead
      // What an earlier leader has sent may arrive late.
      if (number < term) return
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
    message(tab, frame) {
      if (tab === leader) port.message(frame as Frame)
    },
    pong: () => pings.answered(),
    yield() {
      if (isCandidate) lead(true)
    },
    end: ended,
  }

  const look = (): void => {
    if (document.hidden) return
    activeAt = Date.now()
    toLeader("active", activeAt)
    ask()
  }

  const seen = (): Undo => {
    isSeen = true
    hello()
    return () => (isSeen = false)
  }

  const enter = (): void => {
    if (channel || isOver) return
    stay = new AbortController()
    channel = new BroadcastChannel(name)
    channel.addEventListener("message", ({ data: [to, from, kind, data] }: MessageEvent<TabMessage>) => {
      if (to && to !== id) return
      if (kind in asTab) asTab[kind as ToTab](from, data)
      else if (isLeader) serve(kind as ToLeader, from, data)
    })
    if (!document.hidden) activeAt = Date.now()
    void holdLock(name + id, stay, seen)
    stand()
  }

  const exit = (): void => {
    resign()
    // Another tab leads by the time that the page comes back.
    leader = ""
    hub.stop(0)
    timers.clear(asking)
    stay.abort()
    channel?.close()
    channel = undefined
  }

  queueMicrotask(() => {
    if (isOver) return
    // From here on, because what the tab's own connection does when the page is left comes before what is done here.
    hub = createHub(
      (to, frame) => toTab(to, "message", frame),
      (to, isOpen, detail) => isLeader && toTab(to, "lead", [term, isOpen, detail] satisfies Lead),
    )
    addEventListener("focus", look)
    document.addEventListener("visibilitychange", look)
    // A frozen leader would keep its lock.
    document.addEventListener("freeze", resign)
    document.addEventListener("resume", stand)
    // So would one in the back/forward cache, from which a message would remove the page.
    addEventListener("pagehide", exit)
    addEventListener("pageshow", () => {
      enter()
      wake()
    })
    enter()
  })

  return {
    transport: port.transport,
    get isLeader() {
      return isLeader
    },
    end() {
      // Not through the channel of this tab, which may be closed.
      const all = new BroadcastChannel(name)
      all.postMessage(["", id, "end"] satisfies TabMessage)
      all.close()
      ended()
    },
    leave() {
      isOver = true
      if (channel) exit()
    },
  }
}

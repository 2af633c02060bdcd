import type { Timers } from "../../timers.ts"
import { FoldedDiff } from "../../tracker/folded-diff.ts"
import type { TopicDiff } from "../../tracker/tracker.ts"
import type { DiffReceiver, StateReceiver } from "../channel/runtime.ts"
import type { FetchedFields, Found } from "./fetched.ts"

/** How changes become diffs. */
export interface DiffBatcherOptions {
  readonly timers: Timers
  /** How long the changes of a topic are collected for one diff, in ms; 0 is one turn of the event loop; `false`: a diff for each change. */
  readonly windowMs: number | false
  /** What diffs wait for, if anything. */
  readonly extension?: FetchedFields | undefined
  /** Sends a diff, with what was fetched for it, to all clients of the topic but those that `skips` names. */
  send(topic: string, change: TopicDiff, skips: (channel: DiffReceiver) => boolean, found: Found | undefined): void
}

/** The changes of a window: each a diff of its own, or folded into one. */
interface Changes {
  /** The number of changes added so far. */
  readonly version: number
  add(change: TopicDiff): void
  /** Marks the state after so many changes as read. */
  observe(version: number): void
  take(): TopicDiff | TopicDiff[]
}

/** The changes of one topic that are still being collected, and the channels whose state waits for them. */
interface Window {
  readonly changes: Changes
  readonly waiting: Set<StateReceiver>
  /** Whether the application has read the topic in this window: a message may contain what it read. */
  isObserved: boolean
  timer?: unknown
}

/** A closed window on its way to the clients. */
interface ClosedWindow {
  readonly changes: readonly TopicDiff[]
  readonly waiting: Set<StateReceiver>
  isObserved: boolean
  /** What was fetched for each change, once it is there. */
  found: readonly (Found | undefined)[]
  isReady: boolean
}

/** How long diffs of all topics are sent in one turn of the event loop, in ms. */
const TURN_MS = 1

/**
 * Collects the changes of each topic into the diffs that its clients get.
 *
 * A diff leaves out what came and went inside its window. A client that got the topic's state from within the window and
 * the diff afterwards would show for ever what was there for a moment. There are two ways out:
 * - A state that goes to a client as the application got it, by `presence.list`, waits for the end of the window, and
 *   is sent in place of the diff. So a thousand joins cost one diff and one encoding of the state.
 * - A list that the application has read may be anywhere, in a reply or filtered. `observer` marks the moment, and the
 *   diff of the window brings the topic of that moment up to date as well.
 *
 * When a turn of the event loop has no time left, windows that should end stay open and go on collecting. So the more
 * there is to send, the fewer diffs are sent. Otherwise, when clients join hundreds of topics, all others would wait.
 */
export class DiffBatcher {
  readonly #options: DiffBatcherOptions
  readonly #open = new Map<string, Window>()
  /** Open windows whose time has come, in order. */
  #due: { readonly topic: string; readonly window: Window }[] = []
  /** Closed windows that wait for fetched data, theirs or an earlier one's, in order. */
  readonly #closed = new Map<string, ClosedWindow[]>()

  constructor(options: DiffBatcherOptions) {
    this.#options = options
  }

  add(topic: string, change: TopicDiff): void {
    const window = this.#open.get(topic) ?? this.#start(topic)
    window.changes.add(change)
  }

  /** Keeps a channel waiting until all changes of its topic so far have been sent; returns `false` when they have. */
  hold(topic: string, channel: StateReceiver): boolean {
    const last = this.#lastWindow(topic)
    last?.waiting.add(channel)
    return last !== undefined
  }

  /** Returns a function to call when the topic, as it is now, is read; `undefined` when no diff depends on it. */
  observer(topic: string): (() => void) | undefined {
    // With an extension, an application reads what has been sent, and the next diffs start from there anyway.
    if (this.#options.extension !== undefined) {
      return () => {
        for (const window of this.#pending(topic)) window.isObserved = true
      }
    }
    const window = this.#open.get(topic)
    if (window === undefined) return undefined
    const { version } = window.changes
    return () => {
      window.isObserved = true
      window.changes.observe(version)
    }
  }

  /** Sends now what would be sent at the end of this turn, where every change is a diff of its own. */
  settle(topic: string): void {
    const window = this.#options.windowMs === false ? this.#open.get(topic) : undefined
    if (window !== undefined) this.#close(topic, window)
  }

  /** Sends now all that is still being collected, and leaves no timer behind. */
  flush(): void {
    for (const [topic, window] of this.#open) {
      this.#options.timers.clear(window.timer)
      this.#close(topic, window)
    }
  }

  #lastWindow(topic: string): Window | ClosedWindow | undefined {
    return this.#open.get(topic) ?? this.#closed.get(topic)?.at(-1)
  }

  /** The windows of a topic whose diffs have not been sent yet, in order. */
  #pending(topic: string): (Window | ClosedWindow)[] {
    const open = this.#open.get(topic)
    return [...(this.#closed.get(topic) ?? []), ...(open === undefined ? [] : [open])]
  }

  #start(topic: string): Window {
    const { timers, windowMs } = this.#options
    const changes = windowMs === false ? new SeparateDiffs() : new FoldedDiff()
    const window: Window = { changes, waiting: new Set(), isObserved: false }
    this.#open.set(topic, window)
    // Even a diff of its own comes after the reply to the operation that it reports, as from Phoenix.
    if (windowMs === false) queueMicrotask(() => this.#close(topic, window))
    else if (windowMs === 0) this.#fallDue(topic, window)
    else window.timer = timers.set(() => this.#fallDue(topic, window), windowMs)
    return window
  }

  #fallDue(topic: string, window: Window): void {
    if (this.#due.push({ topic, window }) === 1) this.#options.timers.soon(() => this.#closeDue())
  }

  #closeDue(): void {
    const { timers } = this.#options
    const due = this.#due
    const ends = timers.now() + TURN_MS
    let closed = 0
    try {
      do {
        const { topic, window } = due[closed]!
        closed += 1
        this.#close(topic, window)
      } while (closed < due.length && timers.now() < ends)
    } finally {
      // Also when sending one of them throws: the others are to be sent.
      this.#due = due.slice(closed)
      if (this.#due.length > 0) timers.soon(() => this.#closeDue())
    }
  }

  #close(topic: string, window: Window): void {
    // It may have been settled before its time, and another one opened since.
    if (this.#open.get(topic) !== window) return
    this.#open.delete(topic)
    const { waiting, isObserved } = window
    const changes = [window.changes.take()].flat().filter(({ joins, leaves }) => joins.length + leaves.length > 0)
    const closed: ClosedWindow = { changes, waiting, isObserved, found: [], isReady: true }
    const queue = this.#closed.get(topic) ?? []
    this.#closed.set(topic, queue)
    const isBehind = queue.length > 0
    queue.push(closed)
    const { extension } = this.#options
    const fetching = closed.changes.map((change, at) => extension?.prepare(topic, change, isBehind || at > 0))
    if (fetching.some((wait) => wait !== undefined)) {
      closed.isReady = false
      void Promise.all(fetching).then((found) => {
        closed.found = found
        closed.isReady = true
        this.#drain(topic, queue)
      })
    }
    this.#drain(topic, queue)
  }

  /** Sends the closed windows that are ready, and none before an earlier one. */
  #drain(topic: string, queue: ClosedWindow[]): void {
    while (queue[0]?.isReady === true) {
      const window = queue.shift() as ClosedWindow
      if (queue.length === 0) this.#closed.delete(topic)
      const waiting = this.#waiting(topic, window)
      this.#releaseEarly(window, waiting)
      const skips = this.#skips(waiting)
      try {
        for (const [at, change] of window.changes.entries()) this.#options.send(topic, change, skips, window.found[at])
      } finally {
        for (const channel of window.waiting) channel.release()
      }
    }
  }

  /**
   * Sends the state before the diff, and the diff as well, to channels with messages behind it that may contain an older
   * state: an application that pushes the state and then a list that it has read or filtered before. Also to those that wait
   * for a later window: the older state may be from before this one.
   */
  #releaseEarly({ isObserved }: ClosedWindow, waiting: readonly Set<StateReceiver>[]): void {
    // Diffs of single changes are sent to all channels anyway.
    if (this.#options.windowMs === false) return
    for (const channels of waiting) {
      for (const channel of channels) {
        if (channel.holdsOlderState?.(isObserved) === true && channels.delete(channel)) channel.release()
      }
    }
  }

  /** Returns the channels that wait for a window that is being sent or, while data is being fetched, for a later one. */
  #waiting(topic: string, window: ClosedWindow): Set<StateReceiver>[] {
    const all = [window, ...this.#pending(topic)]
    return all.flatMap((each) => (each.waiting.size === 0 ? [] : [each.waiting]))
  }

  /**
   * Returns which channels get a state that makes the diff needless: those that are waiting.
   *
   * But not if they have been sent diffs since they joined: phoenix.js keeps diffs that come before the first state, and
   * applies them to it. With the join of a user but without its leave, it would show the user for ever.
   */
  #skips(waiting: readonly Set<StateReceiver>[]): (channel: DiffReceiver) => boolean {
    // A diff of its own leaves nothing out, and Phoenix sends it to the channel that has just joined, too.
    const skipsAny = this.#options.windowMs !== false
    return (channel) => {
      // First, and without a write: this runs for each client of the topic.
      if (channel.receivedDiff === true) return false
      if (skipsAny && waiting.some((channels) => channels.has(channel as StateReceiver))) return true
      channel.receivedDiff = true
      return false
    }
  }
}

/** Every change as a diff of its own, as Phoenix sends them: a state of any moment fits. */
class SeparateDiffs implements Changes {
  readonly version = 0
  readonly #changes: TopicDiff[] = []

  add(change: TopicDiff): void {
    this.#changes.push(change)
  }

  observe(): void {}

  take(): TopicDiff[] {
    return this.#changes.splice(0)
  }
}

import type { Timers } from "../../timers.ts"
import { FoldedDiff } from "../../tracker/folded-diff.ts"
import type { TopicDiff } from "../../tracker/tracker.ts"
import type { DiffReceiver, StateReceiver } from "../channel/server-context.ts"
import type { PresenceWindow } from "../presence-window.ts"
import type { FetchedFields, Found } from "./fetched.ts"
import { SeparateDiffs } from "./separate-diffs.ts"
import type { Changes } from "./separate-diffs.ts"

/** The options of a diff batcher. */
export interface DiffBatcherOptions {
  readonly timers: Timers
  /**
   * How long the changes of a topic are collected for one diff, in ms. 0 is one turn of the event loop; with `false`, each change
   * is a diff of its own.
   */
  readonly windowMs: number | false | PresenceWindow
  /** Returns the number of users of a topic, for a function as `windowMs`. By default 0. */
  sizeOf?(topic: string): number
  /** What diffs wait for, if anything. */
  readonly fetchedFields?: FetchedFields | undefined
  /** Returns whether a diff of this topic would reach anybody now. By default, each diff does. */
  hasReceivers?(topic: string): boolean
  /** Sends a diff, with the fields fetched for it, to the clients of the topic, except those for whose channel `skips` is true. */
  send(topic: string, change: TopicDiff, skips: (channel: DiffReceiver) => boolean, found: Found | undefined): void
}

/** The changes of one topic that are being collected, and the channels whose state waits for them. */
interface Window {
  readonly changes: Changes
  readonly waiting: Set<StateReceiver>
  /** Whether the application has read the topic in this window. If so, a message may contain the state that it read. */
  isObserved: boolean
  timer?: unknown
}

/** A closed window whose diffs have not been sent yet. */
interface ClosedWindow {
  readonly changes: readonly TopicDiff[]
  readonly waiting: Set<StateReceiver>
  isObserved: boolean
  /** The fields fetched for each change, once the fetches have ended. */
  found: readonly (Found | undefined)[]
  isReady: boolean
}

/** How long diffs of all topics are sent in one turn of the event loop, in ms. */
const TURN_MS = 1

/**
 * How long a channel waits for the state of its topic at most, in ms, in windows whose length a function returns: they may be
 * long. With fetched data, it may be longer. The state is encoded for all channels
 * that wait: at 20 joins a second into a room of 18 000, to encode it for each of them would take most of a core.
 */
const STATE_WAIT_MS = 250

/**
 * Collects the changes of each topic into the diffs that its clients get.
 *
 * A diff omits presences that joined and left inside its window. A client that got a state from inside the window, and then the
 * diff, would show such a presence for ever. Two rules prevent that:
 * - If the application pushes the snapshot that `presence.list` returned, the push waits for the end of the window. The client
 *   then gets the current state instead of the diff. So a thousand joins cost one diff and one encoding of the state.
 *   In the middle of a long window, it gets the state of that moment, as if the application had read it, and then the diff.
 * - If the application reads the list, it may send parts of it in any message. `observer` marks the moment of reading. The diff
 *   of the window then also contains the changes that a client with the state of that moment needs.
 *
 * When a turn of the event loop has no time left, windows that should end stay open and continue to collect. So under load,
 * fewer and larger diffs are sent. Otherwise, when clients join hundreds of topics, all other clients would wait.
 */
export class DiffBatcher {
  readonly #options: DiffBatcherOptions
  readonly #open = new Map<string, Window>()
  /** The open windows that should end now, in order. */
  #due: { readonly topic: string; readonly window: Window }[] = []
  /** Closed windows, in order, that wait for their own fetched data or for that of an earlier window. */
  readonly #closed = new Map<string, ClosedWindow[]>()

  constructor(options: DiffBatcherOptions) {
    this.#options = options
  }

  add(topic: string, change: TopicDiff): void {
    const window = this.#open.get(topic) ?? this.#start(topic)
    window.changes.add(change)
  }

  /** Makes a channel wait until all changes of its topic so far have been sent. Returns `false` if they have been sent. */
  hold(topic: string, channel: StateReceiver): boolean {
    const last = this.#lastWindow(topic)
    last?.waiting.add(channel)
    return last !== undefined
  }

  /** Returns a function to call when the present state of the topic is read, or `undefined` when no diff depends on that. */
  observer(topic: string): (() => void) | undefined {
    // With fetched fields, an application reads the state that has been sent, and the next diffs start from that state anyway.
    if (this.#options.fetchedFields !== undefined) {
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

  /** Sends the changes of this turn now, if each change is a separate diff. */
  settle(topic: string): void {
    const window = this.#options.windowMs === false ? this.#open.get(topic) : undefined
    if (window !== undefined) this.#close(topic, window)
  }

  /** Sends all changes that are being collected now, and clears the timers. */
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
    const { windowMs } = this.#options
    const changes = windowMs === false ? new SeparateDiffs() : new FoldedDiff()
    const window: Window = { changes, waiting: new Set(), isObserved: false }
    this.#open.set(topic, window)
    // A separate diff is also sent after the reply to the operation that it reports, as in Phoenix.
    if (windowMs === false) queueMicrotask(() => this.#close(topic, window))
    else if (typeof windowMs === "number") this.#wait(topic, window, windowMs, windowMs)
    else this.#wait(topic, window, windowMs(topic, this.#options.sizeOf?.(topic) ?? 0), STATE_WAIT_MS)
    return window
  }

  /** Waits for the end of a window in `ms`. Meanwhile, sends the state to the channels that wait for it, every `stateMs`. */
  #wait(topic: string, window: Window, ms: number, stateMs: number): void {
    if (ms === 0) return this.#fallDue(topic, window)
    const step = Math.min(ms, stateMs)
    window.timer = this.#options.timers.set(() => {
      if (ms > step) this.#releaseInside(topic, window)
      this.#wait(topic, window, ms - step, stateMs)
    }, step)
  }

  /** Sends the present state to the channels that wait for the end of a window. They then get the diff like all others. */
  #releaseInside(topic: string, { waiting }: Window): void {
    // With fetched fields, the state is that of the last diff. Channels that wait for a diff would miss what is before it.
    if (this.#closed.has(topic)) return
    for (const channel of waiting) if (waiting.delete(channel)) channel.release(true)
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
      // In `finally`, because the other windows must be closed even if sending one of them throws.
      this.#due = due.slice(closed)
      if (this.#due.length > 0) timers.soon(() => this.#closeDue())
    }
  }

  #close(topic: string, window: Window): void {
    // `settle` may have closed it already, and another window may have been opened since.
    if (this.#open.get(topic) !== window) return
    this.#open.delete(topic)
    const { waiting, isObserved } = window
    const changes = this.#isNeeded(topic) ? taken(window.changes) : []
    const closed: ClosedWindow = { changes, waiting, isObserved, found: [], isReady: true }
    const queue = this.#closed.get(topic) ?? []
    this.#closed.set(topic, queue)
    const isBehind = queue.length > 0
    queue.push(closed)
    const { fetchedFields } = this.#options
    const fetching = closed.changes.map((change, at) => fetchedFields?.prepare(topic, change, isBehind || at > 0))
    if (fetching.some((wait) => wait !== undefined)) {
      closed.isReady = false
      void Promise.all(fetching).then((found) => {
        closed.found = found
        closed.isReady = true
        this.#sendReady(topic, queue)
      })
    }
    this.#sendReady(topic, queue)
  }

  /**
   * Returns whether the diff of a window that ends now must be made. Otherwise its rows are not read, since those of a large cluster
   * take more than twice the memory once they were read. This is decided at the end: a client may join in the middle of a window, after
   * the application has read the state of its beginning.
   */
  #isNeeded(topic: string): boolean {
    const { fetchedFields, hasReceivers } = this.#options
    return fetchedFields !== undefined || hasReceivers === undefined || hasReceivers(topic)
  }

  /** Sends the closed windows that are ready, in order. */
  #sendReady(topic: string, queue: ClosedWindow[]): void {
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
   * Sends the state before the diff to channels that hold messages behind it which may contain an older state. They get the
   * diff as well. Example: in one window, an application pushes the state and then a filtered copy of a list that it had
   * read before. This includes channels that wait for a later window: the older state may be from before this one.
   */
  #releaseEarly({ isObserved }: ClosedWindow, waiting: readonly Set<StateReceiver>[]): void {
    // Separate diffs are sent to all channels anyway.
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
   * Returns a function that returns `true` for the waiting channels that need no diff, because they get a newer state.
   *
   * A channel that has been sent a diff since it joined needs this one, too. phoenix.js keeps the diffs that arrive before the
   * first state, and applies them to it. If it got the join of a user but not the leave, it would show the user for ever.
   */
  #skips(waiting: readonly Set<StateReceiver>[]): (channel: DiffReceiver) => boolean {
    // A separate diff omits nothing, and Phoenix sends it to the channel that has just joined, too.
    const skipsAny = this.#options.windowMs !== false
    return (channel) => {
      if (channel.isCounting === true) return true
      // Without a write: this runs for each client of the topic.
      if (channel.receivedDiff === true) return false
      if (skipsAny && waiting.some((channels) => channels.has(channel as StateReceiver))) return true
      channel.receivedDiff = true
      return false
    }
  }
}

/** Returns the diffs of a window that are not empty. */
function taken(changes: Changes): TopicDiff[] {
  return [changes.take()].flat().filter(({ joins, leaves }) => joins.length + leaves.length > 0)
}

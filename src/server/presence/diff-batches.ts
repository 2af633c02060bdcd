import type { Timers } from "../../timers.ts"
import { FoldedDiff } from "../../tracker/folded-diff.ts"
import type { TopicDiff } from "../../tracker/tracker.ts"
import type { FetchedFields, Found } from "./fetched.ts"

/** Somebody whose next push is a topic's state: it goes out right after the diffs that it holds inside it. */
export interface Held {
  release(): void
}

/** How changes become diffs. */
export interface DiffBatcherOptions {
  readonly timers: Timers
  /** How long the changes of a topic are gathered into one diff, in ms; 0 is one turn of the event loop; `false`: each is its own. */
  readonly windowMs: number | false
  /** What diffs wait for, if anything. */
  readonly extension?: FetchedFields | undefined
  /** Sends a diff, with what was fetched for it, to all but those who are sent a state that has it inside. */
  tell(topic: string, change: TopicDiff, skipped: ReadonlySet<object>, found: Found | undefined): void
}

/** The changes of a window: each a diff of its own, or folded into one. */
interface Pending {
  add(change: TopicDiff): void
  take(): TopicDiff | TopicDiff[]
}

/** What has changed in one topic in this turn, and who waits for it to be told. */
interface Window {
  readonly pending: Pending
  readonly held: Set<Held>
  timer?: unknown
}

/** A closed window on its way to the clients. */
interface Closed {
  readonly changes: readonly TopicDiff[]
  readonly held: ReadonlySet<Held>
  /** What was fetched for each change, once it is there. */
  found: readonly (Found | undefined)[]
  ready: boolean
}

const NOBODY: ReadonlySet<object> = new Set()

/** How long windows are told of in one turn of the event loop, all of them together, in ms. */
const TURN_MS = 1

/**
 * Gathers the changes of each topic into the diffs that its clients get.
 *
 * A diff leaves out what came and went inside its window. So nobody may get a state from within a window and its diff
 * afterwards: they would never hear of the end of what was there for a moment. Who is to get a state is held until
 * the window has been told, and gets the state in place of its diff.
 *
 * A window for which a turn has no time left stays open, and gathers on: the more there is to tell, the fewer diffs tell
 * it. Otherwise, where people come to many rooms by the hundred, everybody else would wait for all those diffs.
 */
export class DiffBatcher {
  readonly #options: DiffBatcherOptions
  readonly #open = new Map<string, Window>()
  /** Open windows whose time has come, in order. */
  #due: { readonly topic: string; readonly window: Window }[] = []
  /** DiffBatcher that wait for data to show beside their metas, in the order in which they are to be told. */
  readonly #closed = new Map<string, Closed[]>()

  constructor(options: DiffBatcherOptions) {
    this.#options = options
  }

  add(topic: string, change: TopicDiff): void {
    const window = this.#open.get(topic) ?? this.#start(topic)
    window.pending.add(change)
  }

  /** Holds somebody until all that has changed in a topic until now is told; `false` when that is so already. */
  hold(topic: string, held: Held): boolean {
    const last = this.#open.get(topic) ?? this.#closed.get(topic)?.at(-1)
    ;(last?.held as Set<Held> | undefined)?.add(held)
    return last !== undefined
  }

  /** Tells now what would be told at the end of this turn, where every change is a diff of its own. */
  settle(topic: string): void {
    const window = this.#options.windowMs === false ? this.#open.get(topic) : undefined
    if (window !== undefined) this.#close(topic, window)
  }

  /** Tells now all that is still being gathered, and leaves no timer behind. */
  flush(): void {
    for (const [topic, window] of this.#open) {
      this.#options.timers.clear(window.timer)
      this.#close(topic, window)
    }
  }

  #start(topic: string): Window {
    const { timers, windowMs } = this.#options
    const pending = windowMs === false ? new SeparateDiffs() : new FoldedDiff()
    const window: Window = { pending, held: new Set() }
    this.#open.set(topic, window)
    // Even a diff of its own comes after the reply to the operation that it tells of, as from Phoenix.
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
      // Also when a listener of the application's throws: all the others are to be told.
      this.#due = due.slice(closed)
      if (this.#due.length > 0) timers.soon(() => this.#closeDue())
    }
  }

  #close(topic: string, window: Window): void {
    // It may have been settled ahead of its time, and another opened since.
    if (this.#open.get(topic) !== window) return
    this.#open.delete(topic)
    const changes = [window.pending.take()].flat().filter(({ joins, leaves }) => joins.length + leaves.length > 0)
    const closed: Closed = { changes, held: window.held, found: [], ready: true }
    const queue = this.#closed.get(topic) ?? []
    this.#closed.set(topic, queue)
    const isBehind = queue.length > 0
    queue.push(closed)
    const { extension } = this.#options
    const fetching = closed.changes.map((change, at) => extension?.prepare(topic, change, isBehind || at > 0))
    if (fetching.some((wait) => wait !== undefined)) {
      closed.ready = false
      void Promise.all(fetching).then((found) => {
        closed.found = found
        closed.ready = true
        this.#drain(topic, queue)
      })
    }
    this.#drain(topic, queue)
  }

  /** Tells what is ready, and nothing before what came earlier. */
  #drain(topic: string, queue: Closed[]): void {
    const { windowMs, tell } = this.#options
    while (queue[0]?.ready === true) {
      const { changes, held, found } = queue.shift() as Closed
      if (queue.length === 0) this.#closed.delete(topic)
      // A diff of its own leaves nothing out, and Phoenix sends it to the one who has just come, too.
      for (const [at, change] of changes.entries()) {
        tell(topic, change, windowMs === false ? NOBODY : held, found[at])
      }
      for (const channel of held) channel.release()
    }
  }
}

/** Every change as a diff of its own, as Phoenix sends them. */
class SeparateDiffs implements Pending {
  readonly #changes: TopicDiff[] = []

  add(change: TopicDiff): void {
    this.#changes.push(change)
  }

  take(): TopicDiff[] {
    return this.#changes.splice(0)
  }
}

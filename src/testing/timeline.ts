/** An event at a point of virtual time. `run` becomes `undefined` when the event has happened. */
export interface TimelineEvent {
  readonly at: number
  run: (() => void) | undefined
}

/**
 * The maximum number of events at one point of time. If there are more, timers are setting further timers without a delay,
 * so that time never advances.
 */
const MAX_EVENTS_AT_ONCE = 1_000_000

interface QueuedEvent {
  readonly event: TimelineEvent
  readonly order: number
}

/** Virtual time: a queue of events. Events at the same time happen in the order in which they were added. */
export class Timeline {
  now = 0
  /** A binary heap with the next event at its root. */
  readonly #heap: QueuedEvent[] = []
  #order = 0
  /** The number of events that have happened at the current time. */
  #eventsAtOnce = 0

  /** Adds an event at a point of time. A time in the past counts as the current time. */
  add(run: () => void, at: number): TimelineEvent {
    const event: TimelineEvent = { at: Math.max(this.now, at), run }
    const heap = this.#heap
    const item = { event, order: (this.#order += 1) }
    let place = heap.push(item) - 1
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!this.#precedes(item, heap[parent]!)) break
      heap[place] = heap[parent]!
      place = parent
    }
    heap[place] = item
    return event
  }

  /**
   * Advances to the next event, and runs it. Returns `false` if no event is due up to `end`.
   * @throws Error after a million events at the same time
   */
  step(end: number): boolean {
    for (let next = this.#heap[0]; next !== undefined && next.event.at <= end; next = this.#heap[0]) {
      this.#pop()
      const { at, run } = next.event
      if (run === undefined) continue
      this.#eventsAtOnce = at === this.now ? this.#eventsAtOnce + 1 : 1
      if (this.#eventsAtOnce > MAX_EVENTS_AT_ONCE) {
        throw new Error(
          `expected at most ${MAX_EVENTS_AT_ONCE} events at ${at} ms of virtual time, got more; find the timer that sets itself again without a delay`,
        )
      }
      this.now = at
      next.event.run = undefined
      run()
      return true
    }
    return false
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child + 1 < heap.length && this.#precedes(heap[child + 1]!, heap[child]!)) child += 1
      if (child >= heap.length || this.#precedes(last, heap[child]!)) break
      heap[place] = heap[child]!
      place = child
    }
    heap[place] = last
  }

  #precedes(left: QueuedEvent, right: QueuedEvent): boolean {
    return left.event.at === right.event.at ? left.order < right.order : left.event.at < right.event.at
  }
}

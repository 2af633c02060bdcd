/** Removes the listener that the call which returned it has added. A second call does nothing. */
export type Undo = () => void

/** Calls a callback, and passes what it throws to `failed`. */
export function guard(failed: (cause: unknown) => void, run: () => void): void {
  try {
    run()
  } catch (cause) {
    failed(cause)
  }
}

/**
 * The listeners of one event, in the order in which they were added.
 *
 * Each registration counts by itself: a function that is added twice is called twice, and each undo removes one registration.
 */
export class ListenerSet<Args extends readonly unknown[]> {
  protected readonly all: Set<readonly [listener: (...args: Args) => void]> = new Set()

  get size(): number {
    return this.all.size
  }

  add(listener: (...args: Args) => void): Undo {
    const registration = [listener] as const
    this.all.add(registration)
    return () => void this.all.delete(registration)
  }

  /**
   * Calls the listeners that are registered now, except those that an earlier one removes. A listener that throws does not
   * keep the others from being called; what it throws goes to `failed`.
   */
  emit(failed: (cause: unknown) => void, ...args: Args): void {
    // A copy: a listener that is added meanwhile is not called for this event.
    for (const registration of Array.from(this.all)) {
      // phoenix.js accepts `null` as a callback, and calls nothing.
      if (this.all.has(registration)) guard(failed, () => registration[0]?.(...args))
    }
  }
}

/** A `ListenerSet` that can be emptied, and called later as it is now. Apart from it, so that browsers do not load what only servers use. */
export class Listeners<Args extends readonly unknown[]> extends ListenerSet<Args> {
  clear(): void {
    this.all.clear()
  }

  /** Returns a function that calls the listeners that are registered now, except those that have been removed by then. */
  capture(): (failed: (cause: unknown) => void, ...args: Args) => void {
    const captured = [...this.all]
    return (failed, ...args) => {
      for (const registration of captured) {
        if (this.all.has(registration)) guard(failed, () => registration[0]?.(...args))
      }
    }
  }
}

/** Removes one listener: the one that was added by the call that returned this function. A second call does nothing. */
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
 * Registrations are independent: a function that is added twice is called twice, and each undo removes one registration.
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
   * Calls the listeners that are registered now, except those that an earlier listener removes. If a listener throws, the
   * error goes to `failed`, and the other listeners are still called.
   */
  emit(failed: (cause: unknown) => void, ...args: Args): void {
    // Iterates over a copy, because a listener that is added meanwhile must not be called for this event.
    for (const registration of Array.from(this.all)) {
      // phoenix.js accepts `null` as a callback, and calls nothing.
      if (this.all.has(registration)) guard(failed, () => registration[0]?.(...args))
    }
  }
}

/**
 * A `ListenerSet` that can also be cleared, and captured for a later call. It is a class of its own so that browsers do
 * not load what only servers use.
 */
export class Listeners<Args extends readonly unknown[]> extends ListenerSet<Args> {
  clear(): void {
    this.all.clear()
  }

  /**
   * Returns a function that calls the listeners that are registered at this moment, except those that are removed
   * before it is called.
   */
  capture(): (failed: (cause: unknown) => void, ...args: Args) => void {
    const captured = [...this.all]
    return (failed, ...args) => {
      for (const registration of captured) {
        if (this.all.has(registration)) guard(failed, () => registration[0]?.(...args))
      }
    }
  }
}

/** Removes what the call that returned it has added; calling it again does nothing. */
export type Undo = () => void

/**
 * The listeners of one event, in the order in which they were added.
 *
 * Each registration counts for itself: a function that is added twice is called twice, and each undo removes one.
 */
export class Listeners<Args extends readonly unknown[]> {
  readonly #registrations = new Set<{ readonly listener: (...args: Args) => void }>()

  get size(): number {
    return this.#registrations.size
  }

  add(listener: (...args: Args) => void): Undo {
    const registration = { listener }
    this.#registrations.add(registration)
    return () => void this.#registrations.delete(registration)
  }

  clear(): void {
    this.#registrations.clear()
  }

  /** Calls the present listeners; a listener that throws stops none of the others, and its error goes to `failed`. */
  emit(failed: (cause: unknown) => void, ...args: Args): void {
    this.capture()(failed, ...args)
  }

  /** Returns a function that calls the listeners of this moment, without those that have been removed by then. */
  capture(): (failed: (cause: unknown) => void, ...args: Args) => void {
    const captured = [...this.#registrations]
    return (failed, ...args) => {
      for (const registration of captured) {
        if (!this.#registrations.has(registration)) continue
        try {
          // phoenix.js accepts `null` as a callback, and calls nothing.
          registration.listener?.(...args)
        } catch (cause) {
          failed(cause)
        }
      }
    }
  }
}

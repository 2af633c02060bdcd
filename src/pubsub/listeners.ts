/** Who wants to be told. Each registration counts for itself: a function that is handed in twice is called twice. */
export class Listeners<Told> implements Iterable<(told: Told) => void> {
  readonly #registrations = new Set<{ readonly listener: (told: Told) => void }>()

  /** Adds one, and returns the undo. */
  add(listener: (told: Told) => void): () => void {
    const registration = { listener }
    this.#registrations.add(registration)
    return () => void this.#registrations.delete(registration)
  }

  clear(): void {
    this.#registrations.clear()
  }

  *[Symbol.iterator](): Generator<(told: Told) => void> {
    for (const { listener } of this.#registrations) yield listener
  }
}

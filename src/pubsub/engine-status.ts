import { Listeners } from "../listeners.ts"
import type { PubSubStatus } from "./pubsub.ts"

/** The status of a node's connection to its engine, and the listeners of its changes. */
export class EngineStatus {
  readonly #listeners = new Listeners<[status: PubSubStatus]>()
  readonly #onError: (error: unknown) => void
  #current: PubSubStatus
  #disconnects = 0

  constructor(initial: PubSubStatus, onError: (error: unknown) => void) {
    this.#current = initial
    this.#onError = onError
  }

  get current(): PubSubStatus {
    return this.#current
  }

  /**
   * How often the connection was lost. A caller compares this number before and after a call. If it has changed, a failure
   * of the call was caused by the lost connection, even if the status is `connected` again.
   */
  get disconnects(): number {
    return this.#disconnects
  }

  onChange(listener: (status: PubSubStatus) => void): () => void {
    return this.#listeners.add(listener)
  }

  /** Changes the status and notifies the listeners; `closed` is final, and later changes are ignored. */
  set(status: PubSubStatus): void {
    if (status === this.#current || this.#current === "closed") return
    this.#current = status
    if (status === "disconnected") this.#disconnects += 1
    this.#listeners.emit(this.#onError, status)
    if (status === "closed") this.#listeners.clear()
  }

  /** Resolves at the next change. */
  nextChange(): Promise<void> {
    return new Promise((resolve) => {
      const undo = this.onChange(() => {
        undo()
        resolve()
      })
    })
  }

  /** Settles like `work`, or resolves when the node closes, because a closed driver may never settle its promises. */
  untilClosed(work: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const undo = this.onChange((status) => {
        if (status === "closed") resolve()
      })
      work.then(resolve, reject).finally(undo)
    })
  }
}

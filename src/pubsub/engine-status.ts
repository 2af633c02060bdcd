import { Listeners } from "../listeners.ts"
import type { PubSubStatus } from "./pubsub.ts"

/** How a node stands with its engine, and who wants to know. */
export class EngineStatus {
  readonly #listeners = new Listeners<[status: PubSubStatus]>()
  readonly #onError: (error: unknown) => void
  #status: PubSubStatus
  #breaks = 0

  constructor(status: PubSubStatus, onError: (error: unknown) => void) {
    this.#status = status
    this.#onError = onError
  }

  get status(): PubSubStatus {
    return this.#status
  }

  /** How often the connection broke: an answer from before a break answers nothing that is asked after it. */
  get breaks(): number {
    return this.#breaks
  }

  onChange(listener: (status: PubSubStatus) => void): () => void {
    return this.#listeners.add(listener)
  }

  /** Changes it, unless it is closed, which is for good. */
  become(status: PubSubStatus): void {
    if (status === this.#status || this.#status === "closed") return
    this.#status = status
    if (status === "disconnected") this.#breaks += 1
    this.#listeners.emit(this.#onError, status)
    if (status === "closed") this.#listeners.clear()
  }

  /** Resolves at the next change. */
  change(): Promise<void> {
    return new Promise((resolve) => {
      const undo = this.onChange(() => {
        undo()
        resolve()
      })
    })
  }

  /** Settles as `work` does, and no later than the close, after which a driver may leave its promises open. */
  untilClosed(work: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const undo = this.onChange((status) => {
        if (status === "closed") resolve()
      })
      work.then(resolve, reject).finally(undo)
    })
  }
}

import { RollcallError } from "../../../error.ts"

/** A body that is being read, or whose messages wait to be handled. */
export interface Body {
  /** Adds bytes that have come. May refuse this body or a larger one. */
  grow(bytes: number): void
  /** Marks the body as read as a whole. From then on it is not refused any more. */
  complete(): void
  /** Gives the bytes back. Must be called once the body is not needed any more; calling it again has no effect. */
  release(): void
}

interface Entry {
  bytes: number
  readonly refuse: (error: RollcallError) => void
}

/**
 * Limits the bytes of all bodies of a server that are in memory at the same time. When there are more, the largest of those
 * that are still being read is refused: small posts of other clients are not affected by clients that post much and slowly.
 */
export class BodyBudget {
  readonly #maxBytes: number
  readonly #reading = new Set<Entry>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** @param refuse called at most once, with RollcallError `too_busy`: the body must be dropped at once */
  open(refuse: (error: RollcallError) => void): Body {
    const entry: Entry = { bytes: 0, refuse }
    this.#reading.add(entry)
    const release = (): void => {
      this.#reading.delete(entry)
      this.#bytes -= entry.bytes
      entry.bytes = 0
    }
    return {
      grow: (bytes) => {
        entry.bytes += bytes
        this.#bytes += bytes
        while (this.#bytes > this.#maxBytes && this.#reading.size > 0) this.#refuseLargest()
      },
      complete: () => void this.#reading.delete(entry),
      release,
    }
  }

  #refuseLargest(): void {
    let largest: Entry | undefined
    for (const entry of this.#reading) if (largest === undefined || entry.bytes > largest.bytes) largest = entry
    if (largest === undefined) return
    this.#reading.delete(largest)
    this.#bytes -= largest.bytes
    largest.bytes = 0
    const expected = `at most ${this.#maxBytes} bytes of posts at the same time (maxBufferedPostBytes)`
    largest.refuse(new RollcallError("too_busy", `expected ${expected}, got more`))
  }
}

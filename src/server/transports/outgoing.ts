import type { Endpoint } from "../transport.ts"

/** Counts what leaves in one turn of the event loop at once: a fan-out is thousands of frames, and two counts. */
export class Outgoing {
  readonly #count: Endpoint["count"]
  #frames = 0
  #bytes = 0

  constructor(count: Endpoint["count"]) {
    this.#count = count
  }

  /** One more frame, of so many bytes. */
  add(bytes: number): void {
    if (this.#frames === 0) setImmediate(() => this.#tell())
    this.#frames += 1
    this.#bytes += bytes
  }

  #tell(): void {
    const [frames, bytes] = [this.#frames, this.#bytes]
    this.#frames = 0
    this.#bytes = 0
    this.#count("frames_out", frames)
    this.#count("bytes_out", bytes)
  }
}

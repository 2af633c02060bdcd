/** How many frames are cached. The clients of one room are only a few broadcasts apart. */
const CACHED_FRAMES = 16

/**
 * Reads the values of one field from presence frames. A broadcast reaches thousands of clients as the same bytes. So each frame
 * is searched only once, and then recognized by comparison with the latest frames.
 */
export class PresenceFrames {
  #marker
  #read
  #cache = []

  /**
   * @param field the name of the field; its values must be strings
   * @param read converts a value
   */
  constructor(field, read) {
    this.#marker = Buffer.from(`"${field}":"`)
    this.#read = read
  }

  /** Returns the values in a state, or in the joins of a diff, and whether the frame reports an error. */
  parse(bytes, start, end) {
    for (const cached of this.#cache) {
      if (cached.frame.compare(bytes, start, end) === 0) return cached
    }
    const frame = Buffer.from(bytes.subarray(start, end))
    const entry = { frame, values: this.#values(frame), failed: ERRORS.some((error) => frame.includes(error)) }
    this.#cache.unshift(entry)
    this.#cache.length = Math.min(this.#cache.length, CACHED_FRAMES)
    return entry
  }

  #values(frame) {
    const values = []
    const leaves = frame.indexOf('"leaves":{')
    const stop = leaves < 0 ? frame.length : leaves
    for (let at = frame.indexOf(this.#marker); at >= 0 && at < stop; at = frame.indexOf(this.#marker, at)) {
      at += this.#marker.length
      values.push(this.#read(frame.latin1Slice(at, frame.indexOf(0x22, at))))
    }
    return values
  }
}

const ERRORS = ['"phx_error"', '"status":"error"']

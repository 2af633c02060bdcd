/** How many different frames are remembered: clients of one room are a few broadcasts apart at most. */
const REMEMBERED = 16

/**
 * Reads one field's values out of presence frames. A broadcast comes to thousands of clients as the same bytes, so a
 * frame is searched once, and found again by comparing it with the last few.
 */
export class Frames {
  #marker
  #read
  #last = []

  /** @param field whose values, strings all of them, are wanted; @param read what to make of one */
  constructor(field, read) {
    this.#marker = Buffer.from(`"${field}":"`)
    this.#read = read
  }

  /** What a state holds, or what a diff brings; and whether the server says that something failed. */
  of(bytes, start, end) {
    for (const known of this.#last) {
      if (known.frame.compare(bytes, start, end) === 0) return known
    }
    const frame = Buffer.from(bytes.subarray(start, end))
    const known = { frame, values: this.#values(frame), failed: REFUSALS.some((refusal) => frame.includes(refusal)) }
    this.#last.unshift(known)
    this.#last.length = Math.min(this.#last.length, REMEMBERED)
    return known
  }

  #values(frame) {
    const values = []
    const leaves = frame.indexOf('"leaves":{')
    const until = leaves < 0 ? frame.length : leaves
    for (let at = frame.indexOf(this.#marker); at >= 0 && at < until; at = frame.indexOf(this.#marker, at)) {
      at += this.#marker.length
      values.push(this.#read(frame.latin1Slice(at, frame.indexOf(0x22, at))))
    }
    return values
  }
}

const REFUSALS = ['"phx_error"', '"status":"error"']

/**
 * The order in which the starts of each node sent their first messages. The nodes themselves do not know it: a ref is random, and
 * none is newer than another (D10).
 */
export class Incarnations {
  /** Ref → whose it is, and its number among all refs. @type {Map<string, { of: string, number: number }>} */
  #all = new Map()

  /** To be called with each message when it is sent. */
  sent({ from, topic, bytes }) {
    const ref = refOf(bytes)
    if (ref !== undefined && !this.#all.has(ref)) this.#all.set(ref, { of: `${from} ${topic}`, number: this.#all.size })
  }

  /** Returns whether two refs are of one node, and the first of them is the earlier one. */
  isEarlier(ref, other) {
    const [one, two] = [this.#all.get(ref), this.#all.get(other)]
    return one !== undefined && two !== undefined && one.of === two.of && one.number < two.number
  }
}

/** Returns the sender's ref: the first text in the first list of a message. */
function refOf(bytes) {
  const ref = /,\["([^"]+)"/.exec(new TextDecoder().decode(bytes.subarray(0, 200)))?.[1]
  if (ref === undefined) throw new Error("expected a message with the ref of its sender, got one without")
  return ref
}

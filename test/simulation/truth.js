/**
 * A naive model of presence: who is where, as the calls of the day say. It is written from the rules T5 to T8, T36 and T37
 * only, with plain lists, and knows nothing of dots, messages or other nodes' views.
 */

/**
 * One tracked presence. `meta` is what was passed to `track` or `update`.
 *
 * @typedef {{ node: string, pid: string, topic: string, key: string, ref: string, meta: object }} Presence
 */

export class Truth {
  /** Node → its presences, in the order in which they were tracked or updated. @type {Map<string, Presence[]>} */
  #here = new Map()
  /** Every presence that was ever tracked, by `phx_ref`. @type {Map<string, Presence>} */
  #ever = new Map()

  /** A node has started: nobody is there yet. */
  starts(node) {
    this.#here.set(node, [])
  }

  /** A node has ended, in whatever way: nobody is there any more. */
  ends(node) {
    this.#here.delete(node)
  }

  tracks(node, { pid, topic, key }, ref, meta) {
    const presence = { node, pid, topic, key, ref, meta }
    this.at(node).push(presence)
    this.#ever.set(ref, presence)
  }

  /** Removes one presence; an update is a removal and a new presence in the same place. */
  removes(ref) {
    const presence = this.#ever.get(ref)
    if (presence === undefined) throw new Error(`expected the reference of a tracked presence, got ${ref}`)
    const stays = (other) => other !== presence
    this.#here.set(presence.node, this.at(presence.node).filter(stays))
  }

  untracks(node, pid, topic) {
    const stays = (other) => other.pid !== pid || (topic !== undefined && other.topic !== topic)
    this.#here.set(node, this.at(node).filter(stays))
  }

  /** Returns the presences of a node, the latest ones last; none if it does not run. @returns {Presence[]} */
  at(node) {
    return this.#here.get(node) ?? []
  }

  /** Returns whether a presence is there now. */
  has(ref) {
    const presence = this.#ever.get(ref)
    return presence !== undefined && this.at(presence.node).includes(presence)
  }

  /** Returns whether a place is taken. */
  isTaken(node, pid, topic, key) {
    return this.at(node).some((own) => own.pid === pid && own.topic === topic && own.key === key)
  }

  /** Returns the `phx_ref`s of all presences that are there now. */
  refs() {
    return [...this.#here.values()].flat().map(({ ref }) => ref)
  }

  /** Returns what is wrong with a row that a node shows, compared with what its owner tracked; `undefined` if nothing is. */
  problemOf(row) {
    const { phx_ref: ref, phx_ref_prev: _, ...meta } = row.meta
    const tracked = this.#ever.get(ref)
    if (tracked === undefined) return `nobody tracked ${ref}`
    const expected = [tracked.topic, tracked.key, `${tracked.pid}@${tracked.node}`, tracked.meta]
    const found = [row.topic, row.key, row.pid, meta]
    return JSON.stringify(found) === JSON.stringify(expected)
      ? undefined
      : `expected ${JSON.stringify(expected)}, got ${JSON.stringify(found)}`
  }
}

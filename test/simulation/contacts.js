/**
 * When a node last received something of each ref. From it follows whether it may hide the rows of that ref (T32, D11).
 *
 * Times are those of the network. `broadcastPeriodMs` and `downPeriodMs` are those of the trackers.
 */
export class Contacts {
  #periodMs
  #downPeriodMs
  /** Ref → when its last message arrived. @type {Map<string, number>} */
  #last = new Map()
  /** The refs of which a heartbeat has arrived. @type {Set<string>} */
  #begun = new Set()
  /** The refs that an earlier ref of their node seemed to replace. @type {Set<string>} */
  #overtaken = new Set()
  #incarnations
  /** When the current absence of this node began; `undefined` while it runs and is connected. */
  #absentSince

  constructor({ broadcastPeriodMs, downPeriodMs }, incarnations) {
    this.#incarnations = incarnations
    this.#periodMs = broadcastPeriodMs
    this.#downPeriodMs = downPeriodMs
  }

  received(bytes, now) {
    const [, , type, , [ref]] = JSON.parse(new TextDecoder().decode(bytes))
    if (type === "heartbeat" && !this.#begun.has(ref)) {
      this.#begun.add(ref)
      for (const other of this.#last.keys()) if (this.#incarnations.isEarlier(ref, other)) this.#overtaken.add(other)
    }
    this.#last.set(ref, now)
  }

  absenceBegan(now) {
    this.#absentSince ??= now
  }

  /**
   * Adds the node's own absence to the times of the last messages (D11). An absence of at most two periods is left out,
   * since a tracker does not notice it.
   */
  absenceEnded(now) {
    const absence = now - (this.#absentSince ?? now)
    this.#absentSince = undefined
    if (absence <= 2 * this.#periodMs) return
    for (const [ref, at] of this.#last) this.#last.set(ref, Math.min(now, at + absence))
  }

  /**
   * The node's clock has jumped. A jump ahead of at most two periods is not noticed: all silence seems longer by it. A jump
   * back may hide the greater part of a pause, so that the rest of it is not noticed either.
   */
  clockJumped(ms) {
    const unnoticed = Math.min(Math.abs(ms), 2 * this.#periodMs)
    for (const [ref, at] of this.#last) this.#last.set(ref, at - unnoticed)
  }

  /**
   * Returns whether a heartbeat of an earlier ref of the same node arrived later than the messages of this one, and was the first
   * of that ref. Then it looks like a restart, and the rows leave, until the node is notified and continues under a new ref (D9).
   * Example: a node starts, ends and starts again within the delay of a message.
   */
  wasOvertaken(ref) {
    return this.#overtaken.has(ref)
  }

  /** Returns whether a ref was silent for a down period, so that its rows may be hidden. */
  wasSilent(ref, now) {
    return now - (this.#last.get(ref) ?? -Infinity) >= this.#downPeriodMs - 1
  }
}

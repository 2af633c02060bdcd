/** What the users of a node do: they are tracked, updated and untracked, in the tracker and in the truth. */

export const TOPICS = ["rooms:a", "rooms:b", "rooms:c"]
const KEYS = ["ada", "bob", "__proto__"]
const PIDS = ["1", "2", "3"]

/** @typedef {{ name: string, tracker: import("../../src/tracker/tracker.ts").Tracker }} Member */

export class Operations {
  #truth
  #pick
  #log
  #record

  /**
   * @param {object} options
   * @param {import("./truth.js").Truth} options.truth
   * @param {<T>(items: readonly T[]) => T} options.pick picks a random item
   * @param {readonly string[]} options.log the log of the day, whose length makes metas differ
   * @param {(line: string) => void} options.record adds a line to the log
   */
  constructor({ truth, pick, log, record }) {
    this.#truth = truth
    this.#pick = pick
    this.#log = log
    this.#record = record
  }

  track(/** @type {Member} */ { name, tracker }) {
    const place = { pid: this.#pick(PIDS), topic: this.#pick(TOPICS), key: this.#pick(KEYS) }
    const { pid, topic, key } = place
    if (this.#truth.isTaken(name, pid, topic, key)) return
    const meta = { n: this.#log.length }
    const ref = tracker.track(pid, topic, key, meta)
    this.#truth.tracks(name, place, ref, meta)
    this.#record(`${name} tracks ${ref}: ${pid} ${topic} ${key}`)
  }

  trackMany(/** @type {Member} */ { name, tracker }) {
    for (let i = 0; i < 30; i += 1) {
      const place = { pid: `s${this.#log.length}-${i}`, topic: this.#pick(TOPICS), key: this.#pick(KEYS) }
      this.#truth.tracks(name, place, tracker.track(place.pid, place.topic, place.key, {}), {})
    }
    this.#record(`${name} tracks 30`)
  }

  update(/** @type {Member} */ { name, tracker }) {
    const own = this.#truth.at(name)
    if (own.length === 0) return
    const { ref: old, pid, topic, key } = this.#pick(own)
    const meta = { n: this.#log.length }
    // Before the tracker reports it: a leave of a presence that is there would have no cause.
    this.#truth.removes(old)
    const ref = tracker.update(pid, topic, key, meta)
    this.#truth.tracks(name, { pid, topic, key }, ref, meta)
    this.#record(`${name} updates ${old} to ${ref}`)
  }

  untrack(/** @type {Member} */ { name, tracker }) {
    const latest = this.#truth.at(name).slice(-3)
    const pid = this.#pick([...PIDS, ...latest.map((presence) => presence.pid)])
    const topic = this.#pick([undefined, ...TOPICS])
    this.#truth.untracks(name, pid, topic)
    this.#record(`${name} untracks ${pid} ${topic}`)
    tracker.untrack(pid, topic)
  }
}

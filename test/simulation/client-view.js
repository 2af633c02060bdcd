/**
 * What a client of one node sees: the folded diffs of the node's tracker. Each diff must be a correct one, and their sum must
 * be what the tracker lists.
 */
export class ClientView {
  /** phx_ref → row */
  #rows = new Map()
  #node
  #topics
  #truth
  #mayLeave
  #fail

  /**
   * @param {object} options
   * @param {string} options.node the name of the node
   * @param {readonly string[]} options.topics
   * @param {import("./truth.js").Truth} options.truth
   * @param {(row: any) => boolean} options.mayLeave whether there is a cause for the leave of a row
   * @param {(what: string) => void} options.fail
   */
  constructor({ node, topics, truth, mayLeave, fail }) {
    this.#node = node
    this.#topics = topics
    this.#truth = truth
    this.#mayLeave = mayLeave
    this.#fail = fail
  }

  has(ref) {
    return this.#rows.has(ref)
  }

  refs() {
    return [...this.#rows.keys()]
  }

  apply(diff) {
    for (const [topic, changes] of diff) this.#applyTopic(topic, changes)
  }

  #applyTopic(topic, { joins, leaves }) {
    const fail = this.#fail
    if (joins.length + leaves.length === 0) fail("reported an empty diff")
    for (const row of leaves) {
      const ref = row.meta.phx_ref
      if (!this.#rows.delete(ref)) fail(`reported the leave of ${ref}, which was not there`)
      if (!this.#mayLeave(row)) fail(`reported without cause that ${ref} of ${row.pid} left ${topic}`)
    }
    const left = new Set(leaves.map((row) => row.meta.phx_ref))
    for (const row of joins) {
      const { phx_ref: ref, phx_ref_prev: previous } = row.meta
      if (this.#rows.has(ref)) fail(`reported twice that ${ref} joined`)
      if (left.has(ref)) fail(`reported in one diff that ${ref} left and joined`)
      if (previous !== undefined && !left.has(previous)) {
        fail(`reported that ${ref} replaces ${previous}, which did not leave`)
      }
      // A row of this node is reported before `track` returns its reference.
      if (!row.pid.endsWith(`@${this.#node}`)) this.#checkContent({ ...row, topic })
      this.#rows.set(ref, { ...row, topic })
    }
  }

  #checkContent(row) {
    const problem = this.#truth.problemOf(row)
    if (problem !== undefined) this.#fail(`shows a wrong row: ${problem}`)
  }

  /** Checks that the diffs so far lead to what the tracker lists, and that its lookups agree with one another. */
  compare(tracker) {
    const fail = this.#fail
    const rows = this.#topics.flatMap((topic) => tracker.list(topic))
    const [reported, shown] = [sorted(this.#rows.keys()), sorted(rows.map((row) => row.meta.phx_ref))]
    if (reported !== shown) fail(`reported ${reported}, shows ${shown}`)
    for (const row of rows) this.#checkContent(row)
    if (tracker.size !== rows.length) fail(`counts ${tracker.size} rows, shows ${rows.length}`)
    for (const topic of this.#topics) {
      for (const row of tracker.list(topic)) {
        if (row.topic !== topic) fail(`lists ${row.topic} under ${topic}`)
        if (!tracker.getByKey(topic, row.key).includes(row)) fail(`does not find ${row.key}`)
      }
    }
  }
}

export const sorted = (refs) => [...refs].toSorted().join()

/** Something that is to happen; `run` is taken out when it is called off. */
export interface Moment {
  readonly at: number
  run: (() => void) | undefined
}

/** Virtual time: what is to happen when. Moments of one instant happen in the order in which they were set. */
export class Timeline {
  now = 0
  /** A binary heap, the next moment at its root. */
  readonly #heap: { readonly moment: Moment; readonly order: number }[] = []
  #order = 0

  /** Lets `run` happen at a moment given in the timeline's own time; one that is past is now. */
  set(run: () => void, at: number): Moment {
    const moment: Moment = { at: Math.max(this.now, at), run }
    const heap = this.#heap
    const item = { moment, order: (this.#order += 1) }
    let place = heap.push(item) - 1
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!this.#precedes(item, heap[parent]!)) break
      heap[place] = heap[parent]!
      place = parent
    }
    heap[place] = item
    return moment
  }

  /** Moves to the next moment that is still to happen, no later than `end`, and lets it happen; `false` if there is none. */
  step(end: number): boolean {
    for (let next = this.#heap[0]; next !== undefined && next.moment.at <= end; next = this.#heap[0]) {
      this.#pop()
      const { run } = next.moment
      if (run === undefined) continue
      this.now = next.moment.at
      next.moment.run = undefined
      run()
      return true
    }
    return false
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child + 1 < heap.length && this.#precedes(heap[child + 1]!, heap[child]!)) child += 1
      if (child >= heap.length || this.#precedes(last, heap[child]!)) break
      heap[place] = heap[child]!
      place = child
    }
    heap[place] = last
  }

  #precedes(
    left: { readonly moment: Moment; readonly order: number },
    right: { readonly moment: Moment; readonly order: number },
  ): boolean {
    return left.moment.at === right.moment.at ? left.order < right.order : left.moment.at < right.moment.at
  }
}

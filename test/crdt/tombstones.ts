/** One added row in the model. `n` identifies the addition. */
export interface Element {
  readonly topic: string
  readonly pid: string
  readonly key: string
  readonly n: number
  readonly ref: string
  readonly clock: number
}

/** The content of a message of the model. */
export interface ModelPayload {
  readonly added: readonly Element[]
  readonly removed: readonly Element[]
}

/** Returns an element as `topic|pid|key|n`. */
export const textOf = (element: Element): string => `${element.topic}|${element.pid}|${element.key}|${element.n}`

/**
 * The model of the set: the textbook set with tombstones, which remembers everything that it has ever removed.
 *
 * It is as simple as possible. Once a replica knows that a row was removed, the row stays removed there. Views are
 * computed from scratch.
 */
export class TombstoneSet {
  readonly ref: string
  readonly #known: Set<string>
  readonly #visible: Set<string>
  #clock = 0
  #added = new Map<number, Element>()
  #removed = new Map<number, Element>()
  #pending: { added: Element[]; removed: Element[] } = { added: [], removed: [] }

  constructor(ref: string) {
    this.ref = ref
    this.#known = new Set([ref])
    this.#visible = new Set([ref])
  }

  join(pid: string, topic: string, key: string, n: number): void {
    const before = this.#own().filter((e) => e.pid === pid && e.topic === topic && e.key === key)
    this.#clock += before.length
    const element: Element = { topic, pid, key, n, ref: this.ref, clock: ++this.#clock }
    this.#added.set(n, element)
    this.#pending.added.push(element)
    this.#remove(before)
  }

  update(pid: string, topic: string, key: string, n: number): void {
    if (this.#own().some((e) => e.pid === pid && e.topic === topic && e.key === key)) this.join(pid, topic, key, n)
  }

  leave(pid: string, topic: string, key: string): void {
    const removed = this.#own().filter((e) => e.pid === pid && e.topic === topic && e.key === key)
    this.#clock += removed.length
    this.#remove(removed)
  }

  leaveAll(pid: string): void {
    const removed = this.#own().filter((e) => e.pid === pid)
    this.#clock += removed.length
    this.#remove(removed)
  }

  takeDelta(): ModelPayload {
    const payload = this.#pending
    this.#pending = { added: [], removed: [] }
    return payload
  }

  extract(refs: ReadonlySet<string>): ModelPayload {
    const about = (e: Element) => refs.has(e.ref)
    return { added: [...this.#added.values()].filter(about), removed: [...this.#removed.values()].filter(about) }
  }

  merge(payload: ModelPayload): void {
    const foreign = (e: Element) => this.#known.has(e.ref) && e.ref !== this.ref
    const removed = new Set(payload.removed.map((e) => e.n))
    for (const e of payload.added) if (foreign(e) && !removed.has(e.n)) this.#added.set(e.n, e)
    const live = new Set(this.#live())
    for (const e of payload.removed.filter(foreign)) {
      if (live.has(this.#added.get(e.n)!)) this.#pending.removed.push(e)
      this.#removed.set(e.n, e)
    }
  }

  replicaUp(ref: string): void {
    this.#known.add(ref)
    this.#visible.add(ref)
  }

  replicaDown(ref: string): void {
    this.#visible.delete(ref)
  }

  removeReplica(ref: string): void {
    const others = ([, e]: [number, Element]) => e.ref !== ref
    this.#known.delete(ref)
    this.#visible.delete(ref)
    this.#added = new Map([...this.#added].filter(others))
    this.#removed = new Map([...this.#removed].filter(others))
    this.#pending.removed = this.#pending.removed.filter((e) => e.ref !== ref)
  }

  /** Returns the refs that a transfer request would contain. */
  context(): ReadonlySet<string> {
    return new Set([...this.#known].filter((ref) => this.#visible.has(ref)))
  }

  /** Returns whether this replica knows that the addition `n` was removed. */
  knowsRemoved(n: number): boolean {
    return this.#removed.has(n)
  }

  /** Returns the visible rows: in each place the one with the greatest clock, then with the greatest ref. */
  online(): Element[] {
    const places = new Map<string, Element>()
    for (const e of this.#live().filter((e) => this.#visible.has(e.ref))) {
      const place = JSON.stringify([e.topic, e.pid, e.key])
      const held = places.get(place)
      if (held === undefined || e.clock > held.clock || (e.clock === held.clock && e.ref > held.ref))
        places.set(place, e)
    }
    return [...places.values()]
  }

  #live(): Element[] {
    return [...this.#added.values()].filter((e) => !this.#removed.has(e.n))
  }

  #own(): Element[] {
    return this.#live().filter((e) => e.ref === this.ref)
  }

  #remove(elements: readonly Element[]): void {
    for (const e of elements) this.#removed.set(e.n, e)
    this.#pending.removed.push(...elements)
  }
}

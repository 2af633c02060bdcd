/**
 * The model that the set is held against: the textbook set that remembers all it has ever removed.
 *
 * Nothing in it is clever. A row is over at a replica once the replica has heard that it was removed, and stays over;
 * views are computed from scratch; diffs are the difference of two views. `n` names an addition, once and for all.
 */
export interface Element {
  readonly topic: string
  readonly pid: string
  readonly key: string
  readonly n: number
  readonly ref: string
  readonly clock: number
}

export interface News {
  readonly added: readonly Element[]
  readonly removed: readonly Element[]
}

export const written = (element: Element): string => `${element.topic}|${element.pid}|${element.key}|${element.n}`

export class TombstoneSet {
  readonly ref: string
  readonly #known: Set<string>
  readonly #inSight: Set<string>
  #clock = 0
  #added = new Map<number, Element>()
  #removed = new Map<number, Element>()
  #news: { added: Element[]; removed: Element[] } = { added: [], removed: [] }

  constructor(ref: string) {
    this.ref = ref
    this.#known = new Set([ref])
    this.#inSight = new Set([ref])
  }

  join(pid: string, topic: string, key: string, n: number): void {
    const before = this.#own().filter((e) => e.pid === pid && e.topic === topic && e.key === key)
    this.#clock += before.length
    const element: Element = { topic, pid, key, n, ref: this.ref, clock: ++this.#clock }
    this.#added.set(n, element)
    this.#news.added.push(element)
    this.#remove(before)
  }

  update(pid: string, topic: string, key: string, n: number): void {
    if (this.#own().some((e) => e.pid === pid && e.topic === topic && e.key === key)) this.join(pid, topic, key, n)
  }

  leave(pid: string, topic: string, key: string): void {
    const over = this.#own().filter((e) => e.pid === pid && e.topic === topic && e.key === key)
    this.#clock += over.length
    this.#remove(over)
  }

  leaveAll(pid: string): void {
    const over = this.#own().filter((e) => e.pid === pid)
    this.#clock += over.length
    this.#remove(over)
  }

  takeDelta(): News {
    const news = this.#news
    this.#news = { added: [], removed: [] }
    return news
  }

  extract(refs: ReadonlySet<string>): News {
    const about = (e: Element) => refs.has(e.ref)
    return { added: [...this.#added.values()].filter(about), removed: [...this.#removed.values()].filter(about) }
  }

  merge(news: News): void {
    const foreign = (e: Element) => this.#known.has(e.ref) && e.ref !== this.ref
    const over = new Set(news.removed.map((e) => e.n))
    for (const e of news.added) if (foreign(e) && !over.has(e.n)) this.#added.set(e.n, e)
    const live = new Set(this.#live())
    for (const e of news.removed.filter(foreign)) {
      if (live.has(this.#added.get(e.n)!)) this.#news.removed.push(e)
      this.#removed.set(e.n, e)
    }
  }

  replicaUp(ref: string): void {
    this.#known.add(ref)
    this.#inSight.add(ref)
  }

  replicaDown(ref: string): void {
    this.#inSight.delete(ref)
  }

  removeReplica(ref: string): void {
    const others = ([, e]: [number, Element]) => e.ref !== ref
    this.#known.delete(ref)
    this.#inSight.delete(ref)
    this.#added = new Map([...this.#added].filter(others))
    this.#removed = new Map([...this.#removed].filter(others))
    this.#news.removed = this.#news.removed.filter((e) => e.ref !== ref)
  }

  /** The refs that a transfer request would carry. */
  context(): ReadonlySet<string> {
    return new Set([...this.#known].filter((ref) => this.#inSight.has(ref)))
  }

  /** Whether this replica has heard that the addition `n` is over. */
  knowsOver(n: number): boolean {
    return this.#removed.has(n)
  }

  /** What is shown: of the rows in one place, the greatest by clock, then by ref. */
  online(): Element[] {
    const places = new Map<string, Element>()
    for (const e of this.#live().filter((e) => this.#inSight.has(e.ref))) {
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

  #remove(over: readonly Element[]): void {
    for (const e of over) this.#removed.set(e.n, e)
    this.#news.removed.push(...over)
  }
}

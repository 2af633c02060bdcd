/** A row's place in the set of Phoenix: one for each process, topic and key. */
type Place = string

interface Tag {
  readonly ref: string
  readonly clock: number
}

/** What a node of Phoenix sends: the rows that it has added, and the numbers of all its changes, removals included. */
export interface PhoenixDelta {
  readonly values: ReadonlyMap<string, { readonly place: Place; readonly tag: Tag }>
  readonly clouds: ReadonlyMap<string, ReadonlySet<number>>
}

const textOf = ({ ref, clock }: Tag): string => `${ref} ${clock}`

/**
 * The set of Phoenix.Tracker (`Phoenix.Tracker.State` of phoenix_pubsub 2), as far as this page needs it: joins, leaves and deltas.
 *
 * It differs from Rollcall's in one line, which is marked. Phoenix's messages travel over Erlang's connections, which keep the
 * order, so there it does no harm. Over Redis or NATS it does.
 */
export class PhoenixSet {
  readonly #ref: string
  readonly #context = new Map<string, number>()
  readonly #clouds = new Map<string, Set<number>>()
  readonly #values = new Map<Place, Tag>()
  #delta = emptyDelta()

  constructor(ref: string) {
    this.#ref = ref
    this.#context.set(ref, 0)
  }

  /** Whom this node shows. */
  get places(): readonly Place[] {
    return [...this.#values.keys()].sort()
  }

  /** How far this node has seen the changes of each node. */
  get context(): ReadonlyMap<string, number> {
    return this.#context
  }

  join(place: Place): void {
    const tag = { ref: this.#ref, clock: this.#tick() }
    this.#values.set(place, tag)
    this.#delta.values.set(textOf(tag), { place, tag })
  }

  leave(place: Place): void {
    const tag = this.#values.get(place)
    if (tag === undefined) return
    this.#values.delete(place)
    this.#delta.values.delete(textOf(tag))
    into(this.#delta.clouds, tag)
    this.#tick()
  }

  /** Returns the changes since the last call. */
  takeDelta(): PhoenixDelta {
    const delta = this.#delta
    this.#delta = emptyDelta()
    this.#compact()
    return delta
  }

  merge(from: string, remote: PhoenixDelta): void {
    if (!this.#context.has(from)) this.#context.set(from, 0)
    const joins = [...remote.values.values()].filter(({ tag }) => this.#context.has(tag.ref) && !this.#hasSeen(tag))
    const leaves = [...this.#values].filter(([, tag]) => {
      return tag.ref !== this.#ref && !remote.values.has(textOf(tag)) && remote.clouds.get(tag.ref)?.has(tag.clock)
    })
    for (const [ref, clocks] of remote.clouds) {
      if (this.#context.has(ref)) for (const clock of clocks) into(this.#clouds, { ref, clock })
    }
    for (const [place, tag] of leaves) {
      this.#values.delete(place)
      // Here Phoenix forgets that it has seen the row. Rollcall remembers it.
      this.#clouds.get(tag.ref)?.delete(tag.clock)
    }
    for (const { place, tag } of joins) this.#values.set(place, tag)
    this.#compact()
  }

  #tick(): number {
    const clock = (this.#context.get(this.#ref) ?? 0) + 1
    this.#context.set(this.#ref, clock)
    into(this.#delta.clouds, { ref: this.#ref, clock })
    return clock
  }

  #hasSeen({ ref, clock }: Tag): boolean {
    return (this.#context.get(ref) ?? 0) >= clock || this.#clouds.get(ref)?.has(clock) === true
  }

  /** Moves numbers without a gap before them from the clouds into the context. */
  #compact(): void {
    for (const [ref, cloud] of this.#clouds) {
      for (const clock of [...cloud].sort((a, b) => a - b)) {
        const seen = this.#context.get(ref) ?? 0
        if (clock > seen + 1) break
        this.#context.set(ref, Math.max(seen, clock))
        cloud.delete(clock)
      }
    }
  }
}

function emptyDelta(): { values: Map<string, { place: Place; tag: Tag }>; clouds: Map<string, Set<number>> } {
  return { values: new Map(), clouds: new Map() }
}

function into(clouds: Map<string, Set<number>>, { ref, clock }: Tag): void {
  const cloud = clouds.get(ref) ?? new Set()
  clouds.set(ref, cloud.add(clock))
}

/** One presence in the list of a client. */
interface Seen {
  readonly key: string
  readonly meta: { readonly phx_ref: string }
}

type Entries = Readonly<Record<string, { readonly metas: readonly { readonly phx_ref: string }[] }>>

/**
 * The presences of one topic in the list of one client. It does the minimum that every client must do: it postpones diffs
 * that arrive before the state, and identifies metas by their references.
 */
export class View {
  #present = new Map<string, Seen>()
  #early: { joins: Entries; leaves: Entries }[] | undefined = []

  state(state: Entries): void {
    this.#present = new Map(seen(state).map((one) => [one.meta.phx_ref, one]))
    const early = this.#early ?? []
    this.#early = undefined
    for (const diff of early) this.diff(diff)
  }

  diff(diff: { joins: Entries; leaves: Entries }): void {
    if (this.#early !== undefined) {
      this.#early.push(diff)
      return
    }
    for (const one of seen(diff.joins)) this.#present.set(one.meta.phx_ref, one)
    for (const { meta } of seen(diff.leaves)) this.#present.delete(meta.phx_ref)
  }

  /** Returns key → metas without their references, sorted, so that the results of two equal runs are deeply equal. */
  summary(): Record<string, unknown[]> {
    const summary: Record<string, unknown[]> = {}
    for (const { key, meta } of this.#present.values()) {
      const { phx_ref: _ref, ...fields } = meta as Record<string, unknown>
      delete fields["phx_ref_prev"]
      if ("online_at" in fields) fields["online_at"] = "now"
      const sorted = Object.entries(fields)
      sorted.sort(([a], [b]) => (a < b ? -1 : 1))
      summary[key] = [...(summary[key] ?? []), Object.fromEntries(sorted)]
    }
    for (const metas of Object.values(summary)) {
      metas.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    }
    return summary
  }
}

function seen(entries: Entries): Seen[] {
  return Object.entries(entries).flatMap(([key, { metas }]) => metas.map((meta) => ({ key, meta })))
}

/** The views of one client, by topic. A join begins a new view. */
export class Views {
  readonly #topics = new Map<string, View>()

  take(message: unknown): void {
    const { topic, event, payload } = partsOf(message)
    if (event === "phx_close" || event === "phx_error") this.#topics.delete(topic)
    else if (event === "presence_state") this.#topic(topic).state(payload as Entries)
    else if (event === "presence_diff") this.#topic(topic).diff(payload as { joins: Entries; leaves: Entries })
  }

  summary(): Record<string, unknown> {
    return Object.fromEntries([...this.#topics].map(([topic, view]) => [topic, view.summary()]))
  }

  #topic(topic: string): View {
    const view = this.#topics.get(topic) ?? new View()
    this.#topics.set(topic, view)
    return view
  }
}

/** Returns the parts of a message of either version. */
export function partsOf(message: unknown): { topic: string; event: string; payload: unknown } {
  if (!Array.isArray(message)) return message as { topic: string; event: string; payload: unknown }
  const [, , topic, event, payload] = message as [unknown, unknown, string, string, unknown]
  return { topic, event, payload }
}

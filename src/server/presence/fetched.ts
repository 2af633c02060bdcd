import type { Timers } from "../../timers.ts"
import type { Row, TopicDiff } from "../../tracker/tracker.ts"
import type { Awaitable } from "../awaitable.ts"
import { withDeadline } from "../deadline.ts"

/**
 * Looks up what is to be shown beside users' metas, a row of a user table, say: key → fields, for all the keys that
 * have just come to a topic, in one call. What it leaves out stays unextended.
 */
export type Fetch = (topic: string, keys: readonly string[]) => Awaitable<Readonly<Record<string, object>>>

/** What was fetched: key → fields. */
export type Found = ReadonlyMap<string, object>

/** How an extension reaches the world. */
export interface FetchedFieldsOptions {
  readonly fetch: Fetch
  readonly timers: Timers
  /** How long a fetch may take, in ms; its diff then goes out unextended. */
  readonly timeoutMs: number
  failed(topic: string, error: unknown): void
}

/** What the clients of one topic have been told: the rows of each key by their `phx_ref`, and the fields beside its metas. */
interface Told {
  readonly rows: Map<string, Map<string, Row>>
  readonly fields: Map<string, object>
}

/**
 * Presences with data of one's own beside them.
 *
 * What was fetched for a key is kept until its last meta leaves, and never replicated: each node asks its own source. The
 * fetched rows are kept as they were told, so that `list` is what the clients have, and no fetch is ever half seen.
 */
export class FetchedFields {
  readonly #options: FetchedFieldsOptions
  readonly #topics = new Map<string, Told>()

  constructor(options: FetchedFieldsOptions) {
    this.#options = options
  }

  /**
   * Fetches for the keys that a change brings and that have nothing yet; `undefined` when there are none. Never rejects.
   *
   * @param isBehind whether other changes of the topic are to be told first. One of them may have somebody leave who comes
   * back with this one, so that what is known of him now will be forgotten by then.
   */
  prepare(topic: string, { joins }: TopicDiff, isBehind: boolean): Promise<Found> | undefined {
    const known = isBehind ? undefined : this.#topics.get(topic)?.fields
    const missing = new Set(joins.map((row) => row.key).filter((key) => known?.has(key) !== true))
    return missing.size === 0 ? undefined : this.#fetch(topic, [...missing])
  }

  /** Takes in a change that is told now, with what was fetched for it; `fields` beforehand still knows the keys that leave. */
  apply(topic: string, { joins, leaves }: TopicDiff, found?: Found): void {
    const told = this.#told(topic)
    for (const [key, fields] of found ?? []) told.fields.set(key, fields)
    for (const row of joins) {
      const rows = told.rows.get(row.key) ?? new Map<string, Row>()
      told.rows.set(row.key, rows.set(row.meta.phx_ref, row))
    }
    for (const { key, meta } of leaves) {
      const rows = told.rows.get(key)
      if (rows?.delete(meta.phx_ref) !== true || rows.size > 0) continue
      told.rows.delete(key)
      told.fields.delete(key)
    }
    if (told.rows.size === 0) this.#topics.delete(topic)
  }

  /** The rows of a topic as its clients have them. */
  list(topic: string): readonly Row[] {
    return [...(this.#topics.get(topic)?.rows.values() ?? [])].flatMap((rows) => [...rows.values()])
  }

  /** Those of one key. */
  getByKey(topic: string, key: string): readonly Row[] {
    return [...(this.#topics.get(topic)?.rows.get(key)?.values() ?? [])]
  }

  /** The fields beside a key's metas. */
  fields(topic: string, key: string): object | undefined {
    return this.#topics.get(topic)?.fields.get(key)
  }

  #told(topic: string): Told {
    const known = this.#topics.get(topic)
    if (known !== undefined) return known
    const told: Told = { rows: new Map(), fields: new Map() }
    this.#topics.set(topic, told)
    return told
  }

  async #fetch(topic: string, keys: readonly string[]): Promise<Found> {
    const { fetch, timers, timeoutMs, failed } = this.#options
    const limit = { ms: timeoutMs, timers, code: "fetch_timeout", expected: `the fetch for ${topic} to end` }
    const fields = new Map<string, object>()
    try {
      const asked = (async () => fetch(topic, keys))()
      const found = await withDeadline(asked, limit)
      for (const key of keys) {
        const value = Object.hasOwn(found, key) ? found[key] : undefined
        if (typeof value === "object" && value !== null) keep(key, value)
      }
    } catch (error) {
      failed(topic, error)
    }
    return fields

    /** One that cannot be told does not take the others with it. */
    function keep(key: string, value: object): void {
      try {
        fields.set(key, jsonOf(value))
      } catch (error) {
        failed(topic, error)
      }
    }
  }
}

/**
 * What of a row can be told: a copy, so that it stays as it was told whatever becomes of the row.
 * @throws TypeError, SyntaxError for what is no JSON: a column that is a bigint, rows that refer to each other
 */
function jsonOf(value: object): object {
  return JSON.parse(JSON.stringify(value)) as object
}

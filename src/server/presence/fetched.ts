import type { Timers } from "../../timers.ts"
import type { Row, TopicDiff } from "../../tracker/tracker.ts"
import type { Awaitable } from "../awaitable.ts"
import { withDeadline } from "../deadline.ts"

/**
 * Looks up what is to be shown beside users' metas, such as a row of a user table: key → fields, in one call for all keys
 * that have just come to a topic. A key that is left out is shown with its metas alone.
 */
export type Fetch = (topic: string, keys: readonly string[]) => Awaitable<Readonly<Record<string, object>>>

/** What was fetched: key → fields. */
export type Found = ReadonlyMap<string, object>

/** What `FetchedFields` needs. */
export interface FetchedFieldsOptions {
  readonly fetch: Fetch
  readonly timers: Timers
  /** How long a fetch may take, in ms; then its diff is sent without fields. */
  readonly timeoutMs: number
  /** Called when a fetch throws, rejects, takes too long or finds what is no JSON. */
  failed(topic: string, error: unknown): void
}

/** What the clients of one topic have been sent: the rows of each key by their `phx_ref`, and the fields beside its metas. */
interface SentTopic {
  readonly rows: Map<string, Map<string, Row>>
  readonly fields: Map<string, object>
}

/**
 * The presences of each topic as its clients have been sent them, with the fetched fields beside the metas.
 *
 * What was fetched for a key is kept until its last meta leaves, and never replicated: each node asks its own source. The
 * rows are kept as they were sent. So `list` is always the topic between two diffs, which the next diff fits, and never
 * has a user whose fields are still being fetched.
 */
export class FetchedFields {
  readonly #options: FetchedFieldsOptions
  readonly #topics = new Map<string, SentTopic>()

  constructor(options: FetchedFieldsOptions) {
    this.#options = options
  }

  /**
   * Fetches for those keys of a change that have no fields yet; `undefined` when there are none. Never rejects.
   *
   * @param isBehind whether other changes of the topic are to be sent first. A user may leave with one of them and return
   * with this one: what is known of the user now will be forgotten by then.
   */
  prepare(topic: string, { joins }: TopicDiff, isBehind: boolean): Promise<Found> | undefined {
    const known = isBehind ? undefined : this.#topics.get(topic)?.fields
    const missing = new Set(joins.map((row) => row.key).filter((key) => known?.has(key) !== true))
    return missing.size === 0 ? undefined : this.#fetch(topic, [...missing])
  }

  /** Takes in a change that is being sent, with what was fetched for it. Before the call, `fields` still has the keys that leave. */
  apply(topic: string, { joins, leaves }: TopicDiff, found?: Found): void {
    const sent = this.#sent(topic)
    for (const [key, fields] of found ?? []) sent.fields.set(key, fields)
    for (const row of joins) {
      const rows = sent.rows.get(row.key) ?? new Map<string, Row>()
      sent.rows.set(row.key, rows.set(row.meta.phx_ref, row))
    }
    for (const { key, meta } of leaves) {
      const rows = sent.rows.get(key)
      if (rows?.delete(meta.phx_ref) !== true || rows.size > 0) continue
      sent.rows.delete(key)
      sent.fields.delete(key)
    }
    if (sent.rows.size === 0) this.#topics.delete(topic)
  }

  /** Returns the rows of a topic as its clients have them. */
  list(topic: string): readonly Row[] {
    return [...(this.#topics.get(topic)?.rows.values() ?? [])].flatMap((rows) => [...rows.values()])
  }

  /** Returns the rows of one key as the clients have them. */
  getByKey(topic: string, key: string): readonly Row[] {
    return [...(this.#topics.get(topic)?.rows.get(key)?.values() ?? [])]
  }

  /** Returns the fields beside a key's metas. */
  fields(topic: string, key: string): object | undefined {
    return this.#topics.get(topic)?.fields.get(key)
  }

  #sent(topic: string): SentTopic {
    const known = this.#topics.get(topic)
    if (known !== undefined) return known
    const sent: SentTopic = { rows: new Map(), fields: new Map() }
    this.#topics.set(topic, sent)
    return sent
  }

  async #fetch(topic: string, keys: readonly string[]): Promise<Found> {
    const { fetch, timers, timeoutMs, failed } = this.#options
    const limit = { ms: timeoutMs, timers, code: "fetch_timeout", expected: `the fetch for ${topic} to end` }
    const fields = new Map<string, object>()
    try {
      // Async, so that a fetch that throws is caught like one that rejects.
      const fetching = (async () => fetch(topic, keys))()
      const found = await withDeadline(fetching, limit)
      for (const key of keys) {
        const value = Object.hasOwn(found, key) ? found[key] : undefined
        if (typeof value === "object" && value !== null) keep(key, value)
      }
    } catch (error) {
      failed(topic, error)
    }
    return fields

    /** Keeps the fields of one key. Fields that are no JSON fail alone: those of the other keys are kept. */
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
 * Returns a copy as JSON would write it: later changes of the original do not reach it.
 * @throws TypeError, SyntaxError for what is no JSON, such as a column that is a bigint or rows that refer to each other
 */
function jsonOf(value: object): object {
  return JSON.parse(JSON.stringify(value)) as object
}

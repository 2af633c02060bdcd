import type { Timers } from "../../timers.ts"
import { quote } from "../../quote.ts"
import type { Row, TopicDiff } from "../../tracker/tracker.ts"
import type { Awaitable } from "../awaitable.ts"
import { withDeadline } from "../deadline.ts"

/**
 * Looks up data to show beside users' metas, such as rows of a user table, in one call for all keys that are new to a topic.
 * Returns key → fields. A key that is missing in the result is shown with its metas only.
 */
export type Fetch = (topic: string, keys: readonly string[]) => Awaitable<Readonly<Record<string, object>>>

/** The result of a fetch: key → fields. */
export type Found = ReadonlyMap<string, object>

/** The options of `FetchedFields`. */
export interface FetchedFieldsOptions {
  readonly fetch: Fetch
  readonly timers: Timers
  /** How long a fetch may take, in ms. After that, its diff is sent without fields. */
  readonly timeoutMs: number
  /** Called when a fetch throws, rejects, takes too long, or returns fields that are not JSON. */
  failed(topic: string, error: unknown): void
}

/** The presences that the clients of one topic have been sent: each key's rows by `phx_ref`, and its fetched fields. */
interface SentTopic {
  readonly rows: Map<string, Map<string, Row>>
  readonly fields: Map<string, object>
}

/**
 * The presences of each topic in the state that its clients have been sent, with the fetched fields beside the metas.
 *
 * The fields of a key are kept until its last meta leaves. They are never replicated: each node fetches them itself. `list`
 * returns the rows that have been sent. So the next diff always fits them, and no user is listed whose fields are still being
 * fetched.
 */
export class FetchedFields {
  readonly #options: FetchedFieldsOptions
  readonly #topics = new Map<string, SentTopic>()

  constructor(options: FetchedFieldsOptions) {
    this.#options = options
  }

  /**
   * Fetches the fields of those keys of a change that have none yet. Returns `undefined` when all have. Never rejects.
   *
   * @param isBehind whether other changes of the topic will be sent first. If a user leaves with one of them and returns with this
   * one, its present fields will have been deleted by then, so they are fetched again.
   */
  prepare(topic: string, { joins }: TopicDiff, isBehind: boolean): Promise<Found> | undefined {
    const known = isBehind ? undefined : this.#topics.get(topic)?.fields
    const missing = new Set(joins.map((row) => row.key).filter((key) => known?.has(key) !== true))
    return missing.size === 0 ? undefined : this.#fetch(topic, [...missing])
  }

  /** Applies a change that is being sent, and its fetched fields. Read the fields of keys that leave before this call. */
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

  /** Returns the rows of a topic that its clients have been sent. */
  list(topic: string): readonly Row[] {
    return [...(this.#topics.get(topic)?.rows.values() ?? [])].flatMap((rows) => [...rows.values()])
  }

  /** Returns the rows of one key that the clients have been sent. */
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
    const limit = { ms: timeoutMs, timers, code: "fetch_timeout", expected: `the fetch for ${quote(topic)} to end` }
    const fields = new Map<string, object>()
    try {
      // An async function, so that a `fetch` that throws is handled like one that rejects.
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

    /** Keeps the fields of one key. If they are not JSON, only they are left out; those of the other keys are kept. */
    function keep(key: string, value: object): void {
      try {
        fields.set(key, jsonCopyOf(value))
      } catch (error) {
        failed(topic, error)
      }
    }
  }
}

/**
 * Returns a copy as JSON would write and read it. Later changes of the original do not reach the copy.
 * @throws TypeError, SyntaxError for a value that is not JSON, such as a column with a bigint, or rows that refer to each other
 */
function jsonCopyOf(value: object): object {
  return JSON.parse(JSON.stringify(value)) as object
}

import type { Tracker } from "../../tracker/tracker.ts"
import type { TopicDiff } from "../../tracker/topic-diff.ts"
import type { PresenceEntry } from "../../wire/presence-payloads.ts"
import { DeviceRows } from "./device-rows.ts"
import type { FetchedFields } from "./fetched.ts"
import { TopicView } from "./topic-view.ts"
import { entryOfRows } from "./user.ts"

/** The options of `TopicViews`. */
export interface TopicViewsOptions {
  readonly tracker: Tracker
  /** The data of `fetch`, to show beside the metas. */
  readonly fetchedFields?: FetchedFields | undefined
  /** Returns what to call when the snapshot of a topic is read, if anything. */
  observer(topic: string): (() => void) | undefined
}

/** The users of each topic that has any, as they are shown. */
export class TopicViews {
  readonly #options: TopicViewsOptions
  readonly #views = new Map<string, TopicView>()

  constructor(options: TopicViewsOptions) {
    this.#options = options
  }

  /** Returns the view of a topic. It is kept while the topic has users. */
  of(topic: string): TopicView {
    const known = this.#views.get(topic)
    if (known !== undefined) return known
    const { fetchedFields, observer } = this.#options
    const view = new TopicView(this.#source.list(topic), {
      onSnapshot: () => observer(topic),
      ...(fetchedFields && { fieldsOf: (key) => fetchedFields.fields(topic, key) }),
    })
    // A view is deleted when its topic becomes empty. So the view of a topic that no user ever joins would stay for ever, and
    // clients can name any number of such topics.
    if (!view.isEmpty) this.#views.set(topic, view)
    return view
  }

  /** Returns one user, without a view of the whole topic if there is none yet. */
  user(topic: string, key: string): PresenceEntry | undefined {
    const view = this.#views.get(topic)
    if (view !== undefined) return view.get(key)
    const rows = new DeviceRows(this.#source.getByKey(topic, key))
    return rows.isEmpty ? undefined : entryOfRows(rows, this.#options.fetchedFields?.fields(topic, key))
  }

  /** Returns the number of users in the view of a topic; 0 if it has no view yet. */
  sizeOf(topic: string): number {
    return this.#views.get(topic)?.size ?? 0
  }

  /** Applies a change. Returns whether the topic has no users any more. */
  apply(topic: string, change: TopicDiff): boolean {
    const view = this.#views.get(topic)
    view?.apply(change)
    if (view?.isEmpty !== true) return false
    this.#views.delete(topic)
    return true
  }

  /** The store of the rows that are shown. */
  get #source(): FetchedFields | Tracker {
    return this.#options.fetchedFields ?? this.#options.tracker
  }
}

import type { TopicDiff } from "../../tracker/tracker.ts"

/** The changes of a window: each one a separate diff, or all of them folded into one diff. */
export interface Changes {
  /** The number of changes added so far. */
  readonly version: number
  add(change: TopicDiff): void
  /** Marks the state after the first `version` changes as read. */
  observe(version: number): void
  take(): TopicDiff | TopicDiff[]
}

/** Each change as a separate diff, as in Phoenix. These diffs fit a state of any moment, so reading need not be recorded. */
export class SeparateDiffs implements Changes {
  readonly version = 0
  readonly #changes: TopicDiff[] = []

  add(change: TopicDiff): void {
    this.#changes.push(change)
  }

  observe(): void {}

  take(): TopicDiff[] {
    return this.#changes.splice(0)
  }
}

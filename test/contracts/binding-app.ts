/** The application by which each binding is tested. A binding shows it with components and calls of its own. */
import type { Entry } from "../../src/client/index.ts"

export type Meta = { name: string; color?: string }

/** What the application shows. The page renders it again whenever it changes. */
export interface Shown {
  /** Whether the provider is mounted. */
  isMounted: boolean
  /** The key of our own user. */
  user: string
  topic: string | null
  /** How many components show the topic, each with a call for the room of its own. */
  panels: number
  me?: Meta
  /** Whether `me` is one object of the framework's own, which reports its changes, instead of the one above. It begins with our key. */
  isMutable?: boolean
  /** Whether the provider gets a connection of the page, not a URL. The first value counts. */
  isGiven?: boolean
  /** A key that the selector of `.keys` leaves out. */
  hidden?: string
  initialUsers?: readonly Entry<Meta>[]
  /** Whether a panel is shown only after the first view. */
  suspends?: boolean
  /** The keys that the page asks about: which of these are online anywhere. Default: it has no component that asks. */
  asks?: readonly string[] | null
}

/**
 * What a page offers to a test.
 *
 * A panel is an element with the class `panel`. In it are: `.status`, the status; `.keys`, the sorted keys of all users, joined by a
 * space, which one selector returns as a new array each time; `.others`, the keys of the others; `.self`, our own key; and `.user`
 * for each of these users, with its name and its color in words, from a component of its own.
 *
 * If it asks for keys, beside the panels is an element with the class `friends`, whose text is written by `friendsText` of all keys, and
 * one with the class `friend` for each key, with the key and its status from a component and a question of its own.
 */
export interface TestPage {
  /** Changes what is shown. */
  show(shown: Partial<Shown>): void
  /**
   * How often the component of a user was shown with something new, by its key, and how often a panel was, by "panel"; of the components
   * that ask for keys, by "friend " and the key, and by "friends".
   */
  readonly renders: Record<string, number>
  /** What has been shown as `.keys` of the first panel, one after the other, without repetitions. */
  readonly history: string[]
  /** What `.friends` has shown, without repetitions. */
  readonly friends: string[]
  /** The payloads of the event `cursor` that have come, with our name at that time as `seenBy`. */
  readonly cursors: unknown[]
  update(patch: Partial<Meta>): void
  /** Changes fields of the object that is `me` if `isMutable`. */
  mutate(patch: Partial<Meta>): void
  /** How many listeners there are on rooms of the page's connection, if `isGiven`. */
  listeners(): number
  /** Sends an event to the others. */
  broadcast(event: string, payload: object): Promise<void>
  /** The errors that the components threw. */
  readonly errors: string[]
}

declare global {
  // oxlint-disable-next-line no-var -- a global of the page
  var page: TestPage
}

/** Rooms as they were at a recorded moment: the reducers of the client, applied to the recorded messages. */
import { Presence } from "../client/presence.ts"
import type { Snapshot } from "../client/store.ts"
import { isFrame, type FrameEntry, type RecordingEntry } from "../testing/recording.ts"
import { CLOSE, ERROR, HEARTBEAT_TOPIC, JOIN, LEAVE, PRESENCE_DIFF, PRESENCE_STATE, REPLY } from "../wire/events.ts"
import type { PresenceDiff, PresenceEntry, PresenceState } from "../wire/presence-payloads.ts"

/** Rooms at one moment. */
export interface Past {
  readonly topics: Iterable<string>
  /** Returns the users of a room; `undefined` if it was not joined. */
  snapshot(topic: string): Snapshot | undefined
  /** Goes on to the moment after an entry, which must be the next one. */
  add(entry: RecordingEntry): void
  /** Begins with a room that was joined before the first entry. */
  seed(topic: string, start: PastStart): void
  /** Returns a copy, which goes on by itself. */
  copy(): Past
}

/** A room of before the first entry. */
export interface PastStart {
  /** The ref of its present join. */
  readonly joinRef: string | null
  /** The ref of a join that is not answered. */
  readonly asked: string | null
  /** Its users in their order, if a state has come. */
  readonly users: readonly (readonly [key: string, presence: PresenceEntry])[] | undefined
  /** Whether that was the state of the present join. */
  readonly isLive: boolean
  /** Diffs that came before the state of the present join. */
  readonly early: readonly PresenceDiff[]
}

type Callback = (payload: unknown, ref?: unknown, joinRef?: unknown) => void

/** A channel that a recording plays. */
interface PlayedTopic {
  joinRef: string | null
  /** The ref of the join that is not answered. */
  asked: string | null
  state: "joining" | "joined"
  isClosed: boolean
  readonly presence: Presence
  trigger(event: string, payload?: unknown, joinRef?: string | null): void
}

function createPlayedTopic(joinRef: string | null): PlayedTopic {
  const callbacks = new Map<string, Callback>()
  const channel = {
    on: (event: string, callback: Callback) => callbacks.set(event, callback).size,
    off: (event: string) => void callbacks.delete(event),
    joinRef: () => topic.joinRef,
    get state() {
      return topic.state
    },
  }
  const topic = { joinRef, asked: null, state: "joining", isClosed: false } as unknown as PlayedTopic & {
    presence: Presence
  }
  topic.trigger = (event, payload, join) => callbacks.get(event)?.(payload, undefined, join ?? undefined)
  topic.presence = new Presence(channel)
  // A payload that the client has refused changes nothing here either.
  topic.presence.onError(() => {})
  return topic
}

export function createPast(): Past {
  const topics = new Map<string, PlayedTopic>()

  const addFrame = ([, what, joinRef, ref, name, event, payload]: FrameEntry): void => {
    if (name === HEARTBEAT_TOPIC) return
    let topic = topics.get(name)
    if (what === "out") {
      if (event === JOIN) {
        if (!topic || topic.isClosed) topics.set(name, (topic = createPlayedTopic(joinRef)))
        Object.assign(topic, { joinRef, asked: ref, state: "joining" })
      } else if (event === LEAVE && topic) close(topic)
      return
    }
    if (!topic || (joinRef !== null && joinRef !== topic.joinRef)) return
    if (event === REPLY) {
      if (ref === topic.asked) topic.state = "joined"
    } else if (event === CLOSE) close(topic)
    else topic.trigger(event, payload, joinRef)
  }

  return {
    get topics() {
      return [...topics].flatMap(([name, { isClosed }]) => (isClosed ? [] : [name]))
    },
    snapshot(name) {
      const topic = topics.get(name)
      return topic && !topic.isClosed ? topic.presence.store.getSnapshot() : undefined
    },
    add(entry) {
      if (isFrame(entry)) addFrame(entry)
      else if (entry[1] === "close") for (const topic of topics.values()) topic.trigger(ERROR)
    },
    seed(name, { joinRef, asked, users, isLive, early }) {
      // Users of a room that is stale are those of a former join: the next state is then no repetition.
      const topic = createPlayedTopic(isLive ? joinRef : "former")
      topics.set(name, topic)
      topic.state = "joined"
      if (users) topic.trigger(PRESENCE_STATE, {})
      for (const joins of inOrder(users ?? [])) topic.trigger(PRESENCE_DIFF, { joins, leaves: {} })
      if (!isLive) topic.trigger(ERROR)
      topic.joinRef = joinRef
      for (const diff of early) topic.trigger(PRESENCE_DIFF, diff)
      Object.assign(topic, { joinRef, asked, state: asked === null ? "joined" : "joining" })
    },
    copy() {
      const copy = createPast()
      for (const [name, { joinRef, asked, isClosed, presence }] of topics) {
        const { status } = presence.store.getSnapshot()
        const users = status === "joining" ? undefined : presence.list((key, user) => [key, user] as const)
        const early = presence.pendingDiffs
        if (!isClosed) copy.seed(name, { joinRef, asked, users, isLive: status === "live", early })
      }
      return copy
    },
  }
}

function close(topic: PlayedTopic): void {
  topic.isClosed = true
  topic.presence.dispose()
}

/** An object has its keys in order, except for those that are numbers: these come first, and sorted. */
function inOrder(users: NonNullable<PastStart["users"]>): readonly PresenceState[] {
  const parts: (readonly [key: string, presence: PresenceEntry])[][] = []
  let last = Infinity
  for (const user of users) {
    const index = /^(0|[1-9]\d{0,9})$/.test(user[0]) ? Number(user[0]) : Infinity
    if (!parts.length || index < last) parts.push([])
    parts.at(-1)!.push(user)
    last = index
  }
  return parts.map((part) => Object.fromEntries(part))
}

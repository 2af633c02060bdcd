/** Watches a connection: its rooms, its messages, and what they change. It keeps no more than its limits allow. */
import type { Connection } from "../client/connection.ts"
import type { Room } from "../client/room.ts"
import type { Entry, Snapshot, Status } from "../client/store.ts"
import { ConfigError } from "../error.ts"
import { ListenerSet, type Undo } from "../listeners.ts"
import { record } from "../testing/record.ts"
import { isFrame } from "../testing/recording.ts"
import { redacted, type Redact } from "../testing/redaction.ts"
import { systemClock, type Clock } from "../timers.ts"
import { PRESENCE_STATE } from "../wire/events.ts"
import type { PresenceEntry } from "../wire/presence-payloads.ts"
import { createFaults, type Faults } from "./faults.ts"
import { createPast, type Past } from "./past.ts"
import { changeEntry, droppedEntry, recordedEntry, statusEntry, type TimelineEntry } from "./timeline-entry.ts"

/** What an inspector keeps and shows. */
export interface ObservationOptions {
  /** How many entries of the timeline are kept, the latest ones. Default 2 000. */
  readonly maxEntries?: number | undefined
  /** How many bytes they may have together. The recording may have as many again. Default 4 194 304, 4 MiB. */
  readonly maxBytes?: number | undefined
  /** Returns what is shown and recorded in place of a field's value; `undefined` leaves the field out. As that of `record`. */
  readonly redact?: Redact | undefined
  /** The clock. Default: the platform's. */
  readonly timers?: Clock | undefined
}

/** A connection that is watched. */
export interface Observation {
  readonly connection: Connection
  readonly faults: Faults
  /** The entries that are kept, oldest first. */
  readonly entries: readonly TimelineEntry[]
  /** How many entries could not be recorded or shown, for instance because `redact` threw. */
  readonly failed: number
  /** The topics that the connection has joined or is joining now. */
  topics(): readonly string[]
  /** Returns the present view of a topic; `undefined` if nothing is known of it. */
  snapshot(topic: string): Snapshot | undefined
  /** Returns how rooms were after an entry; `undefined` if the entry is not kept any more. */
  pastAt(id: number): Past | undefined
  /** Returns a user without what is secret. */
  shown(topic: string, user: Entry): unknown
  /** Returns the recording, for a bug report or for `replay`. */
  text(): string
  /** Calls `listener` after each change. */
  onChange(listener: () => void): Undo
  /** Ends it, and all faults. */
  stop(): void
}

const ignore = (): void => {}

/** @throws ConfigError for a limit that is no number from 1 */
export function checkLimits({ maxEntries = 1, maxBytes = 1 }: ObservationOptions): void {
  for (const [name, limit] of Object.entries({ maxEntries, maxBytes })) {
    if (!(limit >= 1)) throw new ConfigError(`expected ${name} to be a number from 1, got ${String(limit)}`)
  }
}

/** @throws ConfigError for a limit that is no number from 1 */
export function observe(connection: Connection, options: ObservationOptions = {}): Observation {
  const { maxEntries = 2000, maxBytes = 4_194_304, redact, timers = systemClock } = options
  const { socket } = connection
  const listeners = new ListenerSet<[]>()
  const entries: TimelineEntry[] = []
  const watched = new Map<Room, readonly Undo[]>()
  /** Rooms before the first entry that is kept. */
  const start = createPast()
  /** Rooms now, for channels that are no rooms. */
  const now = createPast()
  let bytes = 0
  let lastId = 0
  let failed = 0
  let shownUsers = new WeakMap<Entry, unknown>()

  const changed = (): void => listeners.emit(ignore)

  const add = (entry: Omit<TimelineEntry, "id" | "at">): void => {
    entries.push({ ...entry, id: ++lastId, at: Date.now() })
    bytes += entry.bytes
    if (entry.recorded) now.add(entry.recorded)
    while (entries.length > maxEntries || (bytes > maxBytes && entries.length > 1)) {
      const oldest = entries.shift()!
      bytes -= oldest.bytes
      if (oldest.recorded) start.add(oldest.recorded)
    }
    changed()
  }

  const watch = (room: Room): void => {
    let status: Status | undefined = room.status
    const showStatus = (): void => {
      if (room.status !== status)
        add(statusEntry(room.topic, room.status, { status: room.status, reason: room.reason }))
      else changed()
      ;({ status } = room)
    }
    watched.set(room, [
      room.onChange((changes, cause) => add(changeEntry(room.topic, changes, cause)), { silent: true }),
      room.subscribe(showStatus),
    ])
  }

  const lookForRooms = (): void => {
    const rooms = new Set(connection.rooms)
    for (const room of rooms) if (!watched.has(room)) watch(room)
    for (const [room, undo] of watched) {
      if (rooms.has(room)) continue
      for (const each of undo) each()
      watched.delete(room)
    }
  }

  const shown = (topic: string, user: Entry): unknown => {
    if (shownUsers.has(user)) return shownUsers.get(user)
    const { key, ...rest } = user
    let value: unknown = null
    try {
      const place = { topic, event: PRESENCE_STATE, direction: "in" } as const
      value = (redacted({ [key]: rest }, place, redact) as Record<string, unknown>)[key]
    } catch {
      failed += 1
    }
    shownUsers.set(user, value)
    return value
  }

  // Rooms whose states came before.
  for (const room of connection.rooms) {
    const { topic } = room
    const channel = socket.channels.find((each) => each.topic === topic)
    const { status, users } = room.getSnapshot()
    if (!channel || status === "closed") continue
    const present = users.filter(({ leftAt }) => leftAt === undefined)
    const state = present.map((user) => [user.key, (shown(topic, user) ?? { metas: [] }) as PresenceEntry] as const)
    const joinRef = channel.joinRef()
    const seed = {
      joinRef,
      asked: channel.state === "joined" ? null : joinRef,
      users: status === "joining" ? undefined : state,
      isLive: status === "live",
      early: [],
    }
    for (const past of [start, now]) past.seed(topic, seed)
  }

  // Before the recorder, which then records what passes.
  const faults = createFaults(connection, timers, ({ direction, topic, event }) =>
    add(droppedEntry(direction, topic, event)),
  )
  const recording = record(connection, {
    maxEntries,
    maxBytes,
    redact,
    timers,
    onEntry(entry, size) {
      lookForRooms()
      // A page that is recorded from the middle on has no open connection in its first entry.
      add(recordedEntry(entry, isFrame(entry) ? size : Math.max(size, 64)))
    },
  })
  const undoStatus = connection.onStatus((status) => {
    lookForRooms()
    add(statusEntry("", status, { status, reason: connection.reason }))
  })
  lookForRooms()

  return {
    connection,
    faults,
    entries,
    get failed() {
      return failed + recording.failed
    },
    topics() {
      lookForRooms()
      const rooms = connection.rooms.map(({ topic }) => topic)
      return [...new Set([...rooms, ...socket.channels.map(({ topic }) => topic)])]
    },
    snapshot: (topic) => connection.rooms.find((room) => room.topic === topic)?.getSnapshot() ?? now.snapshot(topic),
    pastAt(id) {
      const end = entries.findIndex((entry) => entry.id === id)
      if (end < 0) return undefined
      const past = start.copy()
      for (const { recorded } of entries.slice(0, end + 1)) if (recorded) past.add(recorded)
      return past
    },
    shown,
    text: () => recording.text(),
    onChange: (listener) => listeners.add(listener),
    stop() {
      // In this order: the recorder has wrapped what the faults have wrapped.
      recording.stop()
      faults.stop()
      undoStatus()
      for (const undo of watched.values()) for (const each of undo) each()
      watched.clear()
      entries.length = 0
      shownUsers = new WeakMap()
    },
  }
}

import { isJsonObject } from "../json.ts"
import { CLOSE, HEARTBEAT_TOPIC, JOIN, LEAVE, PRESENCE_DIFF, PRESENCE_STATE, REPLY } from "../wire/events.ts"
import { PRESENCE_COUNT, PRESENCE_SELF } from "../wire/introduction.ts"
import type { Meta, PresenceEntry } from "../wire/presence-payloads.ts"
import { isFrame, type FrameEntry, type RecordingEntry } from "./recording.ts"

const idOf = (meta: Meta): string => meta.phx_ref ?? JSON.stringify(meta)

/** One topic: the frames that lead to its view. */
interface Recorded {
  readonly join: FrameEntry
  /** The last frame of each event. */
  readonly frames: Map<string, FrameEntry>
  /** The users, if a state has come. */
  users: Map<string, PresenceEntry> | undefined
  /** Diffs that came before their state. */
  readonly early: FrameEntry[]
  /** Whether the connection of the join has ended, and another one is open. */
  isFormer: boolean
}

/**
 * The views to which the first entries of a recording led. They take the place of these entries once there are too many, so that the rest
 * can be replayed.
 */
export class RecordedViews {
  readonly #topics = new Map<string, Recorded>()
  #info: FrameEntry | undefined
  #open: RecordingEntry | undefined
  #close: RecordingEntry | undefined
  #at = 0

  /** Adds an entry that follows those before. */
  add(entry: RecordingEntry): void {
    this.#at = entry[0]
    if (isFrame(entry)) this.#addFrame(entry)
    else if (entry[1] === "close") this.#close = entry
    else if (entry[1] === "open") {
      this.#open = entry
      this.#close = undefined
      for (const recorded of this.#topics.values()) recorded.isFormer = true
    }
  }

  /**
   * Returns entries that lead to the same views: those of the connection before the present one, those of the present one, and its end.
   * The entries of each topic are by themselves, so that one may be left out.
   */
  entries(): readonly (readonly [topic: string | undefined, entries: readonly RecordingEntry[]])[] {
    const at = this.#at
    const now = (entries: readonly (RecordingEntry | undefined)[]): RecordingEntry[] =>
      entries.flatMap((entry) => (entry ? [[at, ...entry.slice(1)] as unknown as RecordingEntry] : []))
    const open = [undefined, now([this.#open, this.#info])] as const
    const topics = (isFormer: boolean): (readonly [string, RecordingEntry[]])[] =>
      [...this.#topics]
        .filter(([, recorded]) => recorded.isFormer === isFormer)
        .map(([topic, { join, frames, users, early }]) => {
          const state: FrameEntry = [at, "in", join[2], null, topic, PRESENCE_STATE, Object.fromEntries(users ?? [])]
          return [topic, now([join, ...frames.values(), ...early, users && state])]
        })
    const former = topics(true)
    const close: RecordingEntry = [at, "close", null, "reconnecting"]
    return [
      ...(former.length > 0 ? [open, ...former, [undefined, [close]] as const] : []),
      open,
      ...topics(false),
      [undefined, now([this.#close])],
    ]
  }

  #addFrame(entry: FrameEntry): void {
    const [, what, joinRef, ref, topic, event, payload] = entry
    if (topic === HEARTBEAT_TOPIC) {
      if (what === "in" && event !== REPLY) this.#info = entry
      return
    }
    const recorded = this.#topics.get(topic)
    if (what === "out") {
      // The users of the join before are shown until the next state.
      if (event === JOIN)
        this.#topics.set(topic, { join: entry, frames: new Map(), users: recorded?.users, early: [], isFormer: false })
      if (event === LEAVE) this.#topics.delete(topic)
      return
    }
    if (!recorded) return
    if (event === CLOSE && joinRef === recorded.join[2]) this.#topics.delete(topic)
    else if (event === REPLY && ref === recorded.join[3]) recorded.frames.set(event, entry)
    else if (event === PRESENCE_SELF || event === PRESENCE_COUNT) recorded.frames.set(event, entry)
    else if (event === PRESENCE_STATE && isJsonObject(payload)) {
      recorded.users = new Map(Object.entries(payload as Record<string, PresenceEntry>))
      for (const [, , , , , , diff] of recorded.early.splice(0)) applyDiff(recorded.users, diff)
    } else if (event === PRESENCE_DIFF) {
      if (recorded.users) applyDiff(recorded.users, payload)
      else recorded.early.push(entry)
    }
  }
}

/** In place: a room of thousands must not be copied for each of its diffs. */
function applyDiff(users: Map<string, PresenceEntry>, diff: unknown): void {
  const { joins, leaves } = Object(diff) as { readonly joins?: unknown; readonly leaves?: unknown }
  for (const [key, joined] of Object.entries(Object(joins) as Record<string, PresenceEntry>)) {
    const ids = new Set(joined.metas.map(idOf))
    const former = users.get(key)?.metas.filter((meta) => !ids.has(idOf(meta))) ?? []
    users.set(key, { ...joined, metas: [...former, ...joined.metas] })
  }
  for (const [key, left] of Object.entries(Object(leaves) as Record<string, PresenceEntry>)) {
    const ids = new Set(left.metas.map(idOf))
    const user = users.get(key)
    const metas = user?.metas.filter((meta) => !ids.has(idOf(meta))) ?? []
    if (user && metas.length > 0) users.set(key, { ...user, metas })
    else users.delete(key)
  }
}

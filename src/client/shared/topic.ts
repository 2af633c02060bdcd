/** A topic that is joined once for all tabs of a group. Their own metas are merged to that of the person. */
import { isObject } from "../../json.ts"
import { PRESENCE_UPDATE } from "../../wire/events.ts"
import { same } from "../metas.ts"
import type { Online } from "../online.ts"
import type { Room } from "../room.ts"
import { filter, merge, payloadOf, type Fields } from "../update-batch.ts"

/** Returns the meta of a person from those of their tabs. There is at least one; that of the last active tab is at the end. */
export type MergeMetas = (metas: readonly Record<string, unknown>[]) => Readonly<Record<string, unknown>>

/** A tab's join of a topic. */
export interface Join {
  readonly ref: string
  readonly params: Fields
  /** What the tab says of itself. `undefined`: nothing. */
  mine: Fields | undefined
  /** The keys that the tab asks about, by `connection.online`. */
  readonly asked: Online | undefined
  keys: readonly string[]
}

export interface SharedTopic {
  readonly room: Room<object>
  /** By their tabs. */
  readonly joins: Map<string, Join>
  /** The reply to the join, while it is joined. */
  reply?: unknown
  /** The server's last message about our own presence, which each new tab needs. */
  self?: unknown
  /** What the server has of what the tabs say. */
  sent: Fields
}

export const fieldsOf = (value: unknown): Fields | undefined => (isObject(value) ? value : undefined)

/** Returns what a tab says of itself after a message, or `undefined` if the message is about something else. */
export function changed({ mine = {} }: Join, event: string, payload: unknown): Fields | undefined {
  const { meta, remove = [] } = Object(payload) as { meta?: unknown; remove?: string[] }
  const fields = event === PRESENCE_UPDATE ? fieldsOf(meta) : undefined
  return fields && filter(merge(mine, fields), (field) => !remove.includes(field))
}

/** Returns the payload of the update after which the server has `next`; `undefined` if it has it already. */
export function updateOf(sent: Fields, next: Fields): object | undefined {
  const removed = Object.fromEntries(Object.keys(sent).map((field) => [field, undefined]))
  return same(sent, next) ? undefined : payloadOf(merge(removed, next))
}

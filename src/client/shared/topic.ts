/** What the tabs of a group say in one topic, as one client: their own metas are merged, and so are the keys that they watch. */
import { isObject } from "../../json.ts"
import { PRESENCE_UPDATE } from "../../wire/events.ts"
import { COUNT_PARAM, countedValue, type PresenceCount } from "../../wire/introduction.ts"
import { WATCH, WATCH_TOPIC, type WatchChange } from "../../wire/watched-keys.ts"
import { same } from "../metas.ts"
import type { Room } from "../room.ts"
import { filter, merge, payloadOf, valueAt, without, type Fields } from "../update-batch.ts"

/** Returns the meta of a person from those of their tabs, the one of the last active tab at the end. There is at least one. */
export type MergeMetas = (metas: readonly Record<string, unknown>[]) => Readonly<Record<string, unknown>>

/** A tab's join of a topic. */
export interface Join {
  readonly ref: string
  readonly params: Fields
  /** Whether it is of a former connection of the tab, which may not join the topic again. */
  isFormer?: boolean
  /** What the tab says of itself; or the keys that it watches, as the names of fields. `undefined`: nothing. */
  mine: Fields | undefined
}

/** A topic that is joined for tabs. */
export interface SharedTopic {
  readonly room: Room<object>
  /** By their tabs. */
  readonly joins: Map<string, Join>
  /** The reply to the join, while it is joined. */
  reply?: unknown
  /** The last payloads of the events that each new tab needs. */
  readonly kept: Map<string, unknown>
  /** What the server has of what the tabs say. */
  sent: Fields
  /** Whether it is joined for the number of its users only. */
  isCount?: boolean
  /** A timer, while a new number is about to be sent to tabs that count. */
  counting?: unknown
}

const fromKeys = (keys: readonly string[] = [], value?: unknown): Fields =>
  Object.fromEntries(keys.map((key) => [key, value]))

const asFields = (value: unknown): Fields | undefined => (isObject(value) ? value : undefined)

export function createJoin(topic: string, ref: string, given: unknown): Join {
  const params = asFields(given) ?? {}
  const { me, keys } = params
  return { ref, params, mine: topic === WATCH_TOPIC ? fromKeys(keys as string[], 1) : asFields(me) }
}

/** Returns what a tab says of itself after a message, or `undefined` if the message is about something else. */
export function changed({ mine = {} }: Join, topic: string, event: string, payload: unknown): Fields | undefined {
  if (event === WATCH && topic === WATCH_TOPIC) {
    const { add, remove } = payload as WatchChange
    return merge(without(mine, fromKeys(remove)), fromKeys(add, 1))
  }
  const { meta, remove } = Object(payload) as { meta?: unknown; remove?: readonly string[] }
  if (event !== PRESENCE_UPDATE || !isObject(meta)) return undefined
  return without(merge(mine, meta), fromKeys(remove))
}

/** @param joins those of the tabs, the last active one at the end */
export function mergedOf(topic: string, joins: readonly Join[], mergeMetas: MergeMetas): Fields | undefined {
  const all = joins.flatMap(({ mine }) => (mine ? [mine] : []))
  return topic === WATCH_TOPIC ? merge(...all) : all.length ? mergeMetas(all) : undefined
}

export const isCount = ({ params }: Join): boolean => COUNT_PARAM in params

/**
 * Returns the params of the join for all tabs: those of the last active one that wants users, if one does. The users can be counted for
 * the others.
 */
export function paramsOf(topic: string, joins: readonly Join[], mine: Fields | undefined): Fields {
  if (topic === WATCH_TOPIC) return { keys: Object.keys(mine ?? {}) }
  const { params = {} } = joins.filter((join) => !isCount(join)).at(-1) ?? joins.at(-1) ?? {}
  // A server that is not given `me` with the join gets it in updates.
  return mine && "me" in params ? { ...params, me: mine } : params
}

/** Returns the number of users as the server would send it to a tab. */
export function countOf({ room }: SharedTopic, { params }: Join): PresenceCount {
  const by = params[COUNT_PARAM]
  const counts: Record<string, number> = {}
  if (typeof by === "string") {
    for (const { metas } of room.list()) {
      const value = countedValue(valueAt(metas[0], by))
      if (value !== undefined) counts[value] = (counts[value] ?? 0) + 1
    }
  }
  return { total: room.size, ...(typeof by === "string" && { by: counts }) }
}

/** Returns the message that changes what the server has to what it should have; `undefined` if there is nothing to change. */
export function changeOf(topic: string, sent: Fields, next: Fields): readonly [event: string, payload: object] | undefined {
  const removed = Object.keys(without(sent, next))
  const patch = {
    ...filter(next, (field) => !Object.hasOwn(sent, field) || !same(valueAt(sent, field), next[field])),
    ...fromKeys(removed),
  }
  const names = Object.keys(patch)
  if (!names.length) return undefined
  return topic === WATCH_TOPIC
    ? [WATCH, { add: names.filter((key) => patch[key]), remove: removed }]
    : [PRESENCE_UPDATE, payloadOf(patch)]
}

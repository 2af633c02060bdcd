/** The number of users of a topic, without the users. */
import type { Undo } from "../listeners.ts"
import { COUNT_PARAM, PRESENCE_COUNT, type PresenceCount } from "../wire/introduction.ts"
import type { Connection } from "./connection.ts"
import type { Params } from "./params.ts"
import type { RoomOptions } from "./room-options.ts"
import type { Status } from "./store.ts"
import type { ChannelLike } from "./sync.ts"

/** Options of `connection.count(topic, options)`. */
export interface CountOptions {
  /** The field of the metas by whose values to count, too. A user counts by its oldest meta. */
  readonly by?: string | undefined
  /** The params of the join, as those of `connection.room`. */
  readonly params?: Params | undefined
}

/** A count at one moment. It is frozen. */
export type CountSnapshot = Partial<PresenceCount> & { readonly status: Status }

/** The number of users of a topic. Its methods work unbound. */
export interface Count {
  readonly status: Status
  /** The number of users that are present; `undefined` before the first count has arrived. */
  readonly total: number | undefined
  /** Value → number of users, with the option `by`: the 100 most frequent values. Users without the field are in `total` only. */
  readonly by: Readonly<Record<string, number>> | undefined
  /** Returns the present count. It is the same object until it changes. */
  readonly getSnapshot: () => CountSnapshot
  /** Calls `listener` when the count or its status has changed. */
  readonly subscribe: (listener: () => void) => Undo
  /** Leaves the topic. As for a room, once per call of `connection.count`. */
  readonly leave: () => void
}

/** Options of a room whose state is the last count, as one user with one meta: so it has the status of a room. */
const COUNTING = {
  events: { state: PRESENCE_COUNT },
  definition: {
    withValidation: (channel: ChannelLike) =>
      // Its getters stay those of the channel.
      ({
        __proto__: channel,
        on: (event: string, callback: Parameters<ChannelLike["on"]>[1]) =>
          channel.on(event, (payload, ...about) => {
            const metas = [{ phx_ref: JSON.stringify(payload), count: payload }]
            callback(event === PRESENCE_COUNT ? { "": { metas } } : payload, ...about)
          }),
      }),
  },
} as unknown as RoomOptions

export function createCount(room: Connection["room"], topic: string, { by, params = {} }: CountOptions): Count {
  const ask = (given: object): object => ({ ...given, [COUNT_PARAM]: by ?? true })
  const { select, subscribe, leave } = room<{ count: PresenceCount }>(
    topic,
    typeof params === "function" ? async () => ask(await params()) : ask(params),
    COUNTING,
  )
  const { getSnapshot } = select(({ users: [user], status }): CountSnapshot =>
    Object.freeze({ ...user?.metas[0].count, status }),
  )
  return {
    getSnapshot,
    subscribe,
    leave,
    get status() {
      return getSnapshot().status
    },
    get total() {
      return getSnapshot().total
    },
    get by() {
      return getSnapshot().by
    },
  }
}

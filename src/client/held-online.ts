/** Which keys are online anywhere, as the components of a page read it: it is asked only while a component is shown. */
import { WATCH_TOPIC } from "../wire/watched-keys.ts"
import type { KeyStatus, WatchedKey } from "../wire/watched-keys.ts"
import type { Connection } from "./connection.ts"
import { same } from "./metas.ts"
import { checkKeys, statusOf } from "./online.ts"
import type { Reason } from "./reason.ts"
import type { Room } from "./room.ts"
import type { Status } from "./store.ts"
import type { Source } from "./view.ts"

/** The keys that are known, in the order in which they were given, and the status of the channel by which they are asked for. */
export type OnlineSnapshot = ReadonlyMap<string, KeyStatus> & {
  /** As that of a room: `closed` if the server refuses the question, as one without `watchKeys` does. */
  readonly status: Status
  /** Why the channel is not live, as that of a room. */
  readonly reason: Reason | undefined
}

/** Which of some keys are online. */
export interface HeldOnline extends Source<OnlineSnapshot> {
  /** What a server renders. */
  readonly initial: Pick<Source<OnlineSnapshot>, "getSnapshot">
}

type Channel = Room<WatchedKey>

const snapshotOf = (keys: readonly string[], channel?: Channel): OnlineSnapshot =>
  Object.assign(
    new Map(
      keys.flatMap((key) => {
        const status = statusOf(channel?.get(key))
        return status ? [[key, status]] : []
      }),
    ),
    { status: channel?.status ?? ("joining" as const), reason: channel?.reason },
  )

const NOTHING = snapshotOf([])
const initial = { getSnapshot: () => NOTHING }

/**
 * Returns which of these keys are online. Before it is subscribed to, it has what other components have asked for, so that keys that
 * stay in a list never become unknown.
 *
 * @throws ConfigError for keys that are no list of strings
 */
export function createHeldOnline(
  { connection }: { readonly connection: Connection },
  given: readonly string[] | null | undefined,
): HeldOnline {
  const keys = given ?? []
  checkKeys(keys)
  /** The channel of a subscription. The connection forgets one that the server has refused. */
  let channel: Channel | undefined
  let last = NOTHING
  const find = (): Channel => connection.rooms.find(({ topic }) => topic === WATCH_TOPIC) as Channel
  return {
    initial,
    getSnapshot() {
      const next = keys.length > 0 ? snapshotOf(keys, channel ?? find()) : NOTHING
      if (last.status !== next.status || last.reason !== next.reason || !same([...last], [...next])) last = next
      return last
    },
    subscribe(listener) {
      if (keys.length === 0) return () => {}
      const online = connection.online(keys)
      const own = (channel = find())
      const undo = own.subscribe(listener)
      return () => {
        undo()
        if (channel === own) channel = undefined
        // Not at once: frameworks stop and start their effects in one turn.
        queueMicrotask(online.close)
      }
    },
  }
}

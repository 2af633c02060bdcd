import type { RoomDefinition } from "../room-definition.ts"
import type { OnInvalid } from "../room-validation.ts"
import type { Entry } from "./store.ts"
import type { PresenceOptions } from "./sync.ts"

/** Options of `connection.room(topic, params, options)`. */
export type RoomOptions = PresenceOptions & {
  /** The presence key under which the server tracks us, if the application knows it: `self` is the user under this key. */
  key?: string | undefined
  /**
   * The definition of the room (`defineRoom`). The metas and the events that arrive are validated by its schemas, and are passed on as
   * the schemas return them. By default nothing that arrives is validated.
   */
  definition?: RoomDefinition | undefined
  /**
   * What to do with a meta or an event that the definition refuses. Default `"drop"`: it is not shown, and the first problem of the
   * room is reported to `onError` (`invalid_meta`, `invalid_payload`). `"keep"` passes it on as it came. A function is called with
   * each problem, and the value is dropped. `room.invalidCount` counts them all.
   */
  invalid?: OnInvalid | undefined
  /** The event that `update` pushes. Default `"presence_update"`. */
  updateEvent?: string | undefined
  /** The least time between two pushes of `update`, in milliseconds. Default 100. */
  updateThrottleMs?: number | undefined
  /** The length of the intervals in which `broadcast` sends one volatile message of an event, in milliseconds. Default 50. */
  broadcastThrottleMs?: number | undefined
  /**
   * How long the first join may take, and the first state after a join, in milliseconds. If no state comes, `ready` rejects with
   * `no_state`, which is reported once if the room is joined, and the room goes on waiting. 0 turns this off, for a topic without
   * presence. Default 10 000.
   */
  readyTimeoutMs?: number | undefined
  /**
   * For how long a leave is not shown, in milliseconds: a user or a device that returns in time was never away. Joins and updates
   * are shown at once. Default 0.
   */
  graceMs?: number | undefined
  /**
   * For how long a user that left stays in the view, with `leftAt`, in milliseconds. At most 1 000 of them stay, the latest.
   * `size` does not count them. Default 0.
   */
  keepLeftMs?: number | undefined
  /** After how long without a connection the room is lost (`isLost`), in milliseconds. Default 5 000. */
  lostConnectionMs?: number | undefined
  /** How long a join waits for its reply before it is tried again, in ms. Default: the connection's `timeout`. */
  timeout?: number | undefined
}

/** Returns all users, or what a chooser returns for each. */
export type RoomList<F extends object> = {
  (): readonly Entry<F>[]
  <T>(chooser: (key: string, user: Entry<F>) => T): readonly T[]
}

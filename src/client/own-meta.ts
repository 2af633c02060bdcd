/**
 * Sends our own meta to the server. Pushes are throttled, one at a time, and carry the last value of each field. After
 * a rejoin all fields are sent again.
 */
import { RollcallError } from "../error.ts"
import type { Clock } from "../timers.ts"
import { assertFits } from "./frame-size.ts"
import { toSendable, type Pushes } from "./pushes.ts"
import type { RoomChannel } from "./room-channel.ts"

/** The payload of an update. */
type Update = { readonly meta: object }

/** Returns the update without these keys: the same one if it has none of them, `undefined` if no other is left. */
function without(update: Update | undefined, keys: object | undefined): Update | undefined {
  const rest = Object.entries(update?.meta ?? {}).filter(([key]) => !Object.hasOwn(keys ?? {}, key))
  if (rest.length === 0) return undefined
  return rest.length === Object.keys(update!.meta).length ? update : { meta: Object.fromEntries(rest) }
}

/** The fields that we have given to `update`, and how far they have come. */
export interface OwnMeta {
  /** @throws RollcallError `bad_payload` or `payload_too_large`; then nothing has changed */
  update(patch: object): void
  /** The channel is joined, for the first time or again. */
  join(): void
  /**
   * The channel broke. The server may or may not have received the update in flight, so it is sent again, unless the channel
   * crashed: then the update may have caused the crash, and the outcome of its push follows.
   */
  interrupt(isCrash: boolean): void
  stop(): void
  /** What the next room of the topic needs, which takes over the channel and sends what is unsent. */
  handOver(): Progress
}

type Progress = readonly [
  kept?: object,
  pending?: object | undefined,
  first?: Update | undefined,
  isJoined?: boolean,
  earliestSendAt?: number,
]

/**
 * @param event the event of an update
 * @param accepted called with the response when the server has accepted an update
 * @param failed called when the server has refused an update or has not answered it
 * @param progress that of the former room of this channel
 */
export function createOwnMeta(
  { flow, topic }: RoomChannel,
  pushes: Pushes,
  event: string,
  throttleMs: number,
  timers: Clock,
  accepted: (response: unknown) => void,
  failed: (error: RollcallError) => void,
  progress: Progress = [],
): OwnMeta {
  /**
   * `kept`: the last values of the fields that were sent and not refused: acknowledged, or without an answer in time. After a
   * rejoin they are sent again, because a new channel does not know them.
   *
   * `first`: what was in flight when the connection closed. It is sent again first, by itself and as the same object: if the
   * connection closed because of it, `Flow` does not send it a third time, and nothing else is lost.
   */
  let [kept, pending, first, isJoined = false, earliestSendAt = -Infinity]: Partial<Progress> = progress
  /** A new object for each push, also for one of an update that is sent again. */
  let inFlight: { readonly update: Update } | undefined
  let timer: unknown

  const flush = (): void => {
    const update = first ?? (pending && { meta: pending })
    if (!isJoined || inFlight || !update) return
    const wait = earliestSendAt - timers.now()
    timers.clear(timer)
    if (wait > 0) {
      timer = timers.set(flush, wait)
      return
    }
    if (!flow.isFree(flush, flush)) return
    if (!first) pending = undefined
    first = undefined
    const sent = (inFlight = { update })
    earliestSendAt = timers.now() + throttleMs
    pushes.send(
      event,
      update,
      undefined,
      (error, response) => {
        // After a disconnect, the outcome of this push, such as its timeout, no longer matters.
        if (inFlight !== sent) return
        inFlight = undefined
        const { code, message, reason }: Partial<RollcallError> = error ?? {}
        if (!code || code === "timeout") kept = { ...kept, ...update.meta }
        if (!code) accepted(response)
        else failed(new RollcallError(code === "push_rejected" ? "update_rejected" : code, message!, { reason }))
        flush()
      },
      true,
    )
  }

  return {
    update(patch) {
      toSendable("update", patch)
      // After a rejoin, all fields are sent in one message.
      const meta = { ...kept, ...first?.meta, ...inFlight?.update.meta, ...pending, ...patch }
      assertFits(flow.maxBytes, topic, event, { meta })
      pending = { ...pending, ...patch }
      first = without(first, patch)
      flush()
    },
    join() {
      if (!isJoined) {
        pending = without({ meta: { ...kept, ...pending } }, first?.meta)?.meta
        kept = undefined
        isJoined = true
        earliestSendAt = timers.now()
      }
      flush()
    },
    interrupt(isCrash) {
      isJoined = false
      if (isCrash || !inFlight) return
      first = without(inFlight.update, pending)
      inFlight = undefined
    },
    stop() {
      isJoined = false
      inFlight = first = pending = undefined
      timers.clear(timer)
    },
    // What is in flight was sent in this same join. Its outcome is for this room.
    handOver: () => [{ ...kept, ...inFlight?.update.meta }, pending, first, isJoined, earliestSendAt],
  }
}

/**
 * Volatile messages, such as the position of a cursor: each replaces the one before it, and a late one is worse than none. They are
 * throttled, and dropped when the connection cannot carry them at once.
 */
import { RollcallError } from "../error.ts"
import { guard, type Undo } from "../listeners.ts"
import type { Clock } from "../timers.ts"
import { REPLY } from "../wire/events.ts"
import { toSendable } from "./pushes.ts"
import type { RoomChannel } from "./room-channel.ts"

/**
 * How many bytes may wait in the transport. Not 0: an update that is sent in the same turn of the event loop is still there, and the
 * second of two events would never be sent.
 */
const MAX_BUFFERED_BYTES = 16_384

/**
 * Returns a function that sends a volatile message or drops it, and one that ends all intervals.
 *
 * The first message of an event is sent at once, and then the last one of each interval. Nothing waits for its reply, which a server
 * need not send.
 *
 * @param throttleMs the length of an interval, in milliseconds
 * @param isUsable returns whether the room is open, and its connection known to be alive
 * @param failed gets an error for each message that could never be sent: `bad_payload`, `payload_too_large`
 */
export function createVolatile(
  channel: RoomChannel,
  throttleMs: number,
  timers: Clock,
  isUsable: () => boolean,
  failed: (error: RollcallError) => void,
): readonly [send: (event: string, payload: object) => void, stop: Undo] {
  const { flow } = channel
  /** The intervals that have not ended, by their events, and the message that each sends at its end. */
  const intervals = new Map<string, { readonly timer: unknown; last?: object }>()

  const send = (event: string, payload: object): void => {
    const { pushable } = channel
    if (channel.state !== "joined" || !isUsable() || !pushable.canPush()) return
    const isBehind = pushable.socket.conn!.bufferedAmount! > MAX_BUFFERED_BYTES
    if (isBehind || !flow.isFree(intervals, () => {})) return
    const push = pushable.push(event, payload)
    const { ref } = push
    // Otherwise each message without a reply would keep a timer and a callback, and a place among the messages in flight.
    push.cancelTimeout()
    pushable.off(pushable.replyEventName(ref))
    flow.received({ event: REPLY, ref })
    const refused: unknown = push.receivedResp?.response
    if (refused instanceof RollcallError) failed(refused)
    const end = (): void => {
      intervals.delete(event)
      if (interval.last) send(event, interval.last)
    }
    const interval: { readonly timer: unknown; last?: object } = { timer: timers.set(end, throttleMs) }
    intervals.set(event, interval)
  }

  return [
    (event, given) =>
      guard(failed as (error: unknown) => void, () => {
        const payload = toSendable(event, given)
        const interval = intervals.get(event)
        if (interval) interval.last = payload
        else send(event, payload)
      }),
    () => {
      for (const { timer } of intervals.values()) timers.clear(timer)
    },
  ]
}

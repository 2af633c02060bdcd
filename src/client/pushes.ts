/**
 * The pushes of a channel. It checks payloads, limits how many pushes wait, and gives each push exactly one outcome.
 */
import { RollcallError } from "../error.ts"
import { reasonText } from "./errors.ts"
import type { Push } from "./phoenix.ts"
import type { RoomChannel } from "./room-channel.ts"

/** How many pushes may wait for a join. */
const MAX_WAITING = 1000

/**
 * Called with the response of an ok reply, or with an error: `push_rejected`, `timeout`, `closed`, `bad_payload`,
 * `payload_too_large` or `too_many_pushes`.
 */
export type Settle = (error: RollcallError | undefined, response?: unknown) => void

/**
 * Returns the payload in a form that can be pushed. JSON stays as it is; a typed array becomes a buffer of only its own bytes.
 *
 * phoenix.js accepts any payload, and throws only when it sends one that is not JSON. If that payload waited for a join,
 * phoenix.js throws while it handles the reply to the join, and never completes the join.
 *
 * @throws RollcallError `bad_payload`
 */
export function toSendable(event: string, payload: object): object {
  if (payload instanceof ArrayBuffer) return payload
  if (ArrayBuffer.isView(payload)) {
    return payload.buffer.slice(payload.byteOffset, payload.byteOffset + payload.byteLength)
  }
  try {
    // It throws for half a surrogate pair.
    encodeURIComponent(event)
    JSON.stringify(payload)
    return payload
  } catch (cause) {
    const message = `${JSON.stringify(event)}: expected JSON or binary, got ${String(cause)}`
    throw new RollcallError("bad_payload", message, { cause })
  }
}

type Reply = { readonly status: string; readonly response: unknown }

/** phoenix.js calls this method with each reply, of any status, and with the status `timeout` if none comes in time. */
type AnsweredPush = Push & { matchReceive: (reply: Reply) => void }
/** The usual cause of a crash, for Rollcall's server and for Phoenix. */
const NO_HANDLER = "Has the server a handler for this event (on or allow; handle_in)?"

/** A push without an outcome. */
type Unsettled = {
  send(): void
  fail(code: string, what: string, reason?: unknown): void
}

/** The pushes of one channel that have no outcome yet: those that were sent, and those that wait for a join. */
export interface Pushes {
  /**
   * Pushes, and calls `settle` once. It is called at once for `bad_payload` and `too_many_pushes`, which are not sent. The
   * timeout begins when the push is sent.
   *
   * @param isFree whether it is known that one more message can be sent; it is then sent before those that wait
   */
  send(event: string, payload: object, timeout: number | undefined, settle: Settle, isFree?: boolean): void
  /** Sends what waits, in order, if the channel is joined: as much as may be in flight, and the rest later. */
  flush(): void
  /** To be called when the channel crashed. Sent pushes get no reply any more; waiting ones are sent after the rejoin. */
  crash(reason: unknown): void
  /** Settles all pushes without an outcome as `closed`. */
  close(reason: unknown): void
}

export function createPushes(channel: RoomChannel): Pushes {
  const { topic, flow } = channel
  const sent = new Set<Unsettled>()
  /** Those that wait for the join, or for the replies to others. */
  const waiting = new Set<Unsettled>()

  /** Not while the connection is closing, when phoenix.js would keep a push, and its timeout would begin. */
  const canPush = (): boolean => channel.state === "joined" && channel.pushable.canPush()

  const flush = (): void => {
    for (const each of waiting) {
      if (!canPush() || !flow.isFree(flush, flush)) return
      each.send()
    }
  }

  return {
    send(event, given, timeout, settle, isFree) {
      let payload: object
      try {
        payload = toSendable(event, given)
      } catch (error) {
        return settle(error as RollcallError)
      }
      let push: AnsweredPush | undefined
      const once: Settle = (error, response) => {
        // Otherwise its timer keeps a Node process alive after the room was closed.
        push?.cancelTimeout()
        if (sent.delete(unsettled) || waiting.delete(unsettled)) settle(error, response)
      }
      const fail: Unsettled["fail"] = (code, what, reason) =>
        once(new RollcallError(code, `${event} on ${topic}: ${what}`, { reason }))
      const answer = ({ status, response }: Reply): void => {
        if (status === "ok") once(undefined, response)
        else if (status === "timeout") fail(status, "expected a reply, got none in time")
        // It could not be sent.
        else if (response instanceof RollcallError) once(response)
        else {
          fail("push_rejected", `expected ok, got ${status}: ${reasonText(response)}`, response)
        }
      }
      const unsettled: Unsettled = {
        fail,
        send() {
          waiting.delete(unsettled)
          sent.add(unsettled)
          push = channel.pushable.push(event, payload, timeout) as AnsweredPush
          // Not `receive`, which has a callback for each status.
          push.matchReceive = answer
          // A transport may answer before `push` returns.
          if (push.receivedResp) answer(push.receivedResp)
        },
      }
      if (isFree && canPush()) return unsettled.send()
      const isFull = !canPush() && waiting.size >= MAX_WAITING
      waiting.add(unsettled)
      if (isFull) fail("too_many_pushes", `expected at most ${MAX_WAITING} to wait for a join`)
      else flush()
    },
    flush,
    crash(reason) {
      for (const each of sent)
        each.fail("push_rejected", `the channel crashed: ${reasonText({ reason })}. ${NO_HANDLER}`, reason)
    },
    close(reason) {
      for (const each of [...sent, ...waiting]) each.fail("closed", "the room is closed", reason)
    },
  }
}

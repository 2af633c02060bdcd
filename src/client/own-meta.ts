/**
 * Sends our own meta to the server. Pushes are throttled, one at a time, and carry the last value of each field. After
 * a rejoin all fields are sent again.
 */
import { RollcallError } from "../error.ts"
import type { Clock } from "../timers.ts"
import type { Outcome } from "./pushes.ts"

/** The part of a room that `OwnMeta` uses. */
export interface OwnMetaRoom {
  /** Returns whether the connection can send one more message. If not, calls `retry` when it can. */
  isFree(retry: () => void): boolean
  /** Pushes a message, and calls `settle` once. */
  send(message: Update, settle: (outcome: Outcome) => void): void
  /** Called when the server has accepted a patch. */
  accepted(response: unknown): void
  /** Called when the server has refused a patch or has not answered it. */
  failed(error: RollcallError): void
}

/** The payload of an update. */
type Update = { readonly meta: object }

/** Returns the update without these keys: the same one if it has none of them, `undefined` if no other is left. */
function without(update: Update | undefined, keys: object | undefined): Update | undefined {
  const rest = Object.entries(update?.meta ?? {}).filter(([key]) => !Object.hasOwn(keys ?? {}, key))
  if (rest.length === 0) return undefined
  return rest.length === Object.keys(update!.meta).length ? update : { meta: Object.fromEntries(rest) }
}

export class OwnMeta {
  readonly #room: OwnMetaRoom
  readonly #throttleMs: number
  readonly #timers: Clock
  /**
   * The last values of the fields that were sent and not refused: acknowledged, or without an answer in time. After a rejoin
   * they are sent again, because a new channel does not know them.
   */
  #kept: object | undefined
  #pending: object | undefined
  /**
   * What was in flight when the connection closed. It is sent again first, by itself and as the same object: if the connection
   * closed because of it, `Flow` does not send it a third time, and nothing else is lost.
   */
  #first: Update | undefined
  /** A new object for each push, also for one of an update that is sent again. */
  #inFlight: { readonly update: Update } | undefined
  #isJoined = false
  #earliestSendAt = Number.NEGATIVE_INFINITY
  #timer: unknown

  /** @param former that of the room whose channel this room takes over: its unsent values are sent by this one */
  constructor(room: OwnMetaRoom, throttleMs: number, timers: Clock, former?: OwnMeta) {
    this.#room = room
    this.#throttleMs = throttleMs
    this.#timers = timers
    if (!former) return
    // What is in flight was sent in this same join. Its outcome is for the former room.
    this.#kept = { ...former.#kept, ...former.#inFlight?.update.meta }
    this.#pending = former.#pending
    this.#first = former.#first
    this.#isJoined = former.#isJoined
    this.#earliestSendAt = former.#earliestSendAt
  }

  /** Returns all our fields with those of a patch. After a rejoin they are sent in one message. */
  mergedWith(patch: object): object {
    return { ...this.#kept, ...this.#first?.meta, ...this.#inFlight?.update.meta, ...this.#pending, ...patch }
  }

  update(patch: object): void {
    this.#pending = { ...this.#pending, ...patch }
    this.#first = without(this.#first, patch)
    this.#flush()
  }

  /** The channel is joined, for the first time or again. */
  join(): void {
    if (!this.#isJoined) {
      this.#pending = without({ meta: { ...this.#kept, ...this.#pending } }, this.#first?.meta)?.meta
      this.#kept = undefined
      this.#isJoined = true
      this.#earliestSendAt = this.#timers.now()
    }
    this.#flush()
  }

  /**
   * The channel broke. The server may or may not have received the update in flight, so it is sent again, unless the channel
   * crashed: then the update may have caused the crash, and the outcome of its push follows.
   */
  interrupt(isCrash: boolean): void {
    this.#isJoined = false
    if (isCrash || !this.#inFlight) return
    this.#first = without(this.#inFlight.update, this.#pending)
    this.#inFlight = undefined
  }

  stop(): void {
    this.#isJoined = false
    this.#inFlight = this.#first = this.#pending = undefined
    this.#timers.clear(this.#timer)
  }

  readonly #flush = (): void => {
    const update = this.#first ?? (this.#pending && { meta: this.#pending })
    if (!this.#isJoined || this.#inFlight || !update) return
    const wait = this.#earliestSendAt - this.#timers.now()
    this.#timers.clear(this.#timer)
    if (wait > 0) {
      this.#timer = this.#timers.set(this.#flush, wait)
      return
    }
    if (!this.#room.isFree(this.#flush)) return
    if (!this.#first) this.#pending = undefined
    this.#first = undefined
    const sent = (this.#inFlight = { update })
    this.#earliestSendAt = this.#timers.now() + this.#throttleMs
    this.#room.send(update, (outcome) => {
      // After a disconnect, the outcome of this push, such as its timeout, no longer matters.
      if (this.#inFlight === sent) this.#settle(update, outcome)
    })
  }

  #settle({ meta }: Update, outcome: Outcome): void {
    this.#inFlight = undefined
    if ("response" in outcome || outcome.error.code === "timeout") this.#kept = { ...this.#kept, ...meta }
    if ("response" in outcome) this.#room.accepted(outcome.response)
    else {
      const { code, message, reason } = outcome.error
      this.#room.failed(new RollcallError(code === "push_rejected" ? "update_rejected" : code, message, { reason }))
    }
    this.#flush()
  }
}

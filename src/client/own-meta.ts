/**
 * Sends our own meta to the server. Pushes are throttled, one at a time, and carry the last value of each field. After
 * a rejoin all fields are sent again.
 */
import { RollcallError } from "../error.ts"
import type { Timers } from "../timers.ts"
import type { Outcome } from "./pushes.ts"

/** The part of a room that `OwnMeta` uses. */
export interface OwnMetaRoom {
  /** Returns whether the connection can send one more message. If not, calls `retry` when it can. */
  isFree(retry: () => void): boolean
  /** Pushes a patch, and calls `settle` once. */
  send(patch: object, settle: (outcome: Outcome) => void): void
  /** Called when the server has accepted a patch. */
  accepted(response: unknown): void
  /** Called when the server has refused a patch or has not answered it. */
  failed(error: RollcallError): void
}

/** Returns a copy without these keys, or `undefined` if none is left. */
function without(patch: object | undefined, keys: object | undefined): object | undefined {
  const rest: Record<string, unknown> = { ...patch }
  for (const key in keys) delete rest[key]
  return Object.keys(rest).length > 0 ? rest : undefined
}

export class OwnMeta {
  readonly #room: OwnMetaRoom
  readonly #throttleMs: number
  readonly #timers: Timers
  /**
   * The last values of the fields that were sent and not refused: acknowledged, or without an answer in time. After a rejoin
   * they are sent again, because a new channel does not know them.
   */
  #kept: object | undefined
  #pending: object | undefined
  #inFlight: object | undefined
  /** What was in flight when the connection closed, perhaps because of it. It is sent again first, and by itself. */
  #suspect: object | undefined
  #hasClosedTwice = false
  #isJoined = false
  #earliestSendAt = Number.NEGATIVE_INFINITY
  #timer: unknown

  /** @param former that of the room whose channel this room takes over: its unsent values are sent by this one */
  constructor(room: OwnMetaRoom, throttleMs: number, timers: Timers, former?: OwnMeta) {
    this.#room = room
    this.#throttleMs = throttleMs
    this.#timers = timers
    if (!former) return
    // What is in flight was sent in this same join. Its outcome is for the former room.
    this.#kept = former.#inFlight ? { ...former.#kept, ...former.#inFlight } : former.#kept
    this.#pending = former.#pending
    this.#suspect = former.#suspect
    this.#isJoined = former.#isJoined
    this.#earliestSendAt = former.#earliestSendAt
  }

  /** Returns all our fields with those of a patch. After a rejoin they are sent in one message. */
  mergedWith(patch: object): object {
    return { ...this.#kept, ...this.#suspect, ...this.#inFlight, ...this.#pending, ...patch }
  }

  update(patch: object): void {
    this.#pending = { ...this.#pending, ...patch }
    if (this.#suspect !== this.#inFlight) this.#suspect = without(this.#suspect, patch)
    this.#flush()
  }

  /**
   * The channel is joined, for the first time or again.
   *
   * @param closeCode the code with which the connection closed last
   */
  join(closeCode: unknown): void {
    if (!this.#isJoined) {
      if (this.#hasClosedTwice) {
        const message = `the connection closed twice after it, with code ${String(closeCode)}`
        this.#room.failed(new RollcallError("update_rejected", message, { reason: closeCode }))
      }
      this.#hasClosedTwice = false
      this.#pending = without({ ...this.#kept, ...this.#pending }, this.#suspect)
      this.#kept = undefined
      this.#isJoined = true
      this.#earliestSendAt = this.#timers.now()
    }
    this.#flush()
  }

  /**
   * The channel broke. The server may or may not have received the update in flight, so it is sent again, unless the channel
   * crashed: then the update may have caused the crash, and the outcome of its push follows.
   *
   * @param isClose whether the other side closed the connection. An update that was in flight twice in a row, the second time
   * alone, is dropped.
   * @param isAlone whether no other message of the connection is in flight
   */
  interrupt(isCrash: boolean, isClose: boolean, isAlone: boolean): void {
    this.#isJoined = false
    const lost = this.#inFlight
    if (isCrash || !lost) return
    this.#inFlight = undefined
    this.#hasClosedTwice = isClose && isAlone && lost === this.#suspect
    this.#suspect = isClose && !this.#hasClosedTwice ? without(lost, this.#pending) : undefined
    if (!isClose) this.#pending = { ...lost, ...this.#pending }
  }

  stop(): void {
    this.#isJoined = false
    this.#inFlight = this.#suspect = this.#pending = undefined
    this.#timers.clear(this.#timer)
  }

  readonly #flush = (): void => {
    const patch = this.#suspect ?? this.#pending
    if (!this.#isJoined || this.#inFlight || !patch) return
    const wait = this.#earliestSendAt - this.#timers.now()
    this.#timers.clear(this.#timer)
    if (wait > 0) {
      this.#timer = this.#timers.set(this.#flush, wait)
      return
    }
    if (!this.#room.isFree(this.#flush)) return
    this.#inFlight = patch
    if (patch !== this.#suspect) this.#pending = undefined
    this.#earliestSendAt = this.#timers.now() + this.#throttleMs
    this.#room.send(patch, (outcome) => {
      // After a disconnect, the outcome of this push, such as its timeout, no longer matters.
      if (this.#inFlight === patch) this.#settle(patch, outcome)
    })
  }

  #settle(patch: object, outcome: Outcome): void {
    this.#inFlight = this.#suspect = undefined
    if ("response" in outcome || outcome.error.code === "timeout") this.#kept = { ...this.#kept, ...patch }
    if ("response" in outcome) this.#room.accepted(outcome.response)
    else {
      const { code, message, reason } = outcome.error
      this.#room.failed(new RollcallError(code === "push_rejected" ? "update_rejected" : code, message, { reason }))
    }
    this.#flush()
  }
}

/**
 * Sends our own meta to the server. Pushes are throttled, one at a time, and carry the last value of each field. After
 * a rejoin all fields are sent again.
 */
import { RollcallError } from "../error.ts"
import type { Timers } from "../timers.ts"
import { reasonText } from "./errors.ts"
import type { Outcome } from "./pushes.ts"

/** The part of a room that `OwnMeta` uses. */
export interface OwnMetaRoom {
  /** Pushes a patch, and calls `settle` once. */
  send(patch: object, settle: (outcome: Outcome) => void): void
  /** Called when the server has accepted a patch. */
  accepted(response: unknown): void
  /** Called when the server has refused a patch or has not answered it. */
  failed(error: RollcallError): void
}

export class OwnMeta {
  readonly #room: OwnMetaRoom
  readonly #throttleMs: number
  readonly #timers: Timers
  /**
   * The fields that the server has acknowledged. After a rejoin they are sent again, because a new channel does not
   * know them.
   */
  #acknowledged: object | undefined
  #pending: object | undefined
  #inFlight: object | undefined
  #isJoined = false
  #earliestSendAt = Number.NEGATIVE_INFINITY
  #timer: unknown

  constructor(room: OwnMetaRoom, throttleMs: number, timers: Timers) {
    this.#room = room
    this.#throttleMs = throttleMs
    this.#timers = timers
  }

  update(patch: object): void {
    this.#pending = { ...this.#pending, ...patch }
    this.#flush()
  }

  /** To be called when the channel has joined, for the first time or again. Sends what is pending. */
  join(): void {
    this.interrupt()
    if (this.#acknowledged) this.#pending = { ...this.#acknowledged, ...this.#pending }
    this.#acknowledged = undefined
    this.#isJoined = true
    this.#earliestSendAt = this.#timers.now()
    this.#flush()
  }

  /**
   * To be called when the connection broke. The server may not have received the update in flight, so that one is sent
   * again with the rest.
   */
  interrupt(): void {
    this.#isJoined = false
    if (this.#inFlight) this.#pending = { ...this.#inFlight, ...this.#pending }
    this.#inFlight = undefined
  }

  /**
   * To be called when the channel crashed. The update in flight is not sent again, because it may have caused the
   * crash.
   */
  crash(reason: unknown): void {
    this.#isJoined = false
    if (!this.#inFlight) return
    this.#inFlight = undefined
    this.#room.failed(
      new RollcallError("update_rejected", `the channel crashed: ${reasonText(reason)}`, {
        reason,
      }),
    )
  }

  stop(): void {
    this.#isJoined = false
    this.#inFlight = this.#pending = undefined
    this.#timers.clear(this.#timer)
  }

  #flush(): void {
    if (!this.#isJoined || this.#inFlight || !this.#pending) return
    const wait = this.#earliestSendAt - this.#timers.now()
    this.#timers.clear(this.#timer)
    if (wait > 0) {
      this.#timer = this.#timers.set(() => this.#flush(), wait)
      return
    }
    const patch = this.#pending
    this.#inFlight = patch
    this.#pending = undefined
    this.#earliestSendAt = this.#timers.now() + this.#throttleMs
    this.#room.send(patch, (outcome) => {
      // After a disconnect or a crash, the outcome of this push, such as its timeout, no longer matters.
      if (this.#inFlight === patch) this.#settle(patch, outcome)
    })
  }

  #settle(patch: object, outcome: Outcome): void {
    this.#inFlight = undefined
    if ("response" in outcome) {
      this.#acknowledged = { ...this.#acknowledged, ...patch }
      this.#room.accepted(outcome.response)
    } else {
      const { code, message, reason } = outcome.error
      this.#room.failed(new RollcallError(code === "push_rejected" ? "update_rejected" : code, message, { reason }))
    }
    this.#flush()
  }
}

/** Sends our own meta to the server: throttled, with the last value of each field, one push at a time, and again after a rejoin. */
import { RollcallError } from "../error.ts"
import type { Timers } from "../timers.ts"
import { reasonText } from "./errors.ts"
import type { Outcome } from "./pushes.ts"

/** The part of a room that its updates need. */
export interface OwnMetaRoom {
  /** Pushes a patch, and calls `settle` once. */
  send(patch: object, settle: (outcome: Outcome) => void): void
  /** The server accepted a patch, with this response. */
  accepted(response: unknown): void
  failed(error: RollcallError): void
}

export class OwnMeta {
  readonly #room: OwnMetaRoom
  readonly #throttleMs: number
  readonly #timers: Timers
  /** The fields that the server has acknowledged. After a rejoin they are sent again, because a new channel does not know them. */
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

  /** The channel is joined, for the first time or again. */
  join(): void {
    this.interrupt()
    if (this.#acknowledged) this.#pending = { ...this.#acknowledged, ...this.#pending }
    this.#acknowledged = undefined
    this.#isJoined = true
    this.#earliestSendAt = this.#timers.now()
    this.#flush()
  }

  /** The connection broke. The server may or may not have received the update in flight, so it is sent again with the rest. */
  interrupt(): void {
    this.#isJoined = false
    if (this.#inFlight) this.#pending = { ...this.#inFlight, ...this.#pending }
    this.#inFlight = undefined
  }

  /** The channel crashed. An update in flight may have caused the crash, and is not sent again. */
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

/** Sends our own meta to the server: throttled, with the last value of each field, one push at a time, and again after a rejoin. */
import { RollcallError } from "../error.ts"
import type { Timers } from "../timers.ts"
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
  /**
   * The last values of the fields that were sent and not refused: acknowledged, or without an answer in time. After a rejoin
   * they are sent again, because a new channel does not know them.
   */
  #kept: object | undefined
  #pending: object | undefined
  #inFlight: object | undefined
  #isJoined = false
  #earliestSendAt = Number.NEGATIVE_INFINITY
  #timer: unknown

  /** @param former of a room whose channel goes on as the one of this room: what it has not sent is sent here */
  constructor(room: OwnMetaRoom, throttleMs: number, timers: Timers, former?: OwnMeta) {
    this.#room = room
    this.#throttleMs = throttleMs
    this.#timers = timers
    if (!former) return
    // What is in flight was sent in this same join. Its outcome is for the former room.
    this.#kept = former.#inFlight ? { ...former.#kept, ...former.#inFlight } : former.#kept
    this.#pending = former.#pending
    this.#isJoined = former.#isJoined
    this.#earliestSendAt = former.#earliestSendAt
  }

  update(patch: object): void {
    this.#pending = { ...this.#pending, ...patch }
    this.#flush()
  }

  /** The channel is joined, for the first time or again. */
  join(): void {
    if (!this.#isJoined) {
      this.interrupt()
      if (this.#kept) this.#pending = { ...this.#kept, ...this.#pending }
      this.#kept = undefined
      this.#isJoined = true
      this.#earliestSendAt = this.#timers.now()
    }
    this.#flush()
  }

  /**
   * The channel broke. The server may or may not have received the update in flight, so it is sent again with the rest, unless
   * the channel crashed: then the update may have caused the crash, and the outcome of its push follows.
   */
  interrupt(isCrash?: boolean): void {
    this.#isJoined = false
    if (isCrash) return
    if (this.#inFlight) this.#pending = { ...this.#inFlight, ...this.#pending }
    this.#inFlight = undefined
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
      // After a disconnect, the outcome of this push, such as its timeout, no longer matters.
      if (this.#inFlight === patch) this.#settle(patch, outcome)
    })
  }

  #settle(patch: object, outcome: Outcome): void {
    this.#inFlight = undefined
    if ("response" in outcome || outcome.error.code === "timeout") this.#kept = { ...this.#kept, ...patch }
    if ("response" in outcome) this.#room.accepted(outcome.response)
    else {
      const { code, message, reason } = outcome.error
      this.#room.failed(new RollcallError(code === "push_rejected" ? "update_rejected" : code, message, { reason }))
    }
    this.#flush()
  }
}

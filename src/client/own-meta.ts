/** One's own meta on its way to the server: throttled, the last values kept, one push at a time, again after a rejoin. */
import { RollcallError } from "../error.ts"
import type { Timers } from "../timers.ts"
import type { Outcome } from "./pushes.ts"

/** What the updates need of their room. */
export interface OwnMetaRoom {
  /** Pushes a patch, and calls `settle` once. */
  send(patch: object, settle: (outcome: Outcome) => void): void
  /** The server took a patch; its response as it came. */
  accepted(response: unknown): void
  failed(error: RollcallError): void
}

export class OwnMeta {
  readonly #room: OwnMetaRoom
  readonly #throttleMs: number
  readonly #timers: Timers
  /** What the server has acknowledged: what a rejoined channel, which starts anew, is to be told again. */
  #acknowledged: object | undefined
  #waiting: object | undefined
  #sent: object | undefined
  #joined = false
  #notBefore = Number.NEGATIVE_INFINITY
  #timer: unknown

  constructor(room: OwnMetaRoom, throttleMs: number, timers: Timers) {
    this.#room = room
    this.#throttleMs = throttleMs
    this.#timers = timers
  }

  update(patch: object): void {
    this.#waiting = { ...this.#waiting, ...patch }
    this.#flush()
  }

  /** The channel is joined, for the first time or again. */
  joined(): void {
    this.interrupted()
    if (this.#acknowledged) this.#waiting = { ...this.#acknowledged, ...this.#waiting }
    this.#acknowledged = undefined
    this.#joined = true
    this.#notBefore = this.#timers.now()
    this.#flush()
  }

  /** The connection broke: what it carried may or may not have arrived, and goes out again with the rest. */
  interrupted(): void {
    this.#joined = false
    if (this.#sent) this.#waiting = { ...this.#sent, ...this.#waiting }
    this.#sent = undefined
  }

  /** The channel crashed. If an update was on its way, it may be what did it, and must not do it again. */
  crashed(reason: unknown): void {
    this.#joined = false
    if (!this.#sent) return
    this.#sent = undefined
    this.#room.failed(new RollcallError("update_rejected", "the channel crashed under an update", { reason }))
  }

  stop(): void {
    this.#joined = false
    this.#sent = this.#waiting = undefined
    this.#timers.clear(this.#timer)
  }

  #flush(): void {
    if (!this.#joined || this.#sent || !this.#waiting) return
    const wait = this.#notBefore - this.#timers.now()
    this.#timers.clear(this.#timer)
    if (wait > 0) {
      this.#timer = this.#timers.set(() => this.#flush(), wait)
      return
    }
    const patch = this.#waiting
    this.#sent = patch
    this.#waiting = undefined
    this.#notBefore = this.#timers.now() + this.#throttleMs
    this.#room.send(patch, (outcome) => {
      // Interrupted since: whatever comes now, its timeout too, is about a push that counts no more.
      if (this.#sent === patch) this.#settle(patch, outcome)
    })
  }

  #settle(patch: object, outcome: Outcome): void {
    this.#sent = undefined
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

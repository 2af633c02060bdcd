/** A user with this SDK. */
import { connect } from "rollcall"
import { WebSocket } from "ws"
import { TIMING } from "./timing.js"

export class RollcallUser {
  kind = "rollcall"
  isIn = false
  status = "here"
  #url
  /** @type {ReturnType<typeof connect> | undefined} */
  #connection
  /** @type {any} */
  #room
  #random

  constructor({ url, name, room, random }) {
    this.#url = url
    this.name = name
    this.room = room
    this.#random = random
  }

  get isJoined() {
    return this.#room?.status === "live"
  }

  get connection() {
    return `${this.#connection?.status ?? "none"}, room ${this.#room?.status ?? "none"}`
  }

  /** Key → the statuses of its metas. */
  view() {
    return this.#room?.list((key, { metas }) => [key, metas.map(({ status }) => status)]) ?? []
  }

  enter() {
    this.isIn = true
    this.status = "here"
    const retry = () => TIMING.reconnectMs * (0.1 + 0.9 * this.#random())
    this.#connection ??= connect(this.#url, {
      params: { user: this.name },
      transport: WebSocket,
      heartbeatIntervalMs: TIMING.heartbeatMs,
      reconnectAfterMs: retry,
      rejoinAfterMs: retry,
    })
    this.#room = this.#connection.room(this.room, {}, { key: this.name })
    this.#room.joined.catch(() => undefined)
    this.#room.onError(() => undefined)
    // A room that was left a moment ago is the same one, with its last status.
    this.#room.update({ status: this.status })
  }

  leave() {
    this.isIn = false
    this.#room?.leave()
    this.#room = undefined
    if (this.#random() < 0.5) return
    this.#connection?.disconnect()
    this.#connection = undefined
  }

  update(status) {
    this.status = status
    this.#room?.update({ status })
  }

  /** Breaks the connection without a close. */
  drop() {
    const { conn } = /** @type {any} */ (this.#connection?.socket ?? {})
    conn?.terminate?.()
  }

  end() {
    this.#connection?.disconnect()
  }
}

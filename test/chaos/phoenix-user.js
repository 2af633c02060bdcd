/** A user with phoenix.js, written as its documentation shows. */
import { Presence, Socket } from "phoenix"
import { WebSocket } from "ws"
import { TIMING } from "./timing.js"

export class PhoenixUser {
  kind = "phoenix.js"
  isIn = false
  status = "here"
  #url
  #socket
  #channel
  #presence
  #random

  constructor({ url, name, room, random }) {
    this.#url = url
    this.name = name
    this.room = room
    this.#random = random
  }

  get isJoined() {
    return this.#channel?.state === "joined"
  }

  get connection() {
    return `${this.#socket?.connectionState() ?? "none"}, channel ${this.#channel?.state ?? "none"}`
  }

  /** Key → the statuses of its metas. */
  view() {
    return this.#presence?.list((key, { metas }) => [key, metas.map(({ status }) => status)]) ?? []
  }

  // A new connection for each join: after a leave and a join on one connection, phoenix.js may show a user who has left.
  enter() {
    this.isIn = true
    this.status = "here"
    const retry = () => TIMING.reconnectMs * (0.1 + 0.9 * this.#random())
    this.#socket = new Socket(this.#url, {
      params: { user: this.name },
      transport: WebSocket,
      heartbeatIntervalMs: TIMING.heartbeatMs,
      reconnectAfterMs: retry,
      rejoinAfterMs: retry,
      // A join that times out is sent again at once, and phoenix.js may then show a user who has left.
      timeout: 120_000,
    })
    this.#socket.connect()
    this.#channel = this.#socket.channel(this.room, () => ({ status: this.status }))
    this.#presence = new Presence(this.#channel)
    this.#channel.join()
  }

  leave() {
    this.isIn = false
    this.#channel?.leave()
    this.#socket?.disconnect()
    this.#socket = undefined
    this.#channel = undefined
    this.#presence = undefined
  }

  update(status) {
    this.status = status
    // Until the channel is joined, phoenix.js keeps the push. A push that is lost with its connection is no loss: the next
    // join carries the status.
    this.#channel?.push("presence_update", { meta: { status } })
  }

  /** Breaks the connection without a close. */
  drop() {
    this.#socket?.conn?.terminate?.()
  }

  end() {
    this.#socket?.disconnect()
  }
}

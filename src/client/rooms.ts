/** The rooms of a connection: one for each topic, counted, and kept for a moment after the last holder has left. */
import { ConfigError } from "../error.ts"
import type { Clock } from "../timers.ts"
import type { Flow } from "./flow.ts"
import { JoinGate } from "./join-gate.ts"
import { same } from "./metas.ts"
import { checkNumbers } from "./option-checks.ts"
import type { Channel, Socket } from "./phoenix.ts"
import type { Reason } from "./reason.ts"
import { Room } from "./room.ts"
import { RoomChannel } from "./room-channel.ts"
import { isWellFormed } from "./surrogates.ts"
import type { RoomOptions } from "./room-options.ts"

/**
 * For how long a topic stays joined after the last holder of its room has left, in milliseconds. Frameworks that run each
 * effect twice, and pages that change, leave a room and take it again at once: neither should reach the other users.
 */
const LINGER_MS = 50

/** Why rooms are stale while it is unknown whether the connection is alive. */
const OFFLINE: Reason = { code: "disconnected", detail: "offline" }

const notName = (what: string, got: unknown): ConfigError =>
  new ConfigError(`expected ${what} to be a name, got ${JSON.stringify(got)}`)

type Held = {
  readonly channel: RoomChannel
  room: Room<object>
  /** 0 while the topic lingers, and less when it is left. */
  holders: number
  /** The arguments with which the room was opened. */
  readonly given: readonly unknown[]
  timer?: unknown
}

export class Rooms {
  readonly #gate: JoinGate
  readonly #timers: Clock
  readonly #held = new Map<string, Held>()

  constructor(socket: Socket, timers: Clock, flow: Flow) {
    this.#gate = new JoinGate(socket, timers, flow)
    this.#timers = timers
  }

  /**
   * Returns the open room of a topic, with one holder more. A room that lingers is taken again only with equal arguments;
   * with others it is left, and joined anew.
   *
   * @throws ConfigError for an invalid topic or option
   * @param create creates a channel that calls `sending` whenever it sends its join
   */
  take(
    topic: string,
    given: readonly unknown[],
    options: RoomOptions,
    create: (sending: () => void) => Channel,
  ): Room<object> {
    if (typeof topic !== "string" || topic === "") throw notName("topic", topic)
    const { key = "", updateEvent = "" } = options
    for (const [what, name] of Object.entries({ topic, key, updateEvent })) {
      if (!isWellFormed(name)) throw notName(what, name)
    }
    checkNumbers(options)
    let held = this.#held.get(topic)
    if (held?.holders === 0 && !same(given, held.given)) {
      held.room.leave()
      held = undefined
    }
    held ??= this.#open(new RoomChannel(this.#gate, topic, options.timeout, create), given, options)
    this.#timers.clear(held.timer)
    held.holders++
    return held.room
  }

  /** The connection has ended for a reason that phoenix.js does not know. @param event `closed` if it is not opened again */
  interrupt(detail: unknown, event: "broken" | "closed" = "broken"): void {
    for (const { channel } of this.#all) channel.interrupt(detail, event)
  }

  /** Leaves all rooms. */
  leave(): void {
    for (const held of this.#held.values()) {
      held.holders = 0
      held.room.leave()
    }
    this.#gate.reset()
  }

  /** The connection may be dead: live rooms become stale. Or it has proved to be alive: they become live again. */
  doubt(isDoubted: boolean): void {
    for (const { room, channel } of this.#all) {
      if (isDoubted ? room.status === "live" : room.reason === OFFLINE) channel.doubt(isDoubted ? OFFLINE : undefined)
    }
  }

  /** While there is a cause, no join is sent, and rooms learn nothing from phoenix.js about the loss of the connection. */
  hold(cause: unknown): void {
    this.#gate.held = cause
  }

  /** A copy, because listeners may open and leave rooms. */
  get #all(): Held[] {
    return Array.from(this.#held.values())
  }

  #open(channel: RoomChannel, given: readonly unknown[], options: RoomOptions): Held {
    const { topic } = channel
    const build = (former?: Room<object>): Room<object> => {
      const room = new Room<object>(channel, options, release, this.#timers, former)
      room.subscribe(() => {
        if (room.status !== "closed" || held.room !== room) return
        this.#timers.clear(held.timer)
        if (this.#held.get(topic) === held) this.#held.delete(topic)
      })
      return room
    }
    const release = (): number => {
      if (--held.holders === 0) {
        // The application's room is closed. The next room keeps its channel, in case the topic is taken again in time.
        channel.unbind()
        held.room = build(held.room)
        held.timer = this.#timers.set(() => held.room.leave(), LINGER_MS)
      }
      return held.holders
    }
    const held: Held = { channel, room: undefined!, holders: 0, given }
    held.room = build()
    this.#held.set(topic, held)
    return held
  }
}

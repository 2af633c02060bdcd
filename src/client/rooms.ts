/** The rooms of a connection: one for each topic, counted, and kept for a moment after the last holder has left. */
import type { Timers } from "../timers.ts"
import { JoinGate } from "./join-gate.ts"
import { same } from "./metas.ts"
import type { Socket } from "./phoenix.ts"
import { Room, type RoomOptions } from "./room.ts"
import { RoomChannel, type Opening } from "./room-channel.ts"

/**
 * For how long a topic stays joined after the last holder of its room has left, in milliseconds. Frameworks that run each
 * effect twice, and pages that change, leave a room and take it again at once: neither should reach the other users.
 */
const LINGER_MS = 50

type Held = {
  room: Room<object>
  channel: RoomChannel
  /** 0 while the topic lingers, and less when it is left. */
  holders: number
  /** The arguments with which the room was opened. */
  readonly given: readonly unknown[]
  timer?: unknown
}

export class Rooms {
  readonly #gate: JoinGate
  readonly #timers: Timers
  readonly #held = new Map<string, Held>()

  constructor(socket: Socket, timers: Timers) {
    this.#gate = new JoinGate(socket, timers)
    this.#timers = timers
  }

  /**
   * Returns the open room of a topic, with one holder more. A room that lingers is taken again only with equal arguments;
   * with others it is left, and joined anew.
   *
   * @param prepare called for a new room; returns what creates its channels
   */
  take(topic: string, given: readonly unknown[], options: RoomOptions, prepare: () => Opening["create"]): Room<object> {
    let held = this.#held.get(topic)
    if (held?.holders === 0 && !same(given, held.given)) {
      held.room.leave()
      held = undefined
    }
    held ??= this.#open({ topic, gate: this.#gate, timeout: options.timeout, create: prepare() }, given, options)
    this.#timers.clear(held.timer)
    held.holders++
    return held.room
  }

  /** Leaves all rooms. */
  leave(): void {
    for (const held of this.#held.values()) {
      held.holders = 0
      held.room.leave()
    }
    this.#gate.reset()
  }

  #open(opening: Opening, given: readonly unknown[], options: RoomOptions): Held {
    const build = (former?: Held): { room: Room<object>; channel: RoomChannel } => {
      const channel = new RoomChannel(opening, former?.channel)
      const room = new Room<object>(channel, options, release, this.#timers, former?.room)
      return { room, channel }
    }
    const watch = (): void => {
      held.room.subscribe(() => {
        if (held.room.status !== "closed") return
        this.#timers.clear(held.timer)
        if (this.#held.get(opening.topic) === held) this.#held.delete(opening.topic)
      })
    }
    const release = (): boolean => {
      held.holders--
      if (held.holders === 0) {
        // The room is closed for those who hold it. The next one has its channel, for whoever takes it in time.
        Object.assign(held, build(held))
        watch()
        held.timer = this.#timers.set(() => held.room.leave(), LINGER_MS)
      }
      return held.holders <= 0
    }
    const held: Held = { ...build(), holders: 0, given }
    this.#held.set(opening.topic, held)
    watch()
    return held
  }
}

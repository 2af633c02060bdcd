/** The rooms of a connection: one for each topic, counted, and kept for a moment after the last holder has left. */
import { ConfigError } from "../error.ts"
import type { Clock } from "../timers.ts"
import { PRESENCE_COUNT } from "../wire/introduction.ts"
import type { Flow } from "./flow.ts"
import { same } from "./metas.ts"
import { createRoom, type JoinedRoom } from "./joined-room.ts"
import { checkNumbers } from "./option-checks.ts"
import type { Params } from "./params.ts"
import type { Socket } from "./phoenix.ts"
import type { Room } from "./room.ts"
import { createRoomChannels, type RoomChannel } from "./room-channel.ts"
import { isWellFormed } from "./surrogates.ts"
import type { RoomOptions } from "./room-options.ts"

/**
 * For how long a topic stays joined after the last holder of its room has left, in milliseconds. Frameworks that run each
 * effect twice, and pages that change, leave a room and take it again at once: neither should reach the other users.
 */
const LINGER_MS = 50

type Held = {
  readonly channel: RoomChannel
  room: Room<object>
  /** The event of its states. */
  readonly state: string | undefined
  /** 0 while the topic lingers, and less when it is left. */
  holders: number
  /** The arguments with which the room was opened. */
  readonly given: readonly unknown[]
  timer?: unknown
}

export interface Rooms {
  /** How many topics are held, or linger. */
  readonly size: number
  /** Returns the rooms that are held. */
  list(): readonly Room<object>[]
  /**
   * Returns the open room of a topic, with one holder more. A room that lingers is taken again only with equal arguments;
   * with others it is left, and joined anew.
   *
   * @throws ConfigError for an invalid topic or option
   */
  take(topic: string, params: Params, options: RoomOptions): Room<object>
  /**
   * Passes on to all rooms what phoenix.js does not know about the connection.
   * @param event by default, the connection has ended; `closed` if it is not opened again
   */
  interrupt(detail: unknown, event?: "broken" | "closed" | "doubted"): void
  /** Leaves all rooms. */
  leave(): void
  /** While there is a cause, no join is sent, and rooms learn nothing from phoenix.js about the loss of the connection. */
  hold(cause: unknown): void
}

/** @param released called when there is one topic less */
export function createRooms(socket: Socket, timers: Clock, flow: Flow, released: () => void): Rooms {
  const channels = createRoomChannels(socket, timers, flow)
  const all = new Map<string, Held>()
  /** A copy, because listeners may open and leave rooms. */
  const copy = (): Held[] => [...all.values()]

  const open = (channel: RoomChannel, given: readonly unknown[], options: RoomOptions): Held => {
    const { topic } = channel
    let handOver: JoinedRoom<object>[1]
    const build = (former?: ReturnType<typeof handOver>): void => {
      const [room, next] = createRoom(channel, options, release, timers, former)
      handOver = next
      held.room = room
      let shown: unknown
      room.subscribe(() => {
        const reason = room.reason ?? room.status
        if (reason !== shown) flow.trace(topic, room.status, room.reason)
        shown = reason
        if (room.status !== "closed" || held.room !== room) return
        timers.clear(held.timer)
        if (all.get(topic) === held) all.delete(topic)
        released()
      })
    }
    const release = (): number => {
      if (--held.holders === 0) {
        // The application's room is closed. The next room keeps its channel, in case the topic is taken again in time.
        channel.unbind()
        build(handOver())
        held.timer = timers.set(() => held.room.leave(), LINGER_MS)
      }
      return held.holders
    }
    const held = { channel, given, state: options.events?.state, holders: 0 } as unknown as Held
    build()
    all.set(topic, held)
    return held
  }

  return {
    get size() {
      return all.size
    },
    list: () => copy().flatMap(({ holders, room }) => (holders > 0 ? [room] : [])),
    take(topic, params, options) {
      const given = [params, options]
      const { key = "", updateEvent = "" } = options
      for (const [what, name] of Object.entries({ topic, key, updateEvent })) {
        if (!topic || typeof topic !== "string" || !isWellFormed(name))
          throw new ConfigError(`expected ${what} to be a name, got ${JSON.stringify(name)}`)
      }
      checkNumbers(options)
      let held = all.get(topic)
      if (held?.holders === 0 && !same(given, held.given)) {
        held.room.leave()
        held = undefined
      }
      if (held && (held.state === PRESENCE_COUNT) !== (options.events?.state === PRESENCE_COUNT))
        throw new ConfigError(`expected ${topic} to be a room or a count, got both`)
      held ??= open(channels.create(topic, params, options.timeout), given, options)
      timers.clear(held.timer)
      held.holders++
      return held.room
    },
    interrupt(detail, event = "broken") {
      for (const { channel } of copy()) {
        channel.emit(event, detail)
        if (event === "closed") channel.leave()
      }
    },
    leave() {
      for (const held of copy()) {
        held.holders = 0
        held.room.leave()
      }
      channels.reset()
    },
    hold: channels.hold,
  }
}

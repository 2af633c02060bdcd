import { connect } from "rollcall"
import type { Connection, Room } from "rollcall"
import type { Timers } from "rollcall/tracker"

/** A change that a client received, and when, in ms of virtual time. */
export interface ReceivedChange {
  readonly at: number
  readonly kind: "joined" | "left" | "changed"
  readonly key: string
}

/** What a person says of itself. */
export type Meta = { readonly away?: boolean }

export type Transport = new (url: string | URL) => object

export interface PersonOptions {
  /** Under which the person is listed; `undefined`: the page only watches the room. */
  readonly name: string | undefined
  readonly transport: Transport
  readonly timers: Timers
  readonly random: () => number
  readonly now: () => number
  /** Whether the node is down: then the page waits for `resume`. */
  readonly isPaused: boolean
}

/** One page of a real client: a connection to one node, and its room. */
export interface Person {
  readonly name: string | undefined
  readonly isAway: boolean
  readonly isLive: boolean
  /** The changes that the page received, oldest first. */
  readonly received: readonly ReceivedChange[]
  /** Whom the page shows. */
  readonly shows: readonly string[]
  change(isAway: boolean): Promise<void>
  pause(): void
  resume(): void
  leave(): void
}

/** The room in which all people are. */
export const TOPIC = "rooms:lobby"
/** The page sends no heartbeats: its connection in memory cannot die unnoticed. */
const NEVER_MS = 1_000_000_000
/** A page that is open for long remembers the latest. */
const MAX_RECEIVED = 60

export function createPerson({ name, transport, timers, random, now, isPaused }: PersonOptions): Person {
  const connection: Connection = connect("ws://memory/socket", {
    transport,
    timers,
    random,
    signals: () => () => {},
    heartbeatIntervalMs: NEVER_MS,
    params: name === undefined ? {} : { name },
  })
  if (isPaused) connection.pause()
  const room: Room<Meta> = connection.room<Meta>(TOPIC, { me: { away: false } }, { updateThrottleMs: 0 })
  let received: ReceivedChange[] = []
  let isAway = false
  room.onChange((changes) => {
    const kinds = { join: "joined", leave: "left", remove: "left", update: "changed" } as const
    received = [...received, ...changes.map(({ type, key }) => ({ at: now(), kind: kinds[type], key }))].slice(
      -MAX_RECEIVED,
    )
  })
  return {
    name,
    get isAway() {
      return isAway
    },
    get isLive() {
      return room.status === "live"
    },
    get received() {
      return received
    },
    get shows() {
      return room.list((key) => key)
    },
    async change(next) {
      isAway = next
      await room.update({ away: next })
    },
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    leave: () => connection.disconnect(),
  }
}

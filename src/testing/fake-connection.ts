import { connect } from "../client/connect.ts"
import type { ConnectOptions } from "../client/connect-options.ts"
import type { Connection } from "../client/connection.ts"
import type { RoomOptions } from "../client/room-options.ts"
import type { Room } from "../client/room.ts"
import type { Signal, Signals } from "../client/signals.ts"
import type { Status } from "../client/store.ts"
import { ConfigError } from "../error.ts"
import { ABNORMAL, REFUSED } from "../wire/close-codes.ts"
import { HEARTBEAT_TOPIC } from "../wire/events.ts"
import { SERVER_INFO } from "../wire/introduction.ts"
import { Payload } from "../wire/payload.ts"
import { v2 } from "../wire/v2.ts"
import { fakeTransport, type FakeLine } from "./fake-line.ts"
import { ScriptedTopic, type FakeTopic } from "./fake-topic.ts"

/** Options of `fakeConnection`. */
export interface FakeConnectionOptions {
  /** The key under which our own user is listed; `null`: it is not listed. Default `"me"`. */
  readonly key?: string | null | undefined
  /** Options of `connect`, except for `transport`. */
  readonly options?: Omit<ConnectOptions, "transport"> | undefined
  /** Whether the connection is cut at first: rooms are `joining` until `restore`. Default `false`. */
  readonly isCut?: boolean | undefined
}

/** A connection of the real client to a server in memory that does what a test says. */
export interface FakeConnection {
  /** The application's connection, as `connect` returns it. End it after the test by `connection.disconnect()`. */
  readonly connection: Connection
  /** Returns a topic, for which the application need not have asked yet. */
  topic<F extends object = Record<string, unknown>>(topic: string): FakeTopic<F>
  /** Breaks the connection. Rooms are `stale`, and every attempt to connect waits for `restore`. */
  cut(): void
  /** Connects again, at once: rooms join, and are `live`. */
  restore(): void
  /** The server refuses the connection for this reason, until `restore`. */
  refuse(reason?: string): void
  /** Sends a frame as it is, such as one that is no message: `"{"`. */
  receive(frame: string): void
  /** Lets everything happen that would happen in the next microtasks: the first connection, joins and replies. */
  settle(): void
}

/**
 * Returns a connection of the real client, without a server: a test says who comes, goes and changes, and reads what the application
 * has sent. Rooms behave as they do in production, because only the network is fake.
 *
 * ```ts
 * const fake = fakeConnection()
 * render(<RollcallProvider connection={fake.connection}><Avatars /></RollcallProvider>)
 * fake.topic<{ name: string }>("rooms:lobby").join("ada", { name: "Ada" })
 * ```
 *
 * What a test does reaches the application before the call returns. A function as `params` or `authToken` may return a promise; then
 * wait for `room.ready`. The clock is that of `options.timers`, by default the platform's, which a test framework can replace.
 */
export function fakeConnection({
  key = "me",
  options = {},
  isCut = false,
}: FakeConnectionOptions = {}): FakeConnection {
  const topics = new Map<string, ScriptedTopic>()
  const lines = new Set<FakeLine>()
  let refused: string | undefined
  let notify: ((signal: Signal) => void) | undefined

  /** Those of the test, and that the network is back. */
  const signals: Signals = (given) => {
    notify = given
    return options.signals?.(given) ?? (() => {})
  }

  const topicOf = (topic: string): ScriptedTopic => {
    const found = topics.get(topic) ?? new ScriptedTopic(topic, key, settle)
    topics.set(topic, found)
    return found
  }

  const open = (line: FakeLine): void => {
    if (isCut) return
    line.open()
    if (refused === undefined) return
    line.send(v2.push(null, HEARTBEAT_TOPIC, SERVER_INFO, Payload.of({ refused }))!)
    line.close(REFUSED)
  }

  const settle = (): void => {
    for (const line of lines) {
      open(line)
      line.flush()
    }
  }

  const transport = fakeTransport({
    connecting(line) {
      lines.add(line)
      queueMicrotask(() => open(line))
    },
    received(line, frame) {
      const { joinRef, ref, topic, event, payload } = v2.decode(frame)
      if (topic === HEARTBEAT_TOPIC) line.send(v2.reply(joinRef, ref, topic, "ok", Payload.of({}))!)
      else topicOf(String(topic)).received(line, { joinRef, ref, event: String(event), payload })
    },
    closed(line) {
      lines.delete(line)
      for (const topic of topics.values()) topic.closed(line)
    },
  })
  const connection = connect("ws://fake/socket", { ...options, signals, transport })

  const close = (code: number): void => {
    for (const line of lines) {
      if (line.status === "open") line.close(code)
      line.flush()
    }
  }

  return {
    connection,
    topic: <F extends object>(topic: string) => topicOf(topic) as unknown as FakeTopic<F>,
    settle,
    cut() {
      settle()
      isCut = true
      close(ABNORMAL)
    },
    restore() {
      isCut = false
      refused = undefined
      settle()
      notify?.("online")
      settle()
    },
    refuse(reason = "refused") {
      settle()
      refused = reason
      for (const line of lines) open(line)
      settle()
    },
    receive(frame) {
      settle()
      for (const line of lines) line.send(frame)
      settle()
    },
  }
}

/** Options of `fakeRoom`. */
export interface FakeRoomOptions<F extends object> extends Omit<FakeConnectionOptions, "isCut"> {
  /** What we say of ourselves with the join. */
  readonly me?: F | undefined
  /** Options of the room. */
  readonly room?: RoomOptions | undefined
  /** The users who are there at first: their metas by their keys. */
  readonly users?: Readonly<Record<string, F>> | undefined
  /** The status of the room at first: `joining`, or `live`, which is the default. */
  readonly status?: "joining" | "live" | undefined
}

/** A room of the real client, and what a test makes happen in it. */
export interface FakeRoom<F extends object = Record<string, unknown>> extends FakeTopic<F> {
  /** The application's room, as `connection.room` returns it. */
  readonly room: Room<F>
  readonly connection: Connection
  /** The connection's test double, for all rooms of the application. */
  readonly fake: FakeConnection
  /**
   * Gives the room this status, at once, by what gives it in production: `stale` breaks the connection, `live` restores it, `closed` is
   * the server's end of the channel.
   *
   * @throws ConfigError for `joining`, which a room is only at first: use the option
   */
  setStatus(status: Status): void
}

/**
 * Returns a room of the real client, without a server: a test says who comes, goes and changes, and reads what the application has
 * sent.
 *
 * ```ts
 * const fake = fakeRoom<{ name: string }>("rooms:lobby", { me: { name: "Me" }, users: { ada: { name: "Ada" } } })
 * fake.join("bob", { name: "Bob" })
 * fake.setStatus("stale")
 * expect(fake.room.size).toBe(3)
 * fake.connection.disconnect()
 * ```
 *
 * @throws ConfigError for an invalid topic or option
 */
export function fakeRoom<F extends object = Record<string, unknown>>(
  topic: string,
  { me, room: roomOptions, users = {}, status = "live", ...given }: FakeRoomOptions<F> = {},
): FakeRoom<F> {
  const fake = fakeConnection({ ...given, isCut: status === "joining" })
  const { connection } = fake
  const scripted = fake.topic<F>(topic)
  const { updateEvent, events } = roomOptions ?? {}
  const { names } = scripted as unknown as ScriptedTopic
  names.update = updateEvent ?? names.update
  names.state = events?.state ?? names.state
  names.diff = events?.diff ?? names.diff
  for (const [key, meta] of Object.entries<F>(users)) scripted.join(key, meta)
  const room = connection.room(topic as never, { me } as never, roomOptions) as unknown as Room<F>
  fake.settle()
  return Object.assign(scripted, {
    room,
    connection,
    fake,
    setStatus(next: Status) {
      if (next === "live") fake.restore()
      else if (next === "stale") fake.cut()
      else if (next === "closed") scripted.close()
      else throw new ConfigError("expected live, stale or closed, got joining: pass it as the option status")
    },
  })
}

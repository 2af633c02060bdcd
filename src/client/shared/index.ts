/**
 * One connection for all tabs of a person: the tabs of an origin choose one that connects, and the others use its connection.
 *
 * ```ts
 * import { shared } from "rollcall/shared"
 *
 * const connection = shared("/socket", { name: user.id, authToken }) // as of `connect`
 * connection.disconnectAll() // at sign-out: in all tabs
 * ```
 *
 * @packageDocumentation
 */
import { ConfigError, kindOf } from "../../error.ts"
import { systemClock } from "../../timers.ts"
import type { ConnectOptions } from "../connect-options.ts"
import { connect } from "../connect.ts"
import type { Connection } from "../connection.ts"
import { createErrors } from "../callback-errors.ts"
import { parseEndpoint } from "../endpoint.ts"
import { checkNumbers } from "../option-checks.ts"
import type { Message } from "../phoenix.ts"
import type { Signals } from "../signals.ts"
import { createGroup } from "./group.ts"
import { createHub } from "./hub.ts"
import { createTransport } from "./line.ts"
import { VERSION } from "./messages.ts"
import type { MergeMetas } from "./topic.ts"

export type { MergeMetas } from "./topic.ts"

/** The longest delay of a timer, in milliseconds. */
const MAX_MS = 2 ** 31 - 1

/** Options of `shared`: those of `connect`, and a few more. */
export type SharedOptions = ConnectOptions & {
  /**
   * Who is signed in, such as the id of a user; never a token. Tabs with the same name and URL share a connection, whatever their
   * `params` and `authToken`.
   */
  name: string
  /**
   * Returns our own meta in a room from those that our tabs have given. It gets at least one; that of the last active tab is the last.
   * Default: that one.
   */
  mergeMetas?: MergeMetas | undefined
  /** After how long a visible tab takes over from a hidden one, in milliseconds. Default 10 000. */
  handOverMs?: number | undefined
  /**
   * The time between two pings of the tab that is connected, in milliseconds. After two without an answer another tab connects. Default
   * 5 000.
   */
  pingMs?: number | undefined
}

/** The connection of one tab, which may be that of another one. */
export interface SharedConnection extends Connection {
  /** Whether it is this tab that is connected with the server. It may change any time. */
  readonly isLeader: boolean
  /** Leaves all rooms and closes the connection, in all tabs with the same name and URL: for a sign-out. Final. */
  disconnectAll(): void
}

/**
 * Returns a connection as `connect` does, which the tabs of an origin share if they have the same URL and name. One of them is connected
 * with the server. When it is closed or crashes, another one connects, and the others keep their views meanwhile.
 *
 * A person's tabs are one client in a room: they have one meta. Where the browser has no Web Locks or no BroadcastChannel, as on pages
 * without HTTPS, and in workers, each tab connects by itself.
 *
 * @throws ConfigError as `connect`, and for a `name` that is no text
 */
export function shared(url: string, options: SharedOptions): SharedConnection {
  const { name, mergeMetas = (metas) => metas.at(-1)!, handOverMs = 10_000, pingMs = 5_000, ...rest } = options
  if (!name || typeof name !== "string")
    throw new ConfigError(`expected name to say who is signed in, got ${kindOf(name)}`)
  checkNumbers({ handOverMs, pingMs })
  const timers = rest.timers ?? systemClock
  // A page without an origin has no other tabs.
  if (!globalThis.document || !globalThis.BroadcastChannel || !globalThis.navigator?.locks || origin === "null") {
    const alone = connect(url, rest)
    return Object.assign(alone, { isLeader: true, disconnectAll: alone.disconnect })
  }
  let wake: Parameters<Signals>[0] | undefined
  // The same for "/socket" and "ws://host/socket".
  const { href } = new URL(parseEndpoint(url)[0], origin.replace(/^http/, "ws"))
  const group = `rollcall/${VERSION} ${href} ${name}`
  /**
   * For the end of all. It stays open in the back/forward cache, from which a message removes the page: it must not come back joined.
   * And in a tab that has disconnected, which may still end the others.
   */
  const ends = new BroadcastChannel(`end ${group}`)
  const errors = createErrors()
  const connection = connect(url, {
    ...rest,
    // The leader is given these.
    params: undefined,
    authToken: undefined,
    longPollFallbackMs: undefined,
    transport: createTransport((...given) => send(...given)),
    // A transport that is not open yet only waits.
    reconnectAfterMs: () => 10,
    signals: (notify) => {
      wake = notify
      return () => (wake = undefined)
    },
    encode: (message: Message, done) =>
      done(message.payload instanceof ArrayBuffer ? message : JSON.stringify(message)),
    decode: (message: Message, done) => done(message),
  })
  // That with the server, while this tab leads. After the tab's own, which sends what is to be sent when the page is left.
  const led = connect(url, { ...rest, idleMs: MAX_MS })
  // A topic cannot be counted and shown on one connection.
  const alone = connect(url, rest)
  const [send, isLeader, leave] = createGroup(
    group,
    timers,
    pingMs,
    handOverMs,
    (...sent) => createHub(led, timers, mergeMetas, errors.failed, ...sent),
    () => connection.socket.channels.map(({ topic }) => topic),
    () => wake?.("awake"),
  )
  for (const each of [connection, led, alone]) each.onError(errors.log)
  connection.onStatus((status) => {
    if (status === "paused") alone.pause()
    else alone.resume()
    // A tab that has given up must not lead others, which may have a new token.
    if (status === "closed" || (status === "refused" && rest.onRefused === "stop")) {
      alone.disconnect()
      leave()
    }
  })
  const end = (): void => {
    // In order, with leaves: the person is gone at once.
    led.disconnect()
    connection.disconnect()
  }
  ends.addEventListener("message", end)
  // With its getters.
  return {
    __proto__: connection,
    get isLeader() {
      return isLeader()
    },
    onError: errors.add,
    count: alone.count,
    disconnectAll() {
      ends.postMessage(0)
      end()
    },
  } as unknown as SharedConnection
}

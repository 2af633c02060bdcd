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
import { createErrors } from "../callback-errors.ts"
import type { ConnectOptions } from "../connect-options.ts"
import { connect } from "../connect.ts"
import type { Connection } from "../connection.ts"
import { checkNumbers } from "../option-checks.ts"
import type { Message } from "../phoenix.ts"
import { pageSignals, type Signals } from "../signals.ts"
import { createGroup } from "./group.ts"
import { createHub } from "./hub.ts"
import { fromFrame, toFrame, type Frame } from "./messages.ts"
import type { MergeMetas } from "./topic.ts"

export type { MergeMetas } from "./topic.ts"

/** The longest delay of a timer, in milliseconds. */
const MAX_MS = 2 ** 31 - 1

/** Options of `shared`: those of `connect`, and a few more. */
export type SharedOptions = ConnectOptions & {
  /**
   * Who is signed in, such as the id of a user. Tabs with the same name and URL share a connection. It is sent nowhere. Needed if
   * `params` or `authToken` is a function; otherwise the default is what they are.
   */
  name?: string | undefined
  /**
   * Returns our own meta in a room from those that our tabs have given. It gets at least one; that of the last active tab is the last.
   * Default: that one.
   */
  mergeMetas?: MergeMetas | undefined
  /** After how long a visible tab takes over from a hidden one, in milliseconds. Default 10 000. */
  handOverMs?: number | undefined
  /**
   * The time between two pings that the connected tab gets, in milliseconds. It is replaced after two without an answer. Default
   * 5 000.
   */
  pingMs?: number | undefined
}

/** The connection of one tab, which may be that of another one. */
export interface SharedConnection extends Connection {
  /** Whether it is this tab that is connected with the server. It may change any time. */
  readonly isLeader: boolean
  /** Leaves all rooms and closes the connection, in all tabs of the group: for a sign-out. Final. */
  disconnectAll(): void
}

type Notify = Parameters<Signals>[0]

/** Returns signals that `use` can give. It gets `undefined` when nobody listens any more. */
const listening =
  (use: (notify: Notify | undefined) => void): Signals =>
  (notify) => {
    use(notify)
    return () => use(undefined)
  }

/** Returns the name of a group. It shows nothing of what it is made of. */
async function nameOf(...parts: unknown[]): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(parts)))
  return `rollcall:${btoa(String.fromCharCode(...new Uint8Array(bytes)))}`
}

/**
 * Returns a connection as `connect` does, which the tabs of an origin share if they have the same URL and name. One of them is connected
 * with the server. When it is closed or crashes, another one connects, and the others keep their views meanwhile.
 *
 * A person's tabs are one client in a room: they have one meta. Where the browser has no Web Locks or no BroadcastChannel, as on pages
 * without HTTPS, and in workers, each tab connects by itself.
 *
 * @throws ConfigError as `connect`, and without a `name` if `params` or `authToken` is a function
 */
export function shared(url: string, options: SharedOptions = {}): SharedConnection {
  const { name, mergeMetas = (metas) => metas.at(-1)!, handOverMs = 10_000, pingMs = 5_000, ...rest } = options
  const { params, authToken, signals = pageSignals, timers = systemClock } = rest
  if (name === undefined ? [params, authToken].some((given) => typeof given === "function") : typeof name !== "string")
    throw new ConfigError(`expected name to be a string, because params or authToken is a function; got ${kindOf(name)}`)
  checkNumbers({ handOverMs, pingMs })
  const canShare =
    typeof document !== "undefined" && typeof BroadcastChannel !== "undefined" && !!globalThis.navigator?.locks
  const errors = createErrors()
  let wake: Notify | undefined
  let signal: Notify | undefined

  const createUpstream = (): Connection => {
    const upstream = connect(url, { ...rest, idleMs: MAX_MS, signals: listening((notify) => (signal = notify)) })
    upstream.onError(errors.log)
    return upstream
  }

  const group = canShare
    ? createGroup(nameOf(new URL(url, location.href).href, name ?? [params, authToken]), {
        timers,
        pingMs,
        handOverMs,
        signals,
        createHub: (send) => createHub(createUpstream(), timers, mergeMetas, send),
        wake: () => wake?.("awake"),
        signal: (event) => signal?.(event),
        ended: () => connection.disconnect(),
      })
    : undefined

  const own: ConnectOptions = {
    // The leader is given these.
    params: undefined,
    authToken: undefined,
    longPollFallbackMs: undefined,
    transport: group?.transport,
    // A transport that is not open yet only waits.
    reconnectAfterMs: () => 10,
    signals: listening((notify) => (wake = notify)),
    encode({ join_ref, ref, topic, event, payload }: Message, done) {
      done(toFrame(join_ref, ref, topic, event, payload))
    },
    decode(frame: Frame, done) {
      const [join_ref, ref, topic, event, payload] = fromFrame(frame)
      done({ join_ref, ref, topic, event, payload })
    },
  }
  const connection = connect(url, group ? { ...rest, ...own } : rest)
  const { disconnect, onError } = connection
  const added = {
    onError(listener: Parameters<typeof onError>[0]) {
      const undos = [onError(listener), errors.add(listener)]
      return () => {
        for (const undo of undos) undo()
      }
    },
    disconnect() {
      disconnect()
      group?.leave()
    },
    disconnectAll() {
      group?.end()
      connection.disconnect()
    },
  }
  // With its getters.
  return Object.defineProperty(Object.assign(connection, added), "isLeader", {
    get: () => !group || group.isLeader,
  }) as unknown as SharedConnection
}

/** What the components of a page share below a provider, in each UI framework: a connection and its rooms. */
import type { Undo } from "../listeners.ts"
import { connect } from "./connect.ts"
import type { ConnectOptions } from "./connect-options.ts"
import type { Connection } from "./connection.ts"
import { createHeldRooms, type HeldRoom, type HeldRoomOptions } from "./held-room.ts"

/** Either a connection of your own, or what `connect` needs to make one. */
export type RollcallProviderProps =
  | {
      /** A connection of your own. The provider never closes it. */
      readonly connection: Connection
      readonly url?: undefined
      readonly options?: undefined
    }
  | {
      readonly connection?: undefined
      /** The URL of the socket, as for `connect`. Another URL makes another connection. */
      readonly url: string
      /** The options of `connect`. Those that came with the URL count. */
      readonly options?: ConnectOptions | undefined
    }

export interface Provided {
  /** Returns the held room of a topic, with these options for its next join. */
  readonly room: (topic: string, options: HeldRoomOptions) => HeldRoom
  readonly connection: Connection
  /** Keeps the connection open until the returned function is called. One of the application is left as it is. */
  readonly open: () => Undo
}

/**
 * @param target a connection of the application, or the URL for a new one
 * @param options of a new connection
 * @throws ConfigError for a URL that is none, or is missing
 */
export function createProvided(target: Connection | string, options: ConnectOptions | undefined): Provided {
  // Without a type check, a URL may be missing: that of an environment variable, for instance.
  const own = target as Connection | undefined
  const connection = own?.room ? own : connect(target as string, options)
  let opened = 0
  return {
    room: createHeldRooms(connection),
    connection,
    open() {
      if (connection === target) return () => {}
      opened++
      connection.resume()
      // Not at once: React's StrictMode, Vue's KeepAlive and edits during development open it again in the same turn.
      return () => queueMicrotask(() => --opened || connection.pause())
    },
  }
}

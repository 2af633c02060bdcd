import { relay } from "../server/index.ts"
import type { AnyAssigns, EventHandler, Server, SocketHandlers } from "../server/index.ts"

/** The options of a server with open rooms. Every client may set any field, so a meta is smaller than by default. */
export const OPEN_ROOM_LIMITS = { maxMetaBytes: 2_048 }

/** Names that the server itself sends. If a client could send them, it could forge who is in a room. */
const RESERVED = /^(phx|presence)_/

/**
 * Serves rooms of any name to everybody whom `connect` accepts: each client is shown with what it says of itself, may change it,
 * and may send any event to the others.
 */
export function serveOpenRooms(server: Server): void {
  const update: EventHandler<AnyAssigns> = (payload, channel) => server.presence.handleUpdate(channel, payload)
  const relayed = relay()
  const handlerOf = (event: string | symbol): EventHandler<AnyAssigns> => {
    if (event === "presence_update") return update
    return RESERVED.test(String(event)) ? refuse : relayed
  }
  server.channel("*", {
    join: () => ({ ok: {} }),
    presence: ({ assigns }, me) => ({ key: assigns["userId"] as string, meta: me }),
    // Handlers are found by the name of their event, and these rooms take events of any name.
    on: new Proxy<Record<string, EventHandler<AnyAssigns>>>(
      {},
      {
        get: (_, event) => handlerOf(event),
        getOwnPropertyDescriptor: (_, event) => ({ configurable: true, enumerable: true, value: handlerOf(event) }),
      },
    ),
  })
}

const refuse: EventHandler<AnyAssigns> = (_payload, _channel, event) => ({
  error: {
    reason: "reserved_event",
    message: `expected an event that does not begin with phx_ or presence_, got ${event}`,
  },
})

/**
 * Returns the handler that accepts every client. Its user is the `userId` of the params, or a guest with a random name.
 * @param random returns a text that no other client has
 */
export const acceptEverybody =
  (random: () => string): NonNullable<SocketHandlers["connect"]> =>
  ({ params }) => {
    const { userId } = params
    const isKey = typeof userId === "string" && userId !== "" && userId.length <= MAX_KEY_LENGTH
    return { userId: isKey ? userId : `guest-${random()}` }
  }

/** The server's own limit for keys. */
const MAX_KEY_LENGTH = 256

/** Returns the handler that accepts clients with a token. Its user is the token's `sub`. */
export const acceptTokens =
  (
    verify: (token: string | undefined) => Promise<{ sub?: string; exp: number }>,
  ): NonNullable<SocketHandlers["connect"]> =>
  async ({ authToken, params }) => {
    const given = params["token"]
    const { sub, exp } = await verify(authToken ?? (typeof given === "string" ? given : undefined))
    if (sub === undefined || sub === "") return { error: "token without sub" }
    return { userId: sub, expiresAt: exp * 1_000 }
  }

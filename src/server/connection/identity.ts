import type { Dialect } from "../channel/dialect.ts"
import type { Serializer } from "../../wire/message.ts"

/** The result of an accepted handshake: how a client is served, and what `connect` and `id` returned for it. */
export interface Identity {
  readonly serializer: Serializer
  /** What `connect` returned. Each channel gets a copy. */
  readonly assigns: object
  /** The name by which `server.disconnect(id)` closes the connection, if it has one. */
  readonly id: string | undefined
  /** The dialect in which the client is served; `undefined` for Phoenix's protocol. */
  readonly dialect: Dialect | undefined
  /** The time at which the connection ends, in ms since 1970, if it has one. */
  readonly expiresAt: number | undefined
  /** Whether the client introduced itself (`wire/introduction.ts`). */
  readonly isIntroduced: boolean
}

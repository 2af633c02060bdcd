import { RollcallError, kindOf } from "../../error.ts"
import { isIntroduced } from "../../wire/introduction.ts"
import { quote } from "../../quote.ts"
import type { Serializer } from "../../wire/message.ts"
import { serializerFor } from "../../wire/serializers.ts"
import { andThen } from "../awaitable.ts"
import type { Awaitable } from "../awaitable.ts"
import type { AnyAssigns } from "../channel/handlers.ts"
import { hostAllowed } from "./hosts.ts"
import type { Hosts } from "./hosts.ts"
import { originAllowed } from "./origins.ts"
import type { Origins } from "./origins.ts"
import type { Identity } from "../connection/identity.ts"
import type { Dialect, DialectName } from "../channel/dialect.ts"
import { expiryOf } from "./expiry.ts"
import { ORIGIN, VERSION } from "./refusal-reason.ts"
import type { Handshake } from "../transport.ts"
import { singleHeader } from "../header.ts"

/** The handlers and options of a path that clients connect to. */
export interface SocketHandlers<Assigns extends object = AnyAssigns> {
  /**
   * Decides whether a client may connect. To accept it, return its assigns; each of its channels gets a copy of them.
   * To refuse it, return `{ error }` or `false`, or throw: the client gets HTTP 403. Without `connect`, all clients are
   * accepted, with empty assigns.
   *
   * Rollcall's client gets the reason: the text in `{ error: "signed out" }` or `{ error: { reason: "signed out" } }`, or the code
   * of a RollcallError that was thrown, such as `token_expired`. It does not get the message of an error.
   *
   * With `expiresAt` among the assigns, the connection is closed at that time with 1001, or its long-poll session ends. Clients
   * connect again, and call their `params` and `authToken` for a new token, if these are functions.
   */
  connect?(handshake: Handshake): Awaitable<(Assigns & Expiry) | { readonly error: unknown } | false>
  /**
   * Returns the connection's disconnect id, for `server.disconnect(id)`. Without one, the connection cannot be closed
   * by id.
   */
  id?(socket: { readonly assigns: Assigns }): string | null | undefined
  /** The transports that clients may use. Default: all. */
  readonly transports?: readonly TransportName[]
  /** The web pages that may connect. Default `true`: pages of the host that the client connects to. */
  readonly origins?: Origins
  /**
   * The dialect of the clients. Default: Phoenix's protocol and nothing else.
   *
   * `"supabase"` serves `@supabase/realtime-js` at a path such as `/realtime/v1`: its broadcasts, including its binary frames, its
   * presence (`track`, `untrack`), and the config of its joins. The application's `join` gets `config` and `access_token` in its
   * params; it has to check the token of a private channel. A handler `access_token` in `on` gets renewed tokens.
   */
  readonly dialect?: DialectName
  /**
   * The hosts that a request may name, such as `["app.example", "localhost:4000"]`, checked on every request. By default
   * any; set it in production, because otherwise other sites can let their names point to your server (DNS rebinding).
   */
  readonly hosts?: Hosts
}

/** When a connection ends: the time at which its token expires, in ms since 1970 or as a Date. By default it does not end. */
export interface Expiry {
  readonly expiresAt?: number | Date | null | undefined
}

/** A transport's name, which is also the last part of its URLs. */
export type TransportName = "websocket" | "longpoll"

/** The parts of a request of which its host and its page are known. */
export type RequestSource = Pick<Handshake, "headers" | "url">

/** Returns why a request may not be made: it names another host, or comes from another site. Otherwise `undefined`. */
export function sourceProblem({ hosts, origins }: SocketHandlers<object>, source: RequestSource): string | undefined {
  const { headers, url } = source
  if (!hostAllowed(hosts, url)) return `expected a request for an allowed host, got ${quote(url.host)}`
  const origin = singleHeader(headers["origin"])
  if (originAllowed(origins ?? true, origin, url)) return undefined
  const allowed = origins === undefined || origins === true ? `of ${quote(url.hostname)}, or one ` : ""
  return `expected a page ${allowed}that the option origins allows, got one of ${quote(origin ?? "")}`
}

/**
 * Checks the host, the origin and the version of a handshake, in the protocol's order (P1–P3). Returns the serializer of the version.
 * @throws RollcallError `refused`; `reason` is `origin` or `version`
 */
export function negotiate(
  handlers: SocketHandlers<object>,
  handshake: Handshake,
  serializers: readonly Serializer[],
): Serializer {
  const problem = sourceProblem(handlers, handshake)
  if (problem !== undefined) throw refused(problem, ORIGIN)
  // A client can nest any parameter, as in `vsn[]=2.0.0`.
  const vsn: unknown = handshake.params["vsn"]
  const isNamed = vsn === undefined || typeof vsn === "string"
  const serializer = isNamed ? serializerFor(vsn, serializers) : undefined
  if (serializer === undefined) {
    const known = serializers.map(({ vsn }) => vsn).join(" or ")
    throw refused(
      `expected vsn ${known}, or a later patch of it, got ${isNamed ? quote(vsn ?? "") : kindOf(vsn)}`,
      VERSION,
    )
  }
  return serializer
}

/**
 * Calls `connect` and `id` for a client whose origin and version are accepted.
 *
 * Returns the identity synchronously if `connect` is synchronous. Such a connection needs no promises, no timer, and no
 * listener for the client's disconnect.
 * @throws RollcallError `refused`, whose `reason` is the `error` that `connect` returned; what `connect` and `id` throw
 */
export function identify(
  handlers: SocketHandlers<object>,
  handshake: Handshake,
  serializer: Serializer,
  dialect: Dialect | undefined,
): Awaitable<Identity> {
  return andThen(handlers.connect ? handlers.connect(handshake) : {}, (assigns) => {
    const { id, expiresAt } = namedBy(handlers, assigns)
    return {
      serializer,
      dialect,
      isIntroduced: isIntroduced(handshake.params),
      assigns: assigns as object,
      id,
      expiresAt,
    }
  })
}

/** Returns the disconnect id and the end of a connection. @throws RollcallError `refused` if `connect` has refused it */
function namedBy(handlers: SocketHandlers<object>, assigns: object | false): Pick<Identity, "id" | "expiresAt"> {
  if (typeof assigns !== "object" || assigns === null || "error" in assigns) {
    const isRefusal = assigns === false || (typeof assigns === "object" && assigns !== null)
    throw refused(
      `expected connect to accept the client, got ${isRefusal ? "a refusal" : kindOf(assigns)}`,
      assigns === false ? undefined : (assigns as { error: unknown } | undefined)?.error,
    )
  }
  const expiresAt = expiryOf(assigns)
  const id = handlers.id?.({ assigns }) ?? undefined
  if (id !== undefined && typeof id !== "string") throw refused(`expected an id that is a string, got ${kindOf(id)}`)
  return { id, expiresAt }
}

const refused = (message: string, reason?: unknown): RollcallError => new RollcallError("refused", message, { reason })

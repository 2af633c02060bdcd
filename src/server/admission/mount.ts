import { RollcallError, kindOf } from "../../error.ts"
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
import type { Handshake } from "../transport.ts"
import { singleHeader } from "../header.ts"

/** The handlers and options of a path that clients connect to. */
export interface SocketHandlers<Assigns extends object = AnyAssigns> {
  /**
   * Decides whether a client may connect. To accept it, return its assigns; each of its channels gets a copy of them.
   * To refuse it, return `{ error }` or `false`, or throw: the client gets HTTP 403. Without `connect`, all clients are
   * accepted, with empty assigns.
   */
  connect?(handshake: Handshake): Awaitable<Assigns | { readonly error: unknown } | false>
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
   * The hosts that a request may name, such as `["app.example", "localhost:4000"]`, checked on every request. By default
   * any; set it in production, because it stops other sites that let their name point to your server (DNS rebinding).
   */
  readonly hosts?: Hosts
}

/** A transport's name, which is also the last part of its URLs. */
export type TransportName = "websocket" | "longpoll"

/** The parts of a request of which its host and its page are known. */
export type RequestSource = Pick<Handshake, "headers" | "url">

/** Returns why a request may not be made: it names another host, or comes from another site. Otherwise `undefined`. */
export function sourceProblem(
  { hosts, origins = true }: SocketHandlers<object>,
  source: RequestSource,
): string | undefined {
  const { headers, url } = source
  if (!hostAllowed(hosts, url)) return `expected a request for an allowed host, got ${quote(url.host)}`
  const origin = singleHeader(headers["origin"])
  if (originAllowed(origins, origin, url)) return undefined
  return `expected a page of an allowed origin, got ${quote(origin ?? "")}`
}

/**
 * Checks a handshake in the protocol's order: host and origin, version, then `connect` (P1–P3).
 *
 * Returns the identity synchronously if `connect` is synchronous. Such a connection needs no promises, no timer, and no
 * listener for the client's disconnect.
 * @throws RollcallError `refused`; `reason` is the `error` that `connect` returned
 */
export function identify(
  handlers: SocketHandlers<object>,
  handshake: Handshake,
  serializers: readonly Serializer[],
): Awaitable<Identity> {
  const { params } = handshake
  const problem = sourceProblem(handlers, handshake)
  if (problem !== undefined) throw refused(problem)
  const serializer = serializerFor(params["vsn"], serializers)
  if (serializer === undefined) {
    const known = serializers.map(({ vsn }) => vsn).join(" or ")
    throw refused(`expected vsn ${known}, or a later patch of it, got ${quote(params["vsn"] ?? "")}`)
  }
  return andThen(handlers.connect === undefined ? {} : handlers.connect(handshake), (assigns) => {
    return identityOf(handlers, serializer, assigns)
  })
}

function identityOf(handlers: SocketHandlers<object>, serializer: Serializer, assigns: object | false): Identity {
  if (typeof assigns !== "object" || assigns === null || "error" in assigns) {
    throw refused(
      "expected connect to accept the client, got a refusal",
      assigns === false ? undefined : (assigns as { error: unknown } | undefined)?.error,
    )
  }
  const id = handlers.id?.({ assigns }) ?? undefined
  if (id !== undefined && typeof id !== "string") throw refused(`expected an id that is a string, got ${kindOf(id)}`)
  return { serializer, assigns, id }
}

const refused = (message: string, reason?: unknown): RollcallError => new RollcallError("refused", message, { reason })

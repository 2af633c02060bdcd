import { RollcallError, kindOf } from "../../error.ts"
import type { Serializer } from "../../wire/message.ts"
import { serializerFor } from "../../wire/serializers.ts"
import { whenever } from "../awaitable.ts"
import type { Awaitable } from "../awaitable.ts"
import type { AnyAssigns } from "../channel/handlers.ts"
import { originAllowed } from "./origins.ts"
import type { Origins } from "./origins.ts"
import type { Identity } from "../connection/identity.ts"
import type { Handshake } from "../transport.ts"
import { singleHeader } from "../header.ts"

/** A path that clients connect to, and who may. */
export interface SocketHandlers<Assigns extends object = AnyAssigns> {
  /**
   * Lets a client in by returning its assigns, which each of its channels gets a copy of; refuses with `{ error }`,
   * `false`, or by throwing: the client gets HTTP 403. Left out, everyone is let in.
   */
  connect?(handshake: Handshake): Awaitable<Assigns | { readonly error: unknown } | false>
  /** Names the connection, so that `server.disconnect(id)` can end it: a string, or nothing. */
  id?(socket: { readonly assigns: Assigns }): string | null | undefined
  /** How clients may connect; default: every way there is. */
  readonly transports?: readonly TransportName[]
  /** Which pages may connect; default `true`, those of the host that is asked for. */
  readonly origins?: Origins
}

/** The transports by their names, as the last part of their addresses. */
export type TransportName = "websocket" | "longpoll"

/**
 * Decides on a handshake, in the protocol's order: origin, version, then `connect` (P1–P3). At once, where `connect`
 * does: who need not wait is spared the promises, the timer and the listener of one who does.
 * @throws RollcallError `refused`, with the reason
 */
export function identify(
  handlers: SocketHandlers<object>,
  handshake: Handshake,
  serializers: readonly Serializer[],
): Awaitable<Identity> {
  const { headers, params, url } = handshake
  if (!originAllowed(handlers.origins ?? true, singleHeader(headers["origin"]), url)) {
    throw refused(`expected a page of an allowed origin, got ${singleHeader(headers["origin"])}`)
  }
  const serializer = serializerFor(params["vsn"], serializers)
  if (serializer === undefined) {
    const known = serializers.map(({ vsn }) => vsn).join(" or ")
    throw refused(`expected vsn ${known}, or a later patch of it, got ${params["vsn"]}`)
  }
  return whenever(handlers.connect === undefined ? {} : handlers.connect(handshake), (assigns) => {
    return identityOf(handlers, serializer, assigns)
  })
}

function identityOf(handlers: SocketHandlers<object>, serializer: Serializer, assigns: object | false): Identity {
  if (typeof assigns !== "object" || assigns === null || "error" in assigns) {
    throw refused("connect said no", assigns === false ? undefined : (assigns as { error: unknown } | undefined)?.error)
  }
  const id = handlers.id?.({ assigns }) ?? undefined
  if (id !== undefined && typeof id !== "string") throw refused(`expected an id that is a string, got ${kindOf(id)}`)
  return { serializer, assigns, id }
}

const refused = (message: string, reason?: unknown): RollcallError => new RollcallError("refused", message, { reason })

import type { IncomingMessage } from "node:http"

/** The subprotocols that a client offers in its handshake, evaluated (P4). */
export interface SubprotocolOffer {
  /** True when the client offers no subprotocol, or one that the server speaks; false for a token that is not base64. */
  readonly isAcceptable: boolean
  /** The subprotocol to answer with. */
  readonly protocol: "phoenix" | undefined
  /** The decoded token, which clients send disguised as a subprotocol. */
  readonly authToken: string | undefined
}

const TOKEN_PREFIX = "base64url.bearer.phx."

/** Base64 of either alphabet, padded or not. The official client writes the standard alphabet despite the prefix. */
const BASE64 = /^[\w+/-]*={0,2}$/

/** Reads the subprotocols that a handshake offers. One token is not counted among them; if there are two, both are ignored. */
export function readSubprotocols({ headers }: IncomingMessage): SubprotocolOffer {
  const header = headers["sec-websocket-protocol"]
  const offered = header?.split(",").map((name) => name.trim()) ?? []
  const [encoded, ...more] = offered.filter((name) => name.startsWith(TOKEN_PREFIX))
  const hasToken = encoded !== undefined && more.length === 0
  const protocols = hasToken ? offered.filter((name) => name !== encoded) : offered
  const protocol = protocols.includes("phoenix") ? "phoenix" : undefined
  const token = hasToken ? encoded.slice(TOKEN_PREFIX.length) : ""
  return {
    isAcceptable: (protocols.length === 0 || protocol !== undefined) && isBase64(token),
    protocol,
    authToken: hasToken ? Buffer.from(token, "base64url").toString() : undefined,
  }
}

const isBase64 = (text: string): boolean => BASE64.test(text) && text.replace(/=+$/, "").length % 4 !== 1

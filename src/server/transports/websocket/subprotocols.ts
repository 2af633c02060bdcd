import type { IncomingMessage } from "node:http"

/** The evaluation of the subprotocols that a client offers in its handshake (P4). */
export interface SubprotocolOffer {
  /** True when the client offers no subprotocol, or one that the server speaks; false for a token that is not base64. */
  readonly isAcceptable: boolean
  /** The subprotocol to answer with. */
  readonly protocol: "phoenix" | undefined
  /** The decoded token, which clients send in the form of a subprotocol. */
  readonly authToken: string | undefined
}

const TOKEN_PREFIX = "base64url.bearer.phx."

/** Base64 in both alphabets, padded or not. The official client uses the standard alphabet, although the prefix says base64url. */
const BASE64 = /^[\w+/-]*={0,2}$/

const NO_OFFER: SubprotocolOffer = { isAcceptable: true, protocol: undefined, authToken: undefined }

/** Reads the subprotocols that a handshake offers. A single token is not one of them. Of two tokens, neither is read as a token. */
export function readSubprotocols({ headers }: IncomingMessage): SubprotocolOffer {
  const header = headers["sec-websocket-protocol"]
  if (header === undefined) return NO_OFFER
  const offered = header.split(",").map((name) => name.trim())
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

import type { IncomingMessage } from "node:http"

/** The subprotocols that a client offers, and what is among them (P4). */
export interface Offer {
  /** Whether there is nothing offered, or something that can be agreed on. */
  readonly isAcceptable: boolean
  /** What is agreed on. */
  readonly protocol: "phoenix" | undefined
  readonly authToken: string | undefined
}

const TOKEN_PREFIX = "base64url.bearer.phx."

/** Both alphabets of base64, for the official client writes the standard one; padded or not. */
const BASE64 = /^[\w+/-]*={0,2}$/

/** Reads the subprotocols of a handshake. A token is none of them; of two tokens, neither is taken. */
export function offerOf({ headers }: IncomingMessage): Offer {
  const header = headers["sec-websocket-protocol"]
  const offered = header?.split(",").map((name) => name.trim()) ?? []
  const [encoded, ...more] = offered.filter((name) => name.startsWith(TOKEN_PREFIX))
  const isToken = encoded !== undefined && more.length === 0
  const protocols = isToken ? offered.filter((name) => name !== encoded) : offered
  const protocol = protocols.includes("phoenix") ? "phoenix" : undefined
  const token = isToken ? encoded.slice(TOKEN_PREFIX.length) : ""
  return {
    isAcceptable: (protocols.length === 0 || protocol !== undefined) && isBase64(token),
    protocol,
    authToken: isToken ? Buffer.from(token, "base64url").toString() : undefined,
  }
}

/** The headers that make an upgrade, and the word that each has to list among others. */
const NEEDED = [
  { name: "connection", word: "upgrade", listing: /(?:^|,)\s*upgrade\s*(?:,|$)/i },
  { name: "upgrade", word: "websocket", listing: /(?:^|,)\s*websocket\s*(?:,|$)/i },
] as const

/** What keeps a request from being an upgrade, in the words of the protocol's servers (recorded case 12). */
export function upgradeProblem({ headers, httpVersion }: IncomingMessage): string | undefined {
  if (httpVersion !== "1.1") return `HTTP version HTTP/${httpVersion} unsupported`
  for (const { name, word, listing } of NEEDED) {
    const value = headers[name]
    if (!listing.test(value ?? "")) return `'${name}' header must contain '${word}', got ${listed(value)}`
  }
  if (headers["sec-websocket-key"] === undefined) return "'sec-websocket-key' header is absent"
  const version = headers["sec-websocket-version"]
  return version === "13" ? undefined : `'sec-websocket-version' header must equal '13', got ${listed(version)}`
}

/** What the protocol's servers say of every answer that says nothing else of itself. */
export const UNCACHED = { "cache-control": "max-age=0, private, must-revalidate" }

const isBase64 = (text: string): boolean => BASE64.test(text) && text.replace(/=+$/, "").length % 4 !== 1

const listed = (value: string | undefined): string => JSON.stringify(value === undefined ? [] : [value])

import type { IncomingMessage } from "node:http"

/** The headers that an upgrade request needs, each with the word that it must contain. It may contain other words, too. */
const REQUIRED = [
  { name: "connection", word: "upgrade", pattern: /(?:^|,)\s*upgrade\s*(?:,|$)/i },
  { name: "upgrade", word: "websocket", pattern: /(?:^|,)\s*websocket\s*(?:,|$)/i },
] as const

/** Returns why a request is not a WebSocket upgrade, in the words of Phoenix's servers (recorded case 12), or `undefined`. */
export function upgradeProblem({ headers, httpVersion }: IncomingMessage): string | undefined {
  if (httpVersion !== "1.1") return `HTTP version HTTP/${httpVersion} unsupported`
  for (const { name, word, pattern } of REQUIRED) {
    const value = headers[name]
    if (!pattern.test(value ?? "")) return `'${name}' header must contain '${word}', got ${inspect(value)}`
  }
  if (headers["sec-websocket-key"] === undefined) return "'sec-websocket-key' header is absent"
  const version = headers["sec-websocket-version"]
  return version === "13" ? undefined : `'sec-websocket-version' header must equal '13', got ${inspect(version)}`
}

/** Returns a header's values as a list, in the format of those servers. */
const inspect = (value: string | undefined): string => JSON.stringify(value === undefined ? [] : [value])

import { createHmac, timingSafeEqual } from "node:crypto"

/** Where a long-poll session lives: what its token says. */
export interface SessionName {
  readonly node: string
  readonly session: string
}

/** Makes and reads the tokens of long-poll sessions (P21). */
export interface SessionTokens {
  issue(session: string): string
  /** What a token says, or `undefined` when it is none of ours or too old. */
  read(token: string): SessionName | undefined
}

const MAX_AGE_MS = 14 * 24 * 60 * 60 * 1_000

/**
 * Tokens that a client cannot make up: `<node, session and time of issue>.<signature>`, both base64url.
 *
 * @param now milliseconds of the wall clock, which the nodes that share a secret agree on
 */
export function sessionTokens(secret: string, node: string, now: () => number = Date.now): SessionTokens {
  const sign = (text: string): Buffer => createHmac("sha256", secret).update(text).digest()
  return {
    issue(session) {
      const text = Buffer.from(JSON.stringify([node, session, now()])).toString("base64url")
      return `${text}.${sign(text).toString("base64url")}`
    },
    read(token) {
      const [text = "", signature = ""] = token.split(".", 2)
      const [given, right] = [Buffer.from(signature, "base64url"), sign(text)]
      if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined
      const [name, session, issued] = JSON.parse(Buffer.from(text, "base64url").toString()) as [string, string, number]
      return now() - issued <= MAX_AGE_MS ? { node: name, session } : undefined
    },
  }
}

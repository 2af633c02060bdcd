import { createHmac, timingSafeEqual } from "node:crypto"

/** The node and id of a long-poll session. Its token contains them. */
export interface SessionAddress {
  readonly node: string
  readonly session: string
}

/** Issues and reads the tokens of long-poll sessions (P21). */
export interface SessionTokens {
  issue(session: string): string
  /** Returns the address in a token, or `undefined` when its signature is wrong or it is older than 14 days. */
  read(token: string): SessionAddress | undefined
}

const MAX_AGE_MS = 14 * 24 * 60 * 60 * 1_000

/**
 * Returns tokens that a client cannot forge: `<node, session and time of issue>.<signature>`, both in base64url.
 *
 * @param secret the key of the signatures; nodes with the same secret accept each other's tokens
 * @param now returns the wall-clock time in ms, on which all nodes of one secret must agree
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
      const [actual, expected] = [Buffer.from(signature, "base64url"), sign(text)]
      if (actual.length !== expected.length || !timingSafeEqual(actual, expected)) return undefined
      const [node, session, issued] = JSON.parse(Buffer.from(text, "base64url").toString()) as [string, string, number]
      return now() - issued <= MAX_AGE_MS ? { node, session } : undefined
    },
  }
}

import { createHmac, timingSafeEqual } from "node:crypto"

/** The node and id of a long-poll session, and the path at which it was opened. Its token contains them. */
export interface SessionAddress {
  readonly node: string
  readonly session: string
  /** `undefined` for a token of an earlier release, which is valid at every path. */
  readonly path?: string | undefined
}

/** Issues and reads the tokens of long-poll sessions (P21). */
export interface SessionTokens {
  issue(session: string, path?: string): string
  /**
   * Returns the address in a token, or `undefined` when its signature is wrong, when it is older than 14 days, or when it
   * was issued more than 30 s in the future.
   */
  read(token: string): SessionAddress | undefined
}

const MAX_AGE_MS = 14 * 24 * 60 * 60 * 1_000
/** How far the clocks of two nodes may be apart. */
const CLOCK_SKEW_MS = 30_000

/**
 * Returns tokens that a client cannot forge: `<node, session, time of issue and path>.<signature>`, both in base64url.
 *
 * @param secret the key of the signatures; nodes with the same secret accept each other's tokens
 * @param now returns the wall-clock time in ms, on which all nodes of one secret must agree
 */
export function sessionTokens(secret: string, node: string, now: () => number = Date.now): SessionTokens {
  const sign = (text: string): Buffer => createHmac("sha256", secret).update(text).digest()
  return {
    issue(session, path) {
      const text = Buffer.from(JSON.stringify([node, session, now(), path])).toString("base64url")
      return `${text}.${sign(text).toString("base64url")}`
    },
    read(token) {
      const [text = "", signature = ""] = token.split(".", 2)
      const [actual, expected] = [Buffer.from(signature, "base64url"), sign(text)]
      if (actual.length !== expected.length || !timingSafeEqual(actual, expected)) return undefined
      const [node, session, issued, path] = JSON.parse(Buffer.from(text, "base64url").toString()) as TokenContent
      const ageMs = now() - issued
      if (ageMs > MAX_AGE_MS || ageMs < -CLOCK_SKEW_MS) return undefined
      return { node, session, path: path ?? undefined }
    },
  }
}

type TokenContent = [node: string, session: string, issued: number, path?: string | null]

import { ConfigError, RollcallError } from "../../error.ts"
import { loadOptionalPeer } from "../../optional-peer.ts"

/** The claims of a token. `iat` and `exp` are the times of issue and expiry, in seconds since 1970. */
export type Claims = Readonly<Record<string, unknown>> & {
  readonly sub?: string
  readonly iat: number
  readonly exp: number
}

/** The options of `tokens`. */
export interface TokensOptions {
  /** The secret of the signature, at least 32 bytes. It must be the same wherever tokens are signed and verified. */
  readonly secret: string | Uint8Array
  /**
   * The time for which a token is valid, in seconds. Default one day. A connection stays open when its token expires.
   */
  readonly maxAgeS?: number
  /** Returns the time of the wall clock, in ms since 1970. Default `Date.now`. */
  readonly now?: () => number
}

/** Signs tokens for pages, and verifies them when the pages' clients connect. */
export interface Tokens {
  /** Returns a signed token with these claims, `iat` and `exp`. */
  sign(claims: Readonly<Record<string, unknown>>): Promise<string>
  /**
   * Returns the claims of a token. Its errors refuse the client, unless `connect` catches them.
   * @throws RollcallError `token_missing`, `token_expired`, or `token_invalid` when the token was not signed with this
   * secret
   */
  verify(token: string | undefined): Promise<Claims>
}

const DAY_S = 86_400
/** With a shorter secret, HMAC with SHA-256 is weaker than its hash (RFC 7518, section 3.2). */
const MIN_SECRET_BYTES = 32

/**
 * Returns functions that sign and verify tokens with an expiry, for `connect`. The tokens are JSON Web Tokens with
 * HS256, made by the package `jose`.
 *
 * ```ts
 * const { sign, verify } = await tokens({ secret, maxAgeS: 3600 })
 * server.socket("/socket", {
 *   connect: async ({ authToken, params }) => ({ userId: (await verify(authToken ?? params.token)).sub }),
 * })
 * ```
 *
 * `connect` may verify any other kind of token as well.
 * @throws ConfigError for a secret that is too short, a `maxAgeS` that is not above 0, or when `jose` is not installed
 */
export async function tokens({ secret, maxAgeS = DAY_S, now = Date.now }: TokensOptions): Promise<Tokens> {
  const key = typeof secret === "string" ? new TextEncoder().encode(secret) : secret
  if (key.length < MIN_SECRET_BYTES) {
    throw new ConfigError(`expected a secret of at least ${MIN_SECRET_BYTES} bytes, got ${key.length}`)
  }
  if (!(maxAgeS > 0)) throw new ConfigError(`expected maxAgeS to be a number above 0, got ${maxAgeS}`)
  const { SignJWT, jwtVerify, errors } = await loadOptionalPeer("Tokens need", "jose", () => import("jose"))
  return {
    sign(claims) {
      const issuedAt = Math.floor(now() / 1_000)
      const token = new SignJWT({ ...claims }).setProtectedHeader({ alg: "HS256" })
      return token
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + maxAgeS)
        .sign(key)
    },
    async verify(token) {
      if (token === undefined || token === "") throw new RollcallError("token_missing", "expected a token, got none")
      try {
        const options = { algorithms: ["HS256"], requiredClaims: ["iat", "exp"], currentDate: new Date(now()) }
        const { payload } = await jwtVerify(token, key, options)
        return payload as Claims
      } catch (cause) {
        const isExpired = cause instanceof errors.JWTExpired
        const code = isExpired ? "token_expired" : "token_invalid"
        // Only the text of `cause` is kept: the error object contains the claims, which must not get into the log.
        throw new RollcallError(code, `expected a valid token that has not expired, got: ${String(cause)}`)
      }
    },
  }
}

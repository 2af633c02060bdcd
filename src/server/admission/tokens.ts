import { ConfigError, RollcallError, kindOf } from "../../error.ts"
import { checkKnownNames } from "../../known-names.ts"
import type { Names } from "../../known-names.ts"
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
  /**
   * How far the clock of the machine that signed a token may be ahead of this one's, in seconds. A token that was issued
   * later than that is invalid. Default 30.
   */
  readonly clockSkewS?: number
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
   * secret, or when its time of issue is in the future
   */
  verify(token: string | undefined): Promise<Claims>
}

const NAMES: Names<keyof TokensOptions> = { secret: true, maxAgeS: true, clockSkewS: true, now: true }

const DAY_S = 86_400
/** Machines that synchronize their clocks are within a second of each other. */
const CLOCK_SKEW_S = 30
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
 * @throws ConfigError for a secret that is too short or no secret at all, a time that is no number of seconds, or when
 * `jose` is not installed
 */
export async function tokens(options: TokensOptions): Promise<Tokens> {
  const { secret, maxAgeS = DAY_S, clockSkewS = CLOCK_SKEW_S, now = Date.now } = options ?? {}
  checkKnownNames("an option of tokens", options, NAMES)
  const key = keyOf(secret)
  if (!(isSeconds(maxAgeS) && maxAgeS > 0))
    throw new ConfigError(`expected maxAgeS to be a number above 0, got ${shown(maxAgeS)}`)
  if (!isSeconds(clockSkewS))
    throw new ConfigError(`expected clockSkewS to be a number of 0 or more, got ${shown(clockSkewS)}`)
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
        const aheadS = (payload as Claims).iat - now() / 1_000
        if (aheadS > clockSkewS) throw new errors.JWTInvalid(`it was issued ${Math.ceil(aheadS)} s in the future`)
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

const isSeconds = (value: unknown): value is number => typeof value === "number" && value >= 0 && value < Infinity

const shown = (value: unknown): string => (typeof value === "number" ? String(value) : kindOf(value))

/** Returns the bytes of a secret. @throws ConfigError for a value that is neither text nor bytes, or too short */
function keyOf(secret: unknown): Uint8Array {
  const key = typeof secret === "string" ? new TextEncoder().encode(secret) : secret
  if (!(key instanceof Uint8Array)) {
    throw new ConfigError(`expected a secret that is a string or bytes, got ${kindOf(secret)}: is its variable set?`)
  }
  if (key.length >= MIN_SECRET_BYTES) return key
  throw new ConfigError(`expected a secret of at least ${MIN_SECRET_BYTES} bytes, got ${key.length}`)
}

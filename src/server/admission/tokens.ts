import { ConfigError, RollcallError } from "../../error.ts"
import { loadOptionalPeer } from "../../optional-peer.ts"

/** What a token says: the claims that were signed, with their time of issue and expiry in seconds of the wall clock. */
export type Claims = Readonly<Record<string, unknown>> & {
  readonly sub?: string
  readonly iat: number
  readonly exp: number
}

/** How tokens are made. */
export interface TokensOptions {
  /** What they are signed with: at least 32 bytes, the same wherever they are signed or verified. */
  readonly secret: string | Uint8Array
  /** How long a token lets in, in seconds; by default a day. A connection that stands is not ended by it. */
  readonly maxAgeS?: number
  /** The wall clock, in milliseconds. */
  readonly now?: () => number
}

/** Signs what a page is given, and reads it again when its client connects. */
export interface Tokens {
  sign(claims: Readonly<Record<string, unknown>>): Promise<string>
  /**
   * @throws RollcallError `token_missing` for none, `token_expired`, or `token_invalid` for one that is not ours; thrown on
   * from `connect`, each refuses the client with 403
   */
  verify(token: string | undefined): Promise<Claims>
}

const DAY_S = 86_400
/** Of a shorter one, HMAC with SHA-256 is weaker than its hash (RFC 7518, section 3.2). */
const MIN_SECRET_BYTES = 32

/**
 * Signed tokens with an expiry, for `connect`: JSON Web Tokens with HS256, by the package `jose`.
 *
 * ```ts
 * const { sign, verify } = await tokens({ secret, maxAgeS: 3600 })
 * server.socket("/socket", {
 *   connect: async ({ authToken, params }) => ({ userId: (await verify(authToken ?? params.token)).sub }),
 * })
 * ```
 *
 * `connect` takes any function of one's own in its place.
 * @throws ConfigError for a secret that is too short, an age that is not above 0, or when `jose` is not installed
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
        // In words only: the error itself carries the claims, and would take them to the log.
        throw new RollcallError(code, `expected a token that is ours and still good, got: ${String(cause)}`)
      }
    },
  }
}

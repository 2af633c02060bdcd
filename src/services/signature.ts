import { ConfigError, kindOf } from "../error.ts"

/** Signs messages, and checks the signatures of others, with a secret that all nodes share. */
export interface Signature {
  /** Returns the message behind its signature. */
  sign(from: string, to: string, message: Uint8Array): Uint8Array
  /** Returns the message without its signature; `undefined` if it was not signed for this receiver by this sender. */
  verified(from: string, to: string, signed: Uint8Array): Uint8Array | undefined
}

/** The length of an HMAC with SHA-256, in bytes. */
const SIZE = 32

/**
 * The minimum length of a secret, in bytes. Whoever can read the bus could find out a shorter one.
 */
const MIN_SECRET_BYTES = 32

/** @throws ConfigError if the secret is not a text of at least 32 bytes */
export function checkSecret(secret: unknown): void {
  const bytes = typeof secret === "string" ? new TextEncoder().encode(secret).length : 0
  if (bytes >= MIN_SECRET_BYTES) return
  const got = typeof secret === "string" ? `one of ${bytes}` : kindOf(secret)
  throw new ConfigError(`expected secret to be a text of at least ${MIN_SECRET_BYTES} bytes, got ${got}`)
}

/** Loads the signature for a secret, or none without a secret. */
export async function loadSignature(secret: string | undefined): Promise<Signature | undefined> {
  if (secret === undefined) return undefined
  const { createHmac, timingSafeEqual } = await import("node:crypto")
  // The sender and the receiver are signed, too. Otherwise a recorded call could be sent to another node.
  const signatureOf = (from: string, to: string, message: Uint8Array): Uint8Array =>
    createHmac("sha256", secret)
      .update(JSON.stringify([from, to]))
      .update(message)
      .digest()
  return {
    sign(from, to, message) {
      const signed = new Uint8Array(SIZE + message.length)
      signed.set(signatureOf(from, to, message))
      signed.set(message, SIZE)
      return signed
    },
    verified(from, to, signed) {
      if (signed.length < SIZE) return undefined
      const message = signed.subarray(SIZE)
      return timingSafeEqual(signed.subarray(0, SIZE), signatureOf(from, to, message)) ? message : undefined
    },
  }
}

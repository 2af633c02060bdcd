/** Makes the opaque `phx_ref`s of one tracker: 16 characters of base64url, never the same twice. */
export interface References {
  next(): string
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/**
 * Half of a reference is drawn once, so that two trackers never meet; the other half counts.
 *
 * @param random numbers in [0, 1), handed in so that a simulation repeats itself
 */
export function references(random: () => number): References {
  const prefix = randomText(random, 8)
  let count = 0
  return {
    next() {
      count += 1
      let rest = count
      let suffix = ""
      for (let place = 0; place < 8; place += 1) {
        suffix = (ALPHABET[rest % 64] as string) + suffix
        rest = Math.floor(rest / 64)
      }
      return prefix + suffix
    },
  }
}

/** Characters of base64url, six bits of chance each. */
export function randomText(random: () => number, length: number): string {
  return Array.from({ length }, () => ALPHABET[Math.floor(random() * 64)]).join("")
}

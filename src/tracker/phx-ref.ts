/** Generates the opaque `phx_ref`s of one tracker: 16 characters of base64url, never the same twice. */
export interface PhxRefGenerator {
  next(): string
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/**
 * Creates a generator. The first half of each `phx_ref` is random and drawn once, so that two trackers never generate
 * the same one; the second half is a counter.
 *
 * @param random returns numbers in [0, 1); a seeded function makes the refs reproducible
 */
export function phxRefGenerator(random: () => number): PhxRefGenerator {
  const prefix = randomText(random, 8)
  let count = 0
  /** All characters but the last one, kept because only the last one changes in 63 of 64 steps. */
  let stem = prefix + encodeCount(0, 7)
  return {
    next() {
      count += 1
      if (count % 64 === 0) stem = prefix + encodeCount(count / 64, 7)
      return stem + (ALPHABET[count % 64] as string)
    },
  }
}

function encodeCount(count: number, places: number): string {
  let rest = count
  let text = ""
  for (let place = 0; place < places; place += 1) {
    text = (ALPHABET[rest % 64] as string) + text
    rest = Math.floor(rest / 64)
  }
  return text
}

/** Returns random characters of base64url, 6 bits each. */
export function randomText(random: () => number, length: number): string {
  return Array.from({ length }, () => ALPHABET[Math.floor(random() * 64)]).join("")
}

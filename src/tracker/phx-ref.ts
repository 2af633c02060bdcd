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
  /** All but the last character, which alone changes from one reference to the next, mostly. */
  let stem = prefix + counted(0, 7)
  return {
    next() {
      count += 1
      if (count % 64 === 0) stem = prefix + counted(count / 64, 7)
      return stem + (ALPHABET[count % 64] as string)
    },
  }
}

function counted(count: number, places: number): string {
  let rest = count
  let text = ""
  for (let place = 0; place < places; place += 1) {
    text = (ALPHABET[rest % 64] as string) + text
    rest = Math.floor(rest / 64)
  }
  return text
}

/** Characters of base64url, six bits of chance each. */
export function randomText(random: () => number, length: number): string {
  return Array.from({ length }, () => ALPHABET[Math.floor(random() * 64)]).join("")
}

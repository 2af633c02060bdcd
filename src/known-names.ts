import { ConfigError } from "./error.ts"
import { nearestName } from "./nearest-name.ts"
import { quote } from "./quote.ts"

/** Names as a record, so that the compiler reports one that is missing. */
export type Names<Known extends string> = Readonly<Record<Known, true>>

/**
 * Checks that a plain object has no names but the known ones. Without types, a misspelt option would be ignored, and its default
 * would apply.
 *
 * An instance of a class may have members of its own, and is not checked; nor is a module, which may export more.
 * @param what an article and a noun, such as `an option of createServer`
 * @throws ConfigError
 */
export function checkKnownNames(what: string, given: object | null | undefined, known: object): void {
  if (typeof given !== "object" || given === null || Object.getPrototypeOf(given) !== Object.prototype) return
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(known, name)) continue
    const names = Object.keys(known)
    const meant = nearestName(name, names) ?? sameLetters(name, names)
    const remedy = meant === undefined ? `the names are ${names.join(", ")}` : `did you mean ${meant}?`
    throw new ConfigError(`expected ${what}, got ${quote(name)}: ${remedy}`)
  }
}

/** Returns the name with the same letters in another case, or with underscores or dashes, such as `IDLE_TIMEOUT_MS`. */
function sameLetters(given: string, names: readonly string[]): string | undefined {
  return names.find((name) => lettersOf(name) === lettersOf(given))
}

const lettersOf = (name: string): string => name.toLowerCase().replace(/[-_]/g, "")

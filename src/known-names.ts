import { ConfigError } from "./error.ts"
import { nearestName } from "./nearest-name.ts"
import { quote } from "./quote.ts"

/** Names as a record, so that the compiler reports one that is missing. */
export type Names<Known extends string> = Readonly<Record<Known, true>>

/** The warnings that were given. There are at most so many, since names may be made by a program. */
const warned = new Set<string>()
const MAX_WARNINGS = 100

/**
 * Checks that a plain object has no names but the known ones. Without types, a misspelt option would be ignored, and its default
 * would apply. A name that is like no known one causes only a warning, once: an object may serve several functions.
 *
 * An instance of a class may have members of its own, and is not checked; nor is a module, which may export more.
 * @param what an article and a noun, such as `an option of createServer`
 * @throws ConfigError for a name that is probably a known one, misspelt
 */
export function checkKnownNames(what: string, given: object | null | undefined, known: object): void {
  if (typeof given !== "object" || given === null || Object.getPrototypeOf(given) !== Object.prototype) return
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(known, name)) continue
    const names = Object.keys(known)
    const meant = nearestName(name, names) ?? sameLetters(name, names)
    const problem = `expected ${what}, got ${quote(name)}: `
    if (meant !== undefined) throw new ConfigError(`${problem}did you mean ${meant}?`)
    warnOnce(`${problem}it is ignored; the names are ${names.join(", ")}`)
  }
}

function warnOnce(message: string): void {
  if (warned.has(message) || warned.size === MAX_WARNINGS) return
  warned.add(message)
  // A tracker runs in pages, too.
  const { process, console } = globalThis as unknown as {
    readonly process?: { emitWarning?(warning: string): void }
    readonly console: { warn(warning: string): void }
  }
  if (process?.emitWarning) process.emitWarning(message)
  else console.warn(message)
}

/** Returns the name with the same letters in another case, or with underscores or dashes, such as `IDLE_TIMEOUT_MS`. */
function sameLetters(given: string, names: readonly string[]): string | undefined {
  return names.find((name) => lettersOf(name) === lettersOf(given))
}

const lettersOf = (name: string): string => name.toLowerCase().replace(/[-_]/g, "")

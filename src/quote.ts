/** The longest text that is quoted as a whole, in characters. */
const MAX_LENGTH = 100

/** Everything that is not plainly visible: control characters, line breaks, half surrogates, marks that change the direction. */
const INVISIBLE = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu

/**
 * Returns a text in quotes on one line, for an error message or a log: `"a\nb"`. Everything invisible is escaped, and only
 * the first 100 characters are shown.
 *
 * Without this, a client could write lines of its own into a log, or send commands to the terminal that shows it.
 */
export function quote(text: string): string {
  const shown = text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text
  return JSON.stringify(shown).replace(INVISIBLE, (char) => {
    return Array.from(
      { length: char.length },
      (_, at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, "0")}`,
    ).join("")
  })
}

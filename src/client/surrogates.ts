/**
 * Halves of surrogate pairs: what is left of an emoji when a name is cut in its middle. `JSON.stringify` writes half a pair as an
 * escape, such as `"\ud83d"`, which many servers cannot decode: they close the connection.
 */

/** The escapes of JSON text: a whole pair, half a one, or another. */
const ESCAPES = /\\(?:ud[89ab]..\\ud[c-f]..|(ud[89a-f]..)|.)/gi

/** Returns JSON text in which each half of a pair is U+FFFD, as browsers write it into other text. */
export const repairJson = (json: string): string =>
  json.replace(ESCAPES, (all, half?: string) => (half ? "\\ufffd" : all))

/** Whether text contains no half of a pair. What identifies is not repaired: two names would become one. */
export const isWellFormed = (text: string): boolean => !/[\ud800-\udfff]/u.test(text)

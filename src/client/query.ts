/** Params of a connection as the query of its URL. */
import { assertParams } from "./params.ts"

/**
 * Returns the query of params as Phoenix decodes it: `{ user: { id: 1 }, tags: ["a"] }` is `user[id]=1&tags[]=a`.
 *
 * A value that is `undefined` is left out, `null` is empty, half a surrogate pair becomes U+FFFD. Lists of objects have
 * their indexes as names, because `tags[][a]` would begin a new object for each name.
 *
 * @throws TypeError for a symbol, and for what is no object as a whole; RangeError for a circle
 */
export function queryOf(params: unknown): string {
  assertParams(params)
  const pairs: string[] = []
  const add = (name: string, given: unknown): void => {
    const value = (given as Date | undefined)?.toJSON ? (given as Date).toJSON() : given
    if (isBranch(value)) {
      for (const [key, item] of Object.entries(value)) {
        add(name ? `${name}[${Array.isArray(value) && !isBranch(item) ? "" : key}]` : key, item)
      }
    } else if (value !== undefined) pairs.push(`${escape(name)}=${escape(value ?? "")}`)
  }
  add("", params)
  return pairs.join("&")
}

const isBranch = (value: unknown): value is object => typeof value === "object" && value !== null

/** A template literal throws for a symbol. */
const escape = (value: unknown): string =>
  encodeURIComponent(`${value as string}`.replace(/[\ud800-\udfff]/gu, "\ufffd"))

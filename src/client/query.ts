/** Params of a connection as the query of its URL. */
import { assertParams } from "./params.ts"
import { repairJson } from "./surrogates.ts"

/**
 * Returns the query of params as Phoenix decodes it: `{ user: { id: 1 }, tags: ["a"] }` is `user[id]=1&tags[]=a`.
 *
 * They have the form that JSON gives them: `undefined` is left out. `null` is empty, half a surrogate pair becomes U+FFFD.
 * Lists of objects have their indexes as names, because `tags[][a]` would begin a new object for each name.
 *
 * @param query comes before them
 * @throws ConfigError if a value is no object; TypeError, or what `toJSON` throws, if JSON cannot write it
 */
export function queryOf(params: unknown, query?: string): string {
  assertParams(params)
  const pairs = query ? [query] : []
  const add = (prefix: string, branch: Record<string, unknown>): void => {
    for (const [key, value] of Object.entries(branch)) {
      const isLeaf = typeof value !== "object" || !value
      const name = prefix ? `${prefix}[${isLeaf && Array.isArray(branch) ? "" : key}]` : key
      if (isLeaf) pairs.push(`${encodeURIComponent(name)}=${encodeURIComponent((value ?? "") as string)}`)
      else add(name, value as Record<string, unknown>)
    }
  }
  add("", JSON.parse(repairJson(JSON.stringify(params))) as Record<string, unknown>)
  return pairs.join("&")
}

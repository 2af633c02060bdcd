import { PROTOTYPE_NAMES } from "./prototype-names.ts"

/**
 * The value of a parameter: a text for a plain name, and what is nested under it for a name with brackets. `a[b]=1` is
 * `{ a: { b: "1" } }`, `a[]=1&a[]=2` is `{ a: ["1", "2"] }`.
 */
export type NestedParam = string | readonly NestedParam[] | { readonly [name: string]: NestedParam }

/** The parameters of a query by name. */
export type NestedParams = { readonly [name: string]: NestedParam }

/** How many names a name may nest: `a[b][c]` are three. */
const MAX_DEPTH = 16
/** How many names with brackets one query may have. */
const MAX_NESTED = 1000

/** A plain name, then names in brackets. */
const NESTED_NAME = /^([^[\]]+)((?:\[[^[\]]*\])+)$/

type Branch = NestedParam[] | { [name: string]: NestedParam }

/**
 * Returns the parameters of a query, nested as Plug does it. Of several with one name, the last counts.
 *
 * A name in brackets that is malformed, nests too deeply, names a prototype or comes after the thousandth stays flat:
 * `params["a[b"]`. Objects have no prototype.
 */
export function nestedParams(pairs: Iterable<readonly [name: string, value: string]>): NestedParams {
  const params: Branch = Object.create(null) as Record<string, NestedParam>
  let nested = 0
  for (const [name, value] of pairs) {
    const path = nested < MAX_NESTED ? pathOf(name) : undefined
    if (path === undefined) {
      params[name] = value
      continue
    }
    nested += 1
    let branch: Branch = params
    for (const [index, key] of path.entries()) {
      const next = path[index + 1]
      branch = put(branch, key, next === undefined ? value : existing(branch, key, next === ""))
    }
  }
  return params
}

/** Returns the names of which a nested name consists, or `undefined` for one that stays flat. An empty one appends to a list. */
function pathOf(name: string): string[] | undefined {
  const [, first, brackets] = NESTED_NAME.exec(name) ?? []
  if (first === undefined || brackets === undefined) return undefined
  const path = [first, ...brackets.slice(1, -1).split("][")]
  return path.length > MAX_DEPTH || path.some((key) => PROTOTYPE_NAMES.has(key)) ? undefined : path
}

/** Returns what is nested under a key, or a new branch if nothing is, or something of another kind. */
function existing(branch: Branch, key: string, isList: boolean): Branch {
  const found = Array.isArray(branch) ? undefined : branch[key]
  if (typeof found === "object" && Array.isArray(found) === isList) return found as Branch
  return isList ? [] : (Object.create(null) as Record<string, NestedParam>)
}

/** Adds a value to a branch, and returns the value for what is nested under it. */
function put(branch: Branch, key: string, value: NestedParam): Branch {
  if (Array.isArray(branch)) branch.push(value)
  else branch[key] = value
  return value as Branch
}

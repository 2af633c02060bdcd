/** Names that code which merges objects could mistake for the prototype. */
export const PROTOTYPE_NAMES: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"])

/** Returns a copy of a JSON value without these names, at any depth. */
export function withoutPrototypeNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPrototypeNames)
  if (typeof value !== "object" || value === null) return value
  const entries = Object.entries(value).filter(([name]) => !PROTOTYPE_NAMES.has(name))
  return Object.fromEntries(entries.map(([name, inner]) => [name, withoutPrototypeNames(inner)]))
}

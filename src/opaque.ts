/**
 * Returns the kind of the first object in a value of which JSON sees nothing, such as `Map`, `Blob` or `Promise`; `undefined` if
 * there is none. JSON would write `{}` for it, and its content would be lost without a word.
 *
 * @param json what JSON writes for the value. Most texts contain no empty object, so that the value need not be searched.
 */
export function opaqueKind(value: unknown, json: string): string | undefined {
  return json.includes("{}") ? search(value) : undefined
}

function search(value: unknown): string | undefined {
  // An object with `toJSON` says itself how it is written.
  if (typeof value !== "object" || value === null || "toJSON" in value) return undefined
  const parts = Object.values(value) as unknown[]
  if (parts.length === 0 && !isPlain(value)) {
    return /^\[object (\w+)\]$/.exec(Object.prototype.toString.call(value))?.[1] ?? "object"
  }
  for (const part of parts) {
    const kind = search(part)
    if (kind !== undefined) return kind
  }
  return undefined
}

/** Whether an object is an array or a plain object, which may come from another realm. */
function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** Fields of our own meta on their way to the server. */
import { RollcallError } from "../error.ts"
import { isJsonObject } from "../json.ts"
import { toSendable } from "./pushes.ts"

/** Fields of a meta. One that is `undefined` is to be removed. */
export type Fields = Readonly<Record<string, unknown>>

/** The fields of one message. */
export type Batch = {
  fields: Fields
  /** The message, once it was sent. `Flow` recognizes one that is sent again by this object. */
  payload?: object | undefined
  /** Resolves when the server has acknowledged the fields. A rejection need not be handled. */
  readonly outcome: Promise<void>
  readonly resolve: (outcome?: Promise<void>) => void
  readonly reject: (error: RollcallError) => void
}

export function createBatch(): Batch {
  const batch = { fields: {} } as Batch
  const outcome = new Promise<void>((resolve, reject) => Object.assign(batch, { resolve, reject }))
  outcome.catch(() => {})
  return Object.assign(batch, { outcome })
}

/** Returns all fields, the last value of each. Unlike `Object.assign`, it can have a field named `__proto__`. */
export const merge = (...all: readonly Fields[]): Fields =>
  Object.fromEntries(all.flatMap((fields) => Object.entries(fields)))

/** Returns the value of a field. Unlike `fields[field]`, it finds no "constructor" in fields that have none. */
export const valueAt = (fields: Fields, field: string): unknown =>
  Object.hasOwn(fields, field) ? fields[field] : undefined

/** Returns the fields for which `isLeft` is true. */
export const filter = (fields: Fields, isLeft: (field: string) => boolean): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([field]) => isLeft(field)))

/** Returns the fields that are not in `others`. */
export const without = (fields: Fields, others: Fields): Fields =>
  filter(fields, (field) => !Object.hasOwn(others, field))

/** Returns the payload of an update. For servers that do not know `remove`, a removed field is `null`. */
export function payloadOf(meta: Fields): object {
  const remove = Object.keys(meta).filter((field) => meta[field] === undefined)
  if (!remove[0]) return { meta }
  return { meta: { ...meta, ...Object.fromEntries(remove.map((field) => [field, null])) }, remove }
}

/**
 * Returns the fields of a patch as JSON writes them: later changes of a value do not reach them, and they can be compared.
 * @throws RollcallError `bad_payload`
 */
export function jsonOf(patch: unknown): Fields {
  toSendable("update", patch as object)
  if (!isJsonObject(patch))
    throw new RollcallError("bad_payload", `update: expected an object of fields, got ${JSON.stringify(patch)}`)
  const copy = JSON.parse(JSON.stringify(patch)) as Fields
  // JSON leaves out a field that is `undefined`.
  return Object.fromEntries(Object.keys(patch).map((field) => [field, valueAt(copy, field)]))
}

import { isJsonObject } from "../../json.ts"
import type { Validated } from "../../standard-schema.ts"
import { CHOSEN, isCount } from "../../wire/choices.ts"

type Fields = Readonly<Record<string, unknown>>

/**
 * Returns the names of the fields whose choices a meta counts, in the field `chosen`; `undefined` if that field is missing, or does
 * not consist of counters but is one of the application's own.
 */
function countedFields({ [CHOSEN]: choices }: Fields): readonly string[] | undefined {
  return isJsonObject(choices) && Object.values(choices).every(isCount) ? Object.keys(choices) : undefined
}

/** Returns a meta with the counters only of those of its fields that `isKept` is true for. */
export function keepChoices(meta: Fields, isKept: (field: string) => boolean): Fields {
  const names = countedFields(meta)
  if (names?.every(isKept) !== false) return meta
  const { [CHOSEN]: choices, ...fields } = meta
  const kept = Object.entries(choices as object).filter(([field]) => isKept(field))
  return kept.length === 0 ? fields : { ...fields, [CHOSEN]: Object.fromEntries(kept) }
}

/**
 * Calls `validate` with a meta without the counters of choices, so that a schema need not know them, and adds them to what it
 * returns: those of the fields that are there.
 *
 * An application may have a field `chosen` of its own that consists of numbers. If they do not belong to other fields, `validate`
 * gets the whole meta first.
 */
export function withoutChoices(meta: Fields, validate: (fields: Fields) => Validated<object>): Validated<object> {
  const names = countedFields(meta)
  if (names?.some((name) => Object.hasOwn(meta, name)) !== true) {
    const result = validate(meta)
    if (names === undefined || result.refused === undefined) return result
  }
  const { [CHOSEN]: choices, ...fields } = meta
  const result = validate(fields)
  if (result.refused !== undefined) return result
  const { value } = result
  return { value: keepChoices({ ...value, [CHOSEN]: choices }, (field) => Object.hasOwn(value, field)) }
}

/**
 * Returns a field of a client's fields that it may not set. It may count the choices of fields that it may set.
 * @param allow the fields that it may set; by default any
 */
export function foreignField(fields: Fields, allow: readonly string[] | undefined): string | undefined {
  if (allow === undefined) return undefined
  const isAllowed = (field: string): boolean => allow.includes(field)
  return Object.keys(fields).find((field) => {
    return !isAllowed(field) && !(field === CHOSEN && countedFields(fields)?.every(isAllowed) === true)
  })
}

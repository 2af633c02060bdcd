import { ConfigError, RollcallError, kindOf, withoutLink } from "../../error.ts"
import { isJsonObject } from "../../json.ts"
import { quote } from "../../quote.ts"
import { validate } from "../../standard-schema.ts"
import type { Refused, StandardSchema } from "../../standard-schema.ts"
import { INVALID_META } from "../../wire/refusals.ts"
import { foreignField, keepChoices, withoutChoices } from "./choices.ts"
import { withoutPrototypeNames } from "../prototype-names.ts"
import { metaOf } from "../track-input.ts"

/** What a channel accepts of the metas that its client sends: with the join as `me`, and in updates. */
export interface ClientMetaRules {
  /** The fields that a client may set; by default any. */
  readonly allow?: readonly string[]
  /** The schema of a whole meta; by default any JSON object. */
  readonly metaSchema?: StandardSchema<unknown, object>
}

/**
 * Returns a list of allowed fields. A text would allow each part of itself.
 * @throws ConfigError when it is not a list
 */
export function checkAllow(allow: readonly string[] | undefined): readonly string[] | undefined {
  if (allow === undefined || Array.isArray(allow)) return allow
  throw new ConfigError(`expected allow to be a list of the names of fields, got ${kindOf(allow)}`)
}

/** The payload of a refusal: why a client's meta is not accepted. */
export interface MetaRefusal {
  readonly reason: string
  readonly field?: string
  readonly message?: string
}

/** What a client says of itself: fields that it chose, of any kind. */
export type Me = Record<string, unknown>

/**
 * Returns what a client says of itself, `me` in the params of its join.
 *
 * Without a schema, everything that is not a JSON object counts as `{}`. With one, the result is `undefined` if the client sent
 * none. Fields that are not allowed are left out, so that a newer page can still join.
 * @param leftOut called with the name of each of them
 * @throws RollcallError `meta_too_large`, `invalid_meta`; ConfigError when the schema validates asynchronously
 */
export function readMe(
  params: Me,
  { allow, metaSchema }: ClientMetaRules,
  maxMetaBytes: number,
  leftOut: (field: string) => void,
): Me | undefined {
  const sent = Object.hasOwn(params, "me") ? params["me"] : undefined
  if (metaSchema === undefined && !isJsonObject(sent)) return {}
  if (sent === undefined || sent === null) return undefined
  // Handlers merge it into objects of their own.
  const copy = withoutPrototypeNames(copyOf(sent, maxMetaBytes)) as Me
  const me = allow === undefined ? copy : picked(copy, allow, leftOut)
  return metaSchema === undefined ? me : (validMeta(metaSchema, me) as Me)
}

/**
 * Returns a meta as the schema returns it. The references, which the tracker adds, and the counters of choices, which
 * `room.update` adds, are not shown to the schema, because a strict one would refuse them.
 * @throws RollcallError `invalid_meta`, whose `reason` is the `MetaRefusal`
 */
export function validMeta(schema: StandardSchema<unknown, object>, meta: object): object {
  const { phx_ref: _ref, phx_ref_prev: _prev, ...fields } = meta as Me
  const result = withoutChoices(fields, (shown) => validate(schema, shown))
  if (result.refused !== undefined) throw invalidMeta(result.refused)
  return result.value
}

/** @throws RollcallError `meta_too_large`; `invalid_meta` for a value that is not a JSON object, or that is nested too deeply */
function copyOf(sent: unknown, maxMetaBytes: number): object {
  try {
    return metaOf(sent, maxMetaBytes)
  } catch (error) {
    throw error instanceof ConfigError ? invalidMeta({ message: withoutLink(error.message) }) : error
  }
}

function invalidMeta(refused: Refused): RollcallError {
  const where = refused.field === undefined ? "" : ` in ${quote(refused.field)}`
  const message = `expected a meta that the room accepts, got ${quote(refused.message)}${where}`
  return new RollcallError(INVALID_META, message, { reason: { reason: INVALID_META, ...refused } })
}

const REFUSALS: ReadonlySet<string> = new Set([INVALID_META, "meta_too_large"])

/** Whether an error of `readMe` is a refusal of what the client sent, and not a fault of the server's program. */
export const isMetaRefusal = (error: unknown): error is RollcallError =>
  error instanceof RollcallError && REFUSALS.has(error.code)

/** Returns the payload for the client whose meta was refused with an error: its code, and what the schema says. */
export const metaRefusal = ({ code, reason }: RollcallError): MetaRefusal =>
  code === INVALID_META ? (reason as MetaRefusal) : { reason: code }

/** Returns the fields that are allowed, and the counters of their choices. */
function picked(copy: Me, allow: readonly string[], leftOut: (field: string) => void): Me {
  const me = keepChoices(copy, (field) => allow.includes(field))
  const isAllowed = (field: string): boolean => foreignField({ [field]: me[field] }, allow) === undefined
  const names = Object.keys(me)
  for (const field of names) if (!isAllowed(field)) leftOut(field)
  return Object.fromEntries(names.filter(isAllowed).map((field) => [field, me[field]]))
}

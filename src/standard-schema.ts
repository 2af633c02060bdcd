import { ConfigError, kindOf } from "./error.ts"
import { isObject } from "./json.ts"

/**
 * A schema of any library that follows [Standard Schema](https://standardschema.dev) 1, such as zod, valibot or arktype.
 *
 * Its validation must be synchronous. `Output` must be a JSON value, and the schema must accept it as an input: what one side
 * has validated is validated by the other side again.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** The result of a schema's `validate`: the validated value, or what is wrong. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

/** What is wrong with a value, as the schema says it. */
export interface SchemaIssue {
  readonly message: string
  /** The way to the field in question: names and indices, or objects with them. Missing or empty for the value as a whole. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What a schema accepts. */
export type InputOf<Schema> = Schema extends { readonly "~standard": { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly input: infer Input }
    ? Input
    : unknown
  : unknown

/** What a schema returns for what it accepts. */
export type OutputOf<Schema> = Schema extends { readonly "~standard": { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly output: infer Output }
    ? Output
    : unknown
  : unknown

/** Why a schema refused a value. Both texts are short enough to be sent to a client. */
export interface Refused {
  /** The schema's first message. */
  readonly message: string
  /** The path to the field in question, such as `position.x`; missing if the value as a whole is refused. */
  readonly field?: string
}

/** The result of `validate`: the value that the schema returned, or why it refused the value. */
export type Validated<Output> = { readonly value: Output; readonly refused?: undefined } | { readonly refused: Refused }

/** The longest text of a refusal, in characters. A schema may quote the value in its message. */
const MAX_TEXT = 200

/** @throws ConfigError when a value is not a Standard Schema */
export function checkSchema(what: string, schema: unknown): void {
  // A schema may be a function: those of arktype are.
  const standard: unknown = (Object(schema) as { "~standard"?: unknown })["~standard"]
  if (isObject(standard) && typeof standard["validate"] === "function") return
  throw new ConfigError(`expected ${what} to be a Standard Schema (of zod, valibot, arktype, …), got ${kindOf(schema)}`)
}

/**
 * Returns what a schema says of a value.
 * @throws ConfigError when the schema validates asynchronously; what the schema throws
 */
export function resultOf<Output>(schema: StandardSchema<unknown, Output>, value: unknown): SchemaResult<Output> {
  const result = schema["~standard"].validate(value)
  if (!("then" in result)) return result
  // This error takes the place of the one that the schema may report later.
  result.then(undefined, () => undefined)
  throw new ConfigError("expected a schema that validates synchronously, got one that returned a promise")
}

/**
 * Validates a value.
 * @throws ConfigError when the schema validates asynchronously; what the schema throws
 */
export function validate<Output>(schema: StandardSchema<unknown, Output>, value: unknown): Validated<Output> {
  const result = resultOf(schema, value)
  return result.issues === undefined ? { value: result.value } : { refused: refusedFor(result.issues) }
}

/** Returns the first of a schema's issues, in texts that are short enough to be sent to a client. */
export function refusedFor([issue]: readonly SchemaIssue[]): Refused {
  const message = String(issue?.message ?? "the value is invalid").slice(0, MAX_TEXT)
  const path = issue?.path ?? []
  if (path.length === 0) return { message }
  const names = path.map((part) => String(typeof part === "object" ? part.key : part))
  return { message, field: names.join(".").slice(0, MAX_TEXT) }
}

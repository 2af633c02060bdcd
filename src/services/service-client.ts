import type { InputOf, OutputOf, StandardSchema } from "../standard-schema.ts"
import type { CallOptions } from "./call-options.ts"

/**
 * The typed client of a router or a contract of oRPC: `await client.rooms.create(input, options)`. Its calls return what
 * the procedures return; oRPC's `safe` and `isDefinedError` know the errors that they define.
 *
 * It is written without oRPC's own types, so that the types of this package compile where oRPC is not installed. The type
 * of a lazy router is not known: pass oRPC's `RouterClient<typeof router>` instead of it.
 */
export type ServiceClient<Router> = Router extends (...args: never) => unknown
  ? Router
  : Router extends { readonly "~orpc": infer Definition }
    ? ServiceMethod<
        Definition extends { readonly inputSchema?: infer Schema } ? InputOf<NonNullable<Schema>> : unknown,
        Definition extends { readonly outputSchema?: infer Schema } ? OutputOf<NonNullable<Schema>> : unknown,
        Definition extends { readonly errorMap: infer Errors } ? DefinedError<Errors> | Error : Error
      >
    : { readonly [Name in keyof Router & string]: ServiceClient<Router[Name]> }

/** One method of a typed client. */
export type ServiceMethod<Input, Output, Failure = Error> = (
  ...args: undefined extends Input ? [input?: Input, options?: CallOptions] : [input: Input, options?: CallOptions]
) => Promise<Output> & { readonly __error?: { readonly type: Failure } }

/** The errors that a procedure defines, as oRPC's `ORPCError` shows them. */
type DefinedError<Errors> = {
  [Code in keyof Errors & string]: ErrorOf<
    Code,
    NonNullable<Errors[Code]> extends { readonly data?: infer Schema }
      ? Schema extends StandardSchema
        ? OutputOf<Schema>
        : undefined
      : undefined
  >
}[keyof Errors & string]

interface ErrorOf<Code extends string, Data> extends Error {
  readonly defined: boolean
  readonly code: Code
  readonly status: number
  readonly data: Data
  toJSON(): { defined: boolean; code: Code; status: number; message: string; data: Data }
}

/** Names that the language and its tools ask for by themselves; a client that had them would be awaited, for instance. */
const RESERVED: ReadonlySet<PropertyKey> = new Set([
  "then",
  "toJSON",
  "toString",
  "valueOf",
  "constructor",
  "prototype",
])

/** Returns an object whose properties, at any depth, are functions that call the method of that path. */
export function clientOf(call: (path: readonly string[], input: unknown, options?: CallOptions) => unknown): unknown {
  const at = (path: readonly string[]): unknown =>
    new Proxy((input?: unknown, options?: CallOptions) => call(path, input, options), {
      get(target, name) {
        if (typeof name !== "string" || RESERVED.has(name)) return Reflect.get(target, name) as unknown
        return at([...path, name])
      },
    })
  return at([])
}

/** Params of a connection or a join: an object, or a function that returns one for each attempt, now or as a promise. */
export type Params = (object & NoFunction) | ({ [key: string]: unknown } & NoFunction) | (() => object)

/** Excludes functions and promises, by the methods that they have. */
type NoFunction = { call?: never; then?: never }

/** @throws TypeError for what cannot be params */
export function assertParams(params: unknown): asserts params is object {
  if (typeof params !== "object" || !params) throw new TypeError(`expected an object, got ${String(params)}`)
}

import fc from "fast-check"
import { expect, test } from "vitest"
import { ConfigError } from "../src/error.ts"
import { copyJsonObject, handOverCopy } from "../src/json.ts"

const metaOf = (meta: unknown): object => copyJsonObject("a meta", meta)

class Money {
  readonly cents = 5n
  toJSON(): object {
    return { cents: "5" }
  }
}

const odd = fc.constantFrom<unknown>(
  undefined,
  -0,
  Number.NaN,
  new Date(0),
  new Money(),
  { toJSON: () => "another value" },
  Object.assign([1], { toJSON: () => "another value" }),
  Object.assign([1], { extra: 1 }),
  Array.from({ length: 2 }),
  Object.create(null),
  Object.create({ inherited: 1 }),
  JSON.parse('{"__proto__":{"x":1},"2":0,"1":0}'),
  "\ud800",
  expect,
  Symbol("s"),
)
const meta = fc.dictionary(fc.string(), fc.oneof(fc.jsonValue({ maxDepth: 3 }), odd, fc.tuple(odd, odd)))

test("a copy equals the object after it was written and read as JSON, for any content", () => {
  fc.assert(
    fc.property(meta, (given) => {
      const json = JSON.stringify(given)
      const copy = metaOf(given)
      expect(JSON.stringify(copy)).toBe(json)
      expect(copy).toStrictEqual(JSON.parse(json))
    }),
    { numRuns: 500 },
  )
})

test("an object of a class is copied as its toJSON returns it", () => {
  expect(metaOf(new Money())).toStrictEqual({ cents: "5" })
})

test("a value of which JSON would write only {} is refused, at any depth; a Date is written as a text", () => {
  for (const lost of [new Map([[1, 2]]), new Set([1]), new Blob(["x"]), Promise.resolve(1), new Error("x"), /x/]) {
    for (const given of [{ lost }, { list: [{ lost }] }, lost]) {
      expect(() => metaOf(given)).toThrow(/^expected a meta of JSON values, got a \w+, which JSON would write as \{\}/)
    }
  }
  expect(metaOf({ at: new Date(0), empty: {}, none: [] })).toEqual({
    at: "1970-01-01T00:00:00.000Z",
    empty: {},
    none: [],
  })
})

test("a value that JSON does not write as an object is refused, and one that is nested deeper than 200", () => {
  const nested = (depth: number): object => JSON.parse(`{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`) as object
  const circle: Record<string, unknown> = {}
  circle["self"] = { circle }
  for (const given of [
    null,
    7,
    [],
    circle,
    { n: 1n },
    { toJSON: () => [] },
    { toJSON: () => undefined },
    nested(200),
  ]) {
    expect(() => metaOf(given)).toThrow(ConfigError)
  }
  expect(metaOf(nested(199))).toStrictEqual(nested(199))
})

test("a copy that was handed over is returned as it is, once", () => {
  const copy = handOverCopy({ n: 1 })
  expect(metaOf(copy)).toBe(copy)
  expect(metaOf(copy)).not.toBe(copy)
  expect(metaOf(copy)).toStrictEqual({ n: 1 })
})

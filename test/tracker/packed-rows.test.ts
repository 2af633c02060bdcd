import fc from "fast-check"
import { expect, test } from "vitest"
import { packRows, unpackRows, type RowFields } from "../../src/tracker/packed-rows.ts"

const meta = fc.dictionary(
  fc.constantFrom("phx_ref", "name", "__proto__", "constructor", "1", "0", ""),
  fc.jsonValue(),
  { maxKeys: 4 },
)
const rows: fc.Arbitrary<RowFields[]> = fc.array(
  fc.tuple(fc.nat(), fc.constantFrom("a", "b", ""), fc.string(), fc.string(), meta),
)

/** Returns the rows that unpacking adds; `undefined` if it refuses the values. */
function unpacked(json: unknown): unknown[][] | undefined {
  const added: unknown[][] = []
  const isValid = unpackRows(json as unknown[], (...row) => {
    added.push(row)
    return row.slice(0, 4).every((each) => each !== undefined)
  })
  return isValid ? added : undefined
}

test("rows are the same after packing and unpacking, whatever the names of a meta's fields", () => {
  fc.assert(
    fc.property(rows, (given) => {
      const json = JSON.parse(JSON.stringify(packRows(given))) as unknown
      expect(JSON.stringify(unpacked(json))).toBe(JSON.stringify(given))
      for (const [, , , , each] of unpacked(json)!) expect(Object.getPrototypeOf(each)).toBe(Object.prototype)
    }),
  )
})

test("a topic and the names of a meta's fields are written once for all rows", () => {
  const given = Array.from({ length: 100 }, (_, i): RowFields => [
    i,
    "rooms:lobby",
    `${i}`,
    `u${i}`,
    { name: "Ada", phx_ref: "r" },
  ])
  const text = JSON.stringify(packRows(given))
  expect(text.split("rooms:lobby")).toHaveLength(2)
  expect(text.split("phx_ref")).toHaveLength(2)
})

test.for([
  ["no lists", [1, 2, 3]],
  ["a shape that is no list of names", [["a"], [[1]], []]],
  ["a row that ends too early", [["a"], [["x", "y"]], [1, 0, "p", "k", 0, 1]]],
  ["the index of a shape that is not there", [["a"], [["x"]], [1, 0, "p", "k", 7, 1]]],
  ["the index of a topic that is not there", [["a"], [["x"]], [1, 7, "p", "k", 0, 1]]],
  ["the name of a property in place of an index", [["a"], [["x"]], [1, "length", "p", "k", "length", 1]]],
  ["an empty shape for ever", [["a"], [[]], [1]]],
])("packed rows with %s are refused", ([, json]) => {
  expect(unpacked(json)).toBeUndefined()
})

test("values that are not what was packed are refused or added, and never throw", () => {
  fc.assert(
    fc.property(fc.tuple(fc.jsonValue(), fc.jsonValue(), fc.jsonValue()), (json) => {
      expect(() => unpacked(json)).not.toThrow()
    }),
  )
})

import fc from "fast-check"
import { expect, test } from "vitest"
import { packRows, unpackRows, type RowFields } from "../../src/tracker/packed-rows.ts"

const meta = fc.dictionary(
  fc.constantFrom("phx_ref", "name", "__proto__", "constructor", "1", "0", ""),
  fc.jsonValue(),
  { maxKeys: 4 },
)
const pid = fc.oneof(fc.string(), fc.nat().map(String), fc.constantFrom("0", "-0", "01", "1e3", "9007199254740993"))
const row = fc.tuple(fc.nat(), fc.constantFrom("a", "b", ""), pid, fc.string(), meta)
/** Few rows, or so many that fields have few texts. */
const rows: fc.Arbitrary<RowFields[]> = fc.oneof(
  fc.array(row),
  fc.tuple(fc.array(row, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 40 })).map(([some, times]) => {
    return Array.from({ length: times }, () => some).flat()
  }),
)

/** Returns the rows that unpacking adds; `undefined` if it refuses the values. */
function unpacked(json: unknown): unknown[][] | undefined {
  const added: unknown[][] = []
  const isValid = unpackRows(json as unknown[], (clock, topic, pid, key, meta) => {
    added.push([clock, topic, typeof pid === "number" ? String(pid) : pid, key, meta])
    return added.at(-1)!.every((each) => each !== undefined)
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

test("a text that many rows have in a field is written once, and all rows share it; a field with many texts has them itself", () => {
  const given = Array.from({ length: 100 }, (_, i): RowFields => [
    i,
    "t",
    `${i}`,
    `u${i}`,
    { device: "a browser with a long name", name: `user ${i}`, visits: i % 3 },
  ])
  const packed = packRows(given)
  expect(JSON.stringify(packed).split("a browser")).toHaveLength(2)
  expect(packed[1]).toEqual([
    [
      ["device", "name", "visits"],
      [["a browser with a long name"], 0, 0],
    ],
  ])
  expect(unpacked(JSON.parse(JSON.stringify(packed)))).toEqual(given)
})

test("clocks are written as steps, and decimal pids as numbers", () => {
  const given: RowFields[] = [
    [1_000_001, "t", "17", "a", {}],
    [1_000_002, "t", "x", "b", {}],
    [1_000_005, "t", "017", "c", {}],
  ]
  expect(packRows(given)[2]).toEqual([1_000_001, 0, 17, "a", 0, 1, 0, "x", "b", 0, 3, 0, "017", "c", 0])
  expect(unpacked(packRows(given))).toEqual(given)
})

test.for([
  ["no lists", [1, 2, 3]],
  ["a shape that is no list of names", [["a"], [[[1], [0]]], [1, 0, "p", "k", 0, 1]]],
  ["a shape whose fields have no texts", [["a"], [[["x"], []]], [1, 0, "p", "k", 0, 1]]],
  ["a shape whose texts are none", [["a"], [[["x"], [[1]]]], [1, 0, "p", "k", 0, 0]]],
  ["a shape that is a number", [["a"], [7], [1, 0, "p", "k", 0]]],
  [
    "a row that ends too early",
    [
      ["a"],
      [
        [
          ["x", "y"],
          [0, 0],
        ],
      ],
      [1, 0, "p", "k", 0, 1],
    ],
  ],
  ["the index of a shape that is not there", [["a"], [[["x"], [0]]], [1, 0, "p", "k", 7, 1]]],
  ["the index of a topic that is not there", [["a"], [[["x"], [0]]], [1, 7, "p", "k", 0, 1]]],
  ["the index of a text that is not there", [["a"], [[["x"], [["t"]]]], [1, 0, "p", "k", 0, 1]]],
  ["the name of a property in place of a text", [["a"], [[["x"], [["t"]]]], [1, 0, "p", "k", 0, "length"]]],
  ["the name of a property in place of an index", [["a"], [[["x"], [0]]], [1, "length", "p", "k", "length", 1]]],
  ["an empty shape for ever", [["a"], [[[], []]], [1]]],
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

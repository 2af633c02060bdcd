import fc from "fast-check"
import { expect, test } from "vitest"
import type { Row } from "../../src/crdt/row.ts"
import { contentOf, isSealed, opened } from "../../src/crdt/sealed-row.ts"
import { packRows, unpackRows } from "../../src/tracker/packed-rows.ts"
import { clusterPid } from "../../src/tracker/replica-ref.ts"
import type { TrackedMeta } from "../../src/tracker/topic-diff.ts"

const NODE = "web-1"
const REF = `${NODE}0123456789`
/** More rows of one shape than are opened at once, so that the rest is sealed. */
const MANY = 40

type Fields = readonly [clock: number, topic: string, pid: string, key: string, meta: object]

function rowOf([clock, topic, pid, key, meta]: Fields): Row<TrackedMeta> {
  return { topic, pid: clusterPid(pid, NODE), key, meta: meta as TrackedMeta, ref: REF, clock }
}

const pack = (rows: readonly Row<TrackedMeta>[]): unknown[] =>
  JSON.parse(JSON.stringify(packRows(rows, NODE))) as unknown[]

/** Returns the unpacked rows; `undefined` if the values are refused. */
const unpack = (json: unknown): readonly Row<TrackedMeta>[] | undefined => unpackRows(json as unknown[], REF)

const value = fc.oneof(
  fc.jsonValue(),
  fc.string({ unit: "grapheme" }),
  fc.constantFrom("", '"', "\\", "\n", "],[", ",", "\u2028", -0, 1e21, 5e-324, 1_760_000_000, 0.1, true, null),
)
const meta = fc
  .tuple(
    fc.dictionary(fc.constantFrom("name", "phx_ref_prev", "__proto__", "constructor", "1", "0", ""), value, {
      maxKeys: 4,
    }),
    fc.string(),
  )
  .map(([fields, ref]) => {
    const { phx_ref_prev: previous, ...rest } = JSON.parse(JSON.stringify(fields)) as Record<string, unknown>
    const all = Object.assign(Object.create(null) as object, rest, { phx_ref: ref })
    if (typeof previous === "string") Object.assign(all, { phx_ref_prev: previous })
    return JSON.parse(JSON.stringify(all)) as object
  })
const pid = fc.oneof(
  fc.string(),
  fc.nat().map(String),
  fc.constantFrom("0", "-0", "01", "1e3", "9007199254740993", "a@b", "%40", '"'),
)
const fields = fc.tuple(fc.integer({ min: 1, max: 99 }), fc.constantFrom("a", "b", ""), pid, fc.string(), meta)
/** Few rows, or so many that fields have few texts and rows are sealed. The steps between clocks are those of the rows. */
const rows: fc.Arbitrary<Row<TrackedMeta>[]> = fc
  .oneof(
    fc.array(fields),
    fc
      .tuple(fc.array(fields, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: MANY }))
      .map(([some, times]) => Array.from({ length: times }, () => some).flat()),
  )
  .map((list) => {
    let clock = 0
    return list.map(([step, ...rest]) => rowOf([(clock += step), ...rest]))
  })

const plain = (list: readonly Row<TrackedMeta>[] | undefined): string =>
  JSON.stringify(list?.map((row) => ({ ...row, ...contentOf(row) })))

test("rows are the same after packing and unpacking, whatever is in them, sealed or opened, also when they are passed on", () => {
  fc.assert(
    fc.property(rows, (given) => {
      const received = unpack(pack(given))
      expect(plain(received)).toBe(plain(given))
      const passedOn = unpack(pack(received!))
      expect(plain(passedOn)).toBe(plain(given))
      // The rows that are passed on stay as they are.
      expect(received!.map(isSealed)).toEqual(unpack(pack(given))!.map(isSealed))
      for (const row of passedOn!) {
        expect(Object.getPrototypeOf(opened(row).meta)).toBe(Object.prototype)
        expect(Object.isFrozen(row.meta)).toBe(true)
      }
      expect(JSON.stringify(passedOn)).toBe(plain(given))
    }),
  )
})

/** Returns rows of one shape. */
function many(metaOf: (i: number) => object): Row<TrackedMeta>[] {
  return Array.from({ length: 100 }, (_, i) => rowOf([i + 1, "rooms:lobby", `${i}`, `u${i}`, metaOf(i)]))
}

test("most rows of a large state stay sealed until they are opened, and an opened row has the fields of any other, in the same order", () => {
  const given = many((i) => ({ name: `user ${i}`, phx_ref: `r${i}` }))
  const received = unpack(pack(given))!
  expect(received.filter(isSealed).length).toBeGreaterThan(80)
  const last = received.at(-1)!
  expect(contentOf(last)).toEqual({ pid: "99@web-1", meta: { name: "user 99", phx_ref: "r99" } })
  expect(isSealed(last)).toBe(true)
  expect(opened(last)).toBe(last)
  expect(Object.entries(last)).toEqual(Object.entries(given.at(-1)!))
  const { meta } = last
  expect(opened(last).meta).toBe(meta)
})

test("a few rows are not sealed, nor are rows whose metas all have different fields", () => {
  expect(unpack(pack(many(() => ({ phx_ref: "r" })).slice(0, 10)))!.some(isSealed)).toBe(false)
  expect(unpack(pack(many((i) => ({ [`field ${i}`]: 1, phx_ref: "r" }))))!.some(isSealed)).toBe(false)
})

test("a topic and the names of a meta's fields are written once for all rows", () => {
  const text = JSON.stringify(pack(many(() => ({ name: "Ada", phx_ref: "r" }))))
  expect(text.split("rooms:lobby")).toHaveLength(2)
  expect(text.split("phx_ref")).toHaveLength(2)
})

test("a text that many rows have in a field is written once; a field with many texts has them itself", () => {
  const given = many((i) => ({ device: "a browser with a long name", name: `user ${i}`, visits: i % 3, phx_ref: "r" }))
  const packed = pack(given)
  expect(JSON.stringify(packed).split("a browser")).toHaveLength(2)
  expect(packed[1]).toEqual([
    [
      ["device", "name", "visits", "phx_ref"],
      [["a browser with a long name"], 0, 0, ["r"]],
    ],
  ])
  expect(plain(unpack(packed))).toBe(plain(given))
})

test("clocks are written as steps, and decimal pids as numbers", () => {
  const given = [
    [1_000_001, "17"],
    [1_000_002, "x"],
    [1_000_005, "017"],
  ].map(([clock, id]) => rowOf([clock as number, "t", id as string, "k", { phx_ref: "r" }]))
  const values = [
    [1_000_001, 0, "k", 0, '17,"r"'],
    [1, 0, "k", 0, '"x","r"'],
    [3, 0, "k", 0, '"017","r"'],
  ]
  expect(packRows(given, NODE)[2]).toEqual(values.flat())
})

/** A row of the shape below, `count` times, and then a last one. */
const following = (count: number, ...last: unknown[]): unknown[] => [
  ["a"],
  [
    [
      ["name", "device", "phx_ref"],
      [0, ["phone", "desk"], 0],
    ],
  ],
  [...Array.from({ length: count }, () => [1, 0, "k", 0, '7,"Ada",1,"r"']).flat(), ...last],
]

test.for([0, MANY])("values that are no row are refused, also behind %i valid rows", (count) => {
  expect(unpack(following(count, 1, 0, "k", 0, '7,"Ada",1,"r"'))).toHaveLength(count + 1)
  expect(unpack(following(count, 1, 0, "k", 0, '7,{"a":[1]},0,"\\n"'))).toHaveLength(count + 1)
  const wrong: unknown[][] = [
    [1],
    [1, 0, "k", 0],
    [1, 0, "k", 0, 7],
    [1, 0, "k", 0, ""],
    [1, 0, "k", 0, '7,"Ada",1'],
    [1, 0, "k", 0, '7,"Ada",1,"r",1'],
    [1, 0, "k", 0, '7,"Ada",1,"r"]'],
    [1, 0, "k", 0, '7,"Ada",1,"r"\n,'],
    [1, 0, "k", 0, '7],["Ada",1,"r"'],
    [1, 0, "k", 0, '-7,"Ada",1,"r"'],
    [1, 0, "k", 0, '1.5,"Ada",1,"r"'],
    [1, 0, "k", 0, 'null,"Ada",1,"r"'],
    [1, 0, "k", 0, '7,"Ada",2,"r"'],
    [1, 0, "k", 0, '7,"Ada","phone","r"'],
    [1, 0, "k", 0, '7,"Ada","length","r"'],
    [1, 0, "k", 0, '7,"Ada",1,null'],
    [1, 0, "k", 0, '7,"Ada",1,3'],
    [1, 0, "k", 0, '7,007,1,"r"'],
    [1, 0, "k", 1, '7,"Ada",1,"r"'],
    [1, 0, "k", "length", '7,"Ada",1,"r"'],
    [1, 1, "k", 0, '7,"Ada",1,"r"'],
    [1, "length", "k", 0, '7,"Ada",1,"r"'],
    [1, 0, 5, 0, '7,"Ada",1,"r"'],
    [-1000, 0, "k", 0, '7,"Ada",1,"r"'],
    ["1", 0, "k", 0, '7,"Ada",1,"r"'],
  ]
  for (const row of wrong) expect(unpack(following(count, ...row)), JSON.stringify(row)).toBeUndefined()
})

test.for([
  ["no lists", [1, 2, 3]],
  ["a shape that is no list of names", [["a"], [[[1], [0]]], [1, 0, "k", 0, '7,"r"']]],
  ["a shape whose fields have no texts", [["a"], [[["phx_ref"], []]], [1, 0, "k", 0, '7,"r"']]],
  ["a shape whose texts are none", [["a"], [[["phx_ref"], [[1]]]], [1, 0, "k", 0, "7,0"]]],
  ["a shape without a phx_ref", [["a"], [[["x"], [0]]], [1, 0, "k", 0, '7,"r"']]],
  ["a shape that is a number", [["a"], [7], [1, 0, "k", 0, '7,"r"']]],
  [
    "a shape with a name twice",
    [
      ["a"],
      [
        [
          ["phx_ref", "x", "x"],
          [0, 0, 0],
        ],
      ],
      [1, 0, "k", 0, '7,"r",1,2'],
    ],
  ],
  [
    // Each row by itself is right until a second value for the name differs, which a sealed row would show only when it is read.
    "a name twice that would set the prototype",
    [
      ["a"],
      [
        [
          ["phx_ref", "__proto__", "__proto__"],
          [0, 0, 0],
        ],
      ],
      Array.from({ length: MANY }, (_, i) => [1, 0, "k", 0, `7,"r",1,${i < 16 ? 1 : 2}`]).flat(),
    ],
  ],
])("packed rows with %s are refused", ([, json]) => {
  expect(unpack(json)).toBeUndefined()
})

test("a field with more texts than a node of this release writes is read all the same", () => {
  const texts = Array.from({ length: 1000 }, (_, i) => `text ${i}`)
  const values = texts.flatMap((_, i) => [1, 0, "k", 0, `7,${i},"r"`])
  const read = unpack([
    ["a"],
    [
      [
        ["x", "phx_ref"],
        [texts, 0],
      ],
    ],
    values,
  ])
  expect(read?.map((row) => contentOf(row).meta["x"])).toEqual(texts)
})

test("rows with so many fields that the engine has no pattern for them are read all the same", () => {
  const names = Array.from({ length: 5_000 }, (_, i) => `field ${i}`)
  const shape = [
    [...names, "phx_ref"],
    [...names.map(() => 0), 0],
  ]
  const text = `7,${"1,".repeat(names.length)}"r"`
  const values = Array.from({ length: 17 }, () => [1, 0, "k", 0, text]).flat()
  const read = unpack([["a"], [shape], values])!
  expect(read).toHaveLength(17)
  expect(isSealed(read[16]!)).toBe(true)
  expect(Object.keys(opened(read[16]!).meta)).toHaveLength(names.length + 1)
})

test("values that are not what was packed are refused or unpacked, and never throw", () => {
  fc.assert(
    fc.property(fc.tuple(fc.jsonValue(), fc.jsonValue(), fc.jsonValue()), (json) => {
      expect(() => unpack(json)).not.toThrow()
    }),
  )
})

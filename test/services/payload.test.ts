import fc from "fast-check"
import { expect, test } from "vitest"
import { decodePayload, encodePayload } from "../../src/services/payload.ts"
import { loadOrpc } from "../../src/services/orpc.ts"

const orpc = await loadOrpc()

class Point {
  readonly x = 1
}

/** Values of all types that calls may carry, nested. Some are plain JSON, and others need types beside it. */
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "medium", withCrossShrink: true },
    fc.oneof(fc.string(), fc.boolean(), fc.double(), fc.integer(), fc.constant(null), fc.constant(undefined)),
    fc.oneof(
      fc.date({ noInvalidDate: true }),
      fc.bigInt(),
      fc.constant(new Point()),
      fc.constant(new URL("http://a.b/c")),
      fc.constant({ toJSON: () => "secret" }),
      fc.constant(Array(3)),
      fc.uint8Array({ maxLength: 5 }),
    ),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 4 }),
    fc.array(tie("value"), { maxLength: 3 }).map((list) => new Set(list)),
    fc.array(fc.tuple(fc.string(), tie("value")), { maxLength: 3 }).map((list) => new Map(list)),
  ),
})).value

test("a payload is written as oRPC's serializer writes it, also where the serializer is not needed", () => {
  fc.assert(
    fc.property(values, (value) => {
      const [json, types] = orpc.serializer.serialize(value)
      const expected = types.length === 0 ? { value: json } : { value: json, types }
      expect(JSON.stringify(encodePayload("it", value, orpc))).toBe(JSON.stringify(expected))
    }),
    { numRuns: 3_000 },
  )
})

test("plain values arrive as they were", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const sent = JSON.parse(JSON.stringify(encodePayload("it", value, orpc))) as object
      expect(decodePayload(sent, orpc)).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

test.each([
  ["a circle", circle],
  ["a Blob", () => ({ deep: [new Blob(["x"])] })],
  ["a stream", () => (async function* () {})()],
])("%s is rejected, as JSON cannot write it", (_, value) => {
  expect(() => encodePayload("the input", value(), orpc)).toThrow(expect.objectContaining({ code: "config" }))
})

function circle(): unknown[] {
  const list: unknown[] = []
  list.push({ list })
  return list
}

test("a value that is nested too deeply to be looked into is written all the same", () => {
  let value: unknown = "core"
  for (let depth = 0; depth < 200; depth += 1) value = [value]
  expect(JSON.stringify(encodePayload("it", value, orpc).value)).toBe(JSON.stringify(value))
})

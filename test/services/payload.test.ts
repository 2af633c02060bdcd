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
  ["a nested stream", () => ({ list: [(async function* () {})()] })],
  ["a function", () => () => 1],
  ["an object with a method", () => ({ state: { add: () => 1 } })],
  [
    "an instance with a function as a field",
    () => [
      new (class Session {
        leave = () => 1
      })(),
    ],
  ],
  ["a function in a Map", () => new Map([["key", { a: [() => 1] }]])],
  ["a function in a Set of a Map", () => ({ deep: new Map([["key", new Set([() => 1])]]) })],
  ["a symbol", () => ({ kind: Symbol("x") })],
  ["a promise that was not awaited", () => ({ user: Promise.resolve(1) })],
])("%s is rejected, as JSON cannot write it", (_, value) => {
  expect(() => encodePayload("the input", value(), orpc)).toThrow(expect.objectContaining({ code: "config" }))
})

test("the error for a function says where it is", () => {
  const state = { players: [{ name: "ada", leave: () => undefined }] }
  expect(() => encodePayload("the state of ada", state, orpc)).toThrow(
    'expected the state of ada to be a value that JSON can write, got a function at "players.0.leave"',
  )
})

test("an object that says by toJSON what JSON writes may have functions", () => {
  class Session {
    readonly leave = (): void => undefined
    toJSON(): object {
      return { players: 2 }
    }
  }
  expect(JSON.stringify(encodePayload("it", { session: new Session() }, orpc).value)).toBe('{"session":{"players":2}}')
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

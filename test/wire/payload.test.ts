import { describe, expect, it } from "vitest"
import { Payload } from "../../src/wire/payload.ts"

/** Wraps a function so that its calls are counted. */
function counted<Result>(run: () => Result): { calls: number; run: () => Result } {
  const counter = { calls: 0, run: () => ((counter.calls += 1), run()) }
  return counter
}

describe("a payload", () => {
  it("of a value is written as JSON, with null for undefined", () => {
    expect(Payload.of({ a: [1, null] }).json).toBe('{"a":[1,null]}')
    expect(Payload.of(undefined).json).toBe("null")
    expect(Payload.of({ a: 1 }).text).toBe('{"a":1}')
  })

  it("is binary if its value is bytes, and only then", () => {
    const bytes = new Uint8Array([1])
    expect(Payload.of(bytes).binary).toBe(bytes)
    expect(Payload.of({}).binary).toBeUndefined()
    expect(Payload.fromJson("{}").binary).toBeUndefined()
  })

  it("from JSON text is parsed once, and only when its value is read", () => {
    expect(() => Payload.fromJson("{nope").json).not.toThrow()
    expect(() => Payload.fromJson("{nope").value).toThrow(SyntaxError)
    const payload = Payload.fromJson('{"a":1}')
    expect(payload.value).toEqual({ a: 1 })
    expect(payload.value).toBe(payload.value)
  })

  it("that is lazy makes its value and its JSON once each, when they are needed", () => {
    const [value, json] = [counted(() => ({ a: 1 })), counted(() => '{"a":1}')]
    const payload = Payload.lazy(value.run, json.run)
    expect([value.calls, json.calls]).toEqual([0, 0])
    expect([payload.json, payload.json, payload.value, payload.value]).toEqual([
      '{"a":1}',
      '{"a":1}',
      { a: 1 },
      { a: 1 },
    ])
    expect([value.calls, json.calls]).toEqual([1, 1])
  })

  it("is encoded once for each encoding", () => {
    const calls: unknown[] = []
    const [one, other] = [
      (value: unknown) => calls.push(["one", value]),
      (value: unknown) => calls.push(["other", value]),
    ]
    const payload = Payload.plain({ a: 1 })
    expect([payload.encoded(one), payload.encoded(other), payload.encoded(one)]).toEqual([1, 2, 1])
    expect(calls).toEqual([
      ["one", { a: 1 }],
      ["other", { a: 1 }],
    ])
  })

  it("gives other encodings the value that parsing its JSON gives, so that all clients get the same value", () => {
    const date = new Date(0)
    const value = { date, left: undefined, list: [undefined] }
    const seen = Payload.of(value).encoded((plain) => plain)
    expect(seen).toEqual({ date: "1970-01-01T00:00:00.000Z", list: [null] })
    expect(Payload.of(value).value).toBe(value)
  })

  it("that is neither bytes nor JSON throws TypeError when it is checked", () => {
    expect(() => Payload.of({ big: 1n }).checked()).toThrow(TypeError)
    expect(Payload.of(new Uint8Array([1])).checked().binary).toEqual(new Uint8Array([1]))
    expect(Payload.of({ a: 1 }).checked().value).toEqual({ a: 1 })
  })
})

/** Params of a connection as a query, as the server decodes it. */
import { describe, expect, it } from "vitest"
import { queryOf } from "../../src/client/query.ts"
import { nestedParams } from "../../src/server/nested-params.ts"

const decoded = (params: unknown): unknown =>
  JSON.parse(JSON.stringify(nestedParams(new URLSearchParams(queryOf(params)))))

describe("params of a connection", () => {
  it("are nested as Phoenix documents them", () => {
    const params = { user: { id: 7 }, tags: ["a", "b"], deep: { list: [{ x: 1 }, { x: 2 }] }, "a&b=c": "d/e f" }
    expect(decodeURIComponent(queryOf({ user: { id: 7 }, tags: ["a", "b"] }))).toBe("user[id]=7&tags[]=a&tags[]=b")
    expect(decoded(params)).toEqual({
      user: { id: "7" },
      tags: ["a", "b"],
      deep: { list: { 0: { x: "1" }, 1: { x: "2" } } },
      "a&b=c": "d/e f",
    })
  })

  it("leave out undefined, and have null as an empty text", () => {
    expect(decoded({ a: undefined, b: null, c: false, d: 0, e: { f: undefined }, g: [undefined, 1] })).toEqual({
      b: "",
      c: "false",
      d: "0",
      g: ["", "1"],
    })
  })

  it("are sent in the form that JSON gives them", () => {
    expect(decoded({ at: new Date(0), skipped: Symbol("s") })).toEqual({ at: "1970-01-01T00:00:00.000Z" })
  })

  it("have half a surrogate pair repaired, in names and values", () => {
    expect(decoded({ name: "Ada \ud83d", "\udc00": "😀" })).toEqual({ name: "Ada \ufffd", "\ufffd": "😀" })
  })

  it("that cannot be sent throw", () => {
    const circle: Record<string, unknown> = {}
    circle["self"] = circle
    const toJSON = (): never => {
      throw new Error("no JSON")
    }
    for (const params of [null, undefined, Symbol("s"), 1n, "text", { n: 1n }, circle, { a: { toJSON } }]) {
      expect(() => queryOf(params)).toThrow()
    }
  })
})

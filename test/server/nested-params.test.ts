/** The parameters of a query, nested by the brackets in their names. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { nestedParams } from "../../src/server/nested-params.ts"

const decode = (query: string): unknown => nestedParams(new URLSearchParams(query))
/** The same as plain objects, with which `toEqual` compares by content. */
const plain = (query: string): unknown => JSON.parse(JSON.stringify(decode(query)))

describe("the parameters of a query", () => {
  it("are texts by their plain names, the last of one name", () => {
    expect(plain("token=t&a=1&a=2&b%20b=c%2Fd&empty=")).toEqual({ token: "t", a: "2", "b b": "c/d", empty: "" })
  })

  it("are nested by names in brackets, and lists by empty brackets", () => {
    expect(plain("user[id]=1&user[name]=ada&tags[]=a&tags[]=b")).toEqual({
      user: { id: "1", name: "ada" },
      tags: ["a", "b"],
    })
    expect(plain("a[b][c][]=1&a[b][c][]=2&a[b][d]=3")).toEqual({ a: { b: { c: ["1", "2"], d: "3" } } })
    expect(plain("a[][x]=1&a[][x]=2")).toEqual({ a: [{ x: "1" }, { x: "2" }] })
    expect(plain("a[0]=x&a[1]=y")).toEqual({ a: { 0: "x", 1: "y" } })
  })

  it("of one name and different kinds are the last kind", () => {
    expect(plain("a=1&a[b]=2")).toEqual({ a: { b: "2" } })
    expect(plain("a[b]=2&a=1")).toEqual({ a: "1" })
    expect(plain("a[]=1&a[b]=2")).toEqual({ a: { b: "2" } })
    expect(plain("a[b]=1&a[b][c]=2")).toEqual({ a: { b: { c: "2" } } })
  })

  it("stay flat if their names are malformed", () => {
    for (const name of ["a[b", "a]b[", "[b]", "a[b]c", "a[[b]]", "[]"])
      expect(plain(`${encodeURIComponent(name)}=1`)).toEqual({ [name]: "1" })
  })

  it("reach no prototype", () => {
    for (const name of ["__proto__", "constructor", "prototype"]) {
      expect(Object.entries(decode(`a[${name}][x]=1`) as object)).toEqual([[`a[${name}][x]`, "1"]])
      expect(Object.entries(decode(`${name}[x]=1`) as object)).toEqual([[`${name}[x]`, "1"]])
    }
    const { a } = decode("a[b]=1") as { a: object }
    expect([Object.getPrototypeOf(a), Object.getPrototypeOf(decode("__proto__=1"))]).toEqual([null, null])
    expect(Object.entries(decode("__proto__=1") as object)).toEqual([["__proto__", "1"]])
  })

  it("nest to a bounded depth and count", () => {
    const deep = `a${"[b]".repeat(16)}`
    expect(plain(`${deep}=1`)).toEqual({ [deep]: "1" })
    expect(plain(`a${"[b]".repeat(15)}=1`)).toHaveProperty(`a${".b".repeat(15)}`, "1")
    const many = Array.from({ length: 1001 }, (_, n) => `a[]=${n}`).join("&")
    const { a, ...rest } = decode(many) as { a: string[] }
    expect([a.length, rest]).toEqual([1000, { "a[]": "1000" }])
  })

  it("are decoded for any query, without an error", () => {
    const piece = fc.constantFrom("a", "b", "[", "]", "[]", "[a]", "=", "&", "__proto__", "%", "0")
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        JSON.stringify(decode(pieces.join("")))
        expect(({} as { a?: unknown }).a).toBeUndefined()
      }),
    )
  })
})

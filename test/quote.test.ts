import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { quote } from "../src/quote.ts"

describe("quote", () => {
  it.each([
    ["plain text", "rooms:1", '"rooms:1"'],
    ["letters of any script and pictures", "Ünïcode 日本 🎉", '"Ünïcode 日本 🎉"'],
    ["line breaks", "a\nb\r\nc\u2028d", String.raw`"a\nb\r\nc\u2028d"`],
    ["commands to a terminal", "\u001b[31mred\u009b0m", String.raw`"\u001b[31mred\u009b0m"`],
    ["marks that change the direction", "\u202etxt.exe", String.raw`"\u202etxt.exe"`],
    ["invisible characters beyond 16 bits", "a\u{e0041}", String.raw`"a\udb40\udc41"`],
    ["half a surrogate pair", "a\ud800", String.raw`"a\ud800"`],
    ["quotes and backslashes", '"\\', String.raw`"\"\\"`],
    ["nothing", "", '""'],
  ])("shows %s on one line", (_what, text, quoted) => {
    expect(quote(text)).toBe(quoted)
  })

  it("shows the first 100 characters of a longer text", () => {
    expect(quote("x".repeat(101))).toBe(`"${"x".repeat(100)}…"`)
  })

  it("gives visible characters only, which JSON reads as the same text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 100 }), (text) => {
        const quoted = quote(text)
        expect(quoted).toMatch(/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u)
        if (text.length <= 100) expect(JSON.parse(quoted)).toBe(text)
      }),
    )
  })
})

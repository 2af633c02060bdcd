import fc from "fast-check"
import { expect, it } from "vitest"
import { byteLength } from "../../src/wire/byte-length.ts"

it("the byte length of text is its length in UTF-8, and that of bytes is their number", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.nat(400), (text, times) => {
      const long = text.repeat(times)
      expect(byteLength(long)).toBe(Buffer.byteLength(long))
    }),
  )
  expect(byteLength(new Uint8Array(7))).toBe(7)
})

it.each([16_383, 16_384, 16_385])(
  "the byte length is exact if a character lies across the end of a chunk, at %i bytes",
  (offset) => {
    const text = `${"x".repeat(offset)}😀é\ud83d`
    expect(byteLength(text)).toBe(offset + 4 + 2 + 3)
  },
)

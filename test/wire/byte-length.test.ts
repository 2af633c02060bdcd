import fc from "fast-check"
import { expect, it } from "vitest"
import { byteLength } from "../../src/wire/byte-length.ts"

it("is the length of a text in UTF-8, and of bytes as they are", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.nat(400), (text, times) => {
      const long = text.repeat(times)
      expect(byteLength(long)).toBe(Buffer.byteLength(long))
    }),
  )
  expect(byteLength(new Uint8Array(7))).toBe(7)
})

it.each([16_383, 16_384, 16_385])("is exact for characters across the end of a chunk, at %i bytes", (offset) => {
  const text = `${"x".repeat(offset)}😀é\ud83d`
  expect(byteLength(text)).toBe(offset + 4 + 2 + 3)
})

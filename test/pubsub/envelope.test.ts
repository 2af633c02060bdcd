import fc from "fast-check"
import { expect, test } from "vitest"
import { decodeEnvelope, encodeEnvelope } from "../../src/pubsub/envelope.ts"

/** Any string, including lone surrogates and NUL. */
const text = (maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.nat(0xffff), { maxLength }).map((units) => String.fromCharCode(...units))

test("any envelope is decoded to what was encoded", () => {
  fc.assert(
    fc.property(text(255), text(255), text(400), fc.uint8Array(), (namespace, from, topic, bytes) => {
      const decoded = decodeEnvelope(encodeEnvelope({ namespace, from, topic, bytes }))
      expect(decoded).toEqual({ namespace, from, topic, bytes: Buffer.from(bytes) })
    }),
  )
})

test("an envelope has the byte layout of version 1", () => {
  const frame = encodeEnvelope({ namespace: "n", from: "ab", topic: "t", bytes: Uint8Array.of(1, 2) })
  expect(frame.toString("hex")).toBe(["52", "01", "01", "02", "00000001", "6e00", "61006200", "7400", "0102"].join(""))
})

test("any bytes are decoded to an envelope that encodes to them, or to a drop reason, and never throw", () => {
  const almost = fc
    .tuple(fc.uint8Array({ minLength: 6, maxLength: 40 }))
    .map(([bytes]) => Uint8Array.from([0x52, 1, ...bytes]))
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), almost), (bytes) => {
      const decoded = decodeEnvelope(Buffer.from(bytes))
      if (typeof decoded === "string") expect(["garbage", "version"]).toContain(decoded)
      else expect(Buffer.compare(encodeEnvelope(decoded), Buffer.from(bytes))).toBe(0)
    }),
    { numRuns: 1000 },
  )
})

test("an envelope that is cut off before its payload is garbage", () => {
  const frame = encodeEnvelope({ namespace: "n", from: "ab", topic: "t", bytes: new Uint8Array() })
  for (let length = 0; length < frame.length; length += 1)
    expect(decodeEnvelope(frame.subarray(0, length))).toBe("garbage")
})

test("an envelope of another version is dropped as `version`", () => {
  const frame = encodeEnvelope({ namespace: "n", from: "a", topic: "t", bytes: new Uint8Array() })
  frame[1] = 2
  expect(decodeEnvelope(frame)).toBe("version")
})

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { RollcallError } from "../../src/error.ts"
import type { Data, Serializer } from "../../src/wire/message.ts"
import { Payload } from "../../src/wire/payload.ts"
import { SERIALIZERS, serializerFor } from "../../src/wire/serializers.ts"
import { v1 } from "../../src/wire/v1.ts"
import { v2 } from "../../src/wire/v2.ts"

const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown)
const object = fc.dictionary(fc.string(), json).map((value) => JSON.parse(JSON.stringify(value)) as object)
const name = fc.string({ unit: "grapheme", maxLength: 60 }).filter((text) => Buffer.byteLength(text) < 256)
const bytes = fc.uint8Array()
const both: [string, Serializer][] = [
  ["version 1", v1],
  ["version 2", v2],
]

const parsed = (data: Data | undefined): unknown => JSON.parse(data as string)

const errorCode = (run: () => unknown): string | undefined => {
  try {
    run()
    return undefined
  } catch (error) {
    expect(error).toBeInstanceOf(RollcallError)
    return (error as RollcallError).code
  }
}

/** Decodes a server's binary frame by the sizes in its head. */
function binary(data: Data | undefined, names: number): [kind: number, names: string[], body: Uint8Array] {
  const frame = Buffer.from(data as Uint8Array)
  let at = 1 + names
  const read = Array.from(frame.subarray(1, 1 + names), (size) => frame.subarray(at, (at += size)).toString())
  return [frame[0] as number, read, new Uint8Array(frame.subarray(at))]
}

describe("version 2", () => {
  it("decodes an array's first five parts, of any type, and ignores further ones (P6)", () => {
    fc.assert(
      fc.property(fc.array(json, { minLength: 5, maxLength: 8 }), (parts) => {
        const [joinRef, ref, topic, event, payload] = parts
        expect(v2.decode(JSON.stringify(parts))).toEqual({ joinRef, ref, topic, event, payload })
      }),
    )
  })

  it("encodes pushes, replies, broadcasts and ends as arrays (P6, P8)", () => {
    fc.assert(
      fc.property(json, json, name, name, object, (joinRef, ref, topic, event, value) => {
        const payload = Payload.of(value)
        expect(parsed(v2.push(joinRef, topic, event, payload))).toEqual([joinRef, null, topic, event, value])
        expect(parsed(v2.broadcast(topic, event, payload))).toEqual([null, null, topic, event, value])
        expect(parsed(v2.end(joinRef, topic, "phx_close", payload))).toEqual([
          joinRef,
          joinRef,
          topic,
          "phx_close",
          value,
        ])
        expect(parsed(v2.reply(joinRef, ref, topic, event, payload))).toEqual([
          joinRef,
          ref,
          topic,
          "phx_reply",
          { response: value, status: event },
        ])
      }),
    )
  })

  it.each([null, "text", 5, true, []])("allows %j in a reply only: other payloads must be objects (P6)", (value) => {
    const payload = Payload.of(value)
    expect(parsed(v2.reply("1", "2", "t", "ok", payload))).toMatchObject({ 4: { response: value } })
    expect(errorCode(() => v2.push("1", "t", "e", payload))).toBe("bad_payload")
    expect(errorCode(() => v2.broadcast("t", "e", payload))).toBe("bad_payload")
  })

  it("decodes a client's binary push (P7)", () => {
    fc.assert(
      fc.property(name, name, name, name, bytes, (joinRef, ref, topic, event, payload) => {
        const names = [joinRef, ref, topic, event].map((text) => Buffer.from(text))
        const frame = Buffer.concat([Buffer.from([0, ...names.map(({ length }) => length)]), ...names, payload])
        expect(v2.decode(frame)).toEqual({ joinRef, ref, topic, event, payload })
      }),
    )
  })

  it("encodes bytes as binary pushes without a reference, as replies with one, and as broadcasts (P7)", () => {
    fc.assert(
      fc.property(name, name, name, name, bytes, (joinRef, ref, topic, event, value) => {
        const payload = Payload.of(value)
        expect(binary(v2.push(joinRef, topic, event, payload), 3)).toEqual([0, [joinRef, topic, event], value])
        expect(binary(v2.reply(joinRef, ref, topic, event, payload), 4)).toEqual([
          1,
          [joinRef, ref, topic, event],
          value,
        ])
        expect(binary(v2.broadcast(topic, event, payload), 2)).toEqual([2, [topic, event], value])
      }),
    )
  })

  it("treats a byte order mark as a character like any other", () => {
    const frame = Buffer.concat([Buffer.from([0, 0, 0, 3, 0]), Buffer.from("\ufeff")])
    expect(v2.decode(frame).topic).toBe("\ufeff")
  })

  it("encodes a null reference of a binary frame as the empty name", () => {
    expect(binary(v2.reply(null, null, "t", "ok", Payload.of(new Uint8Array())), 4)).toEqual([
      1,
      ["", "", "t", "ok"],
      new Uint8Array(),
    ])
  })

  it("refuses names above 255 bytes in a binary frame (P7)", () => {
    expect(errorCode(() => v2.broadcast("é".repeat(128), "e", Payload.of(new Uint8Array())))).toBe("name_too_long")
  })

  it.each([1, 2, 9, 255])("refuses a client's binary frame of kind %i", (kind) => {
    expect(errorCode(() => v2.decode(new Uint8Array([kind, 0, 0, 0, 0])))).toBe("bad_frame")
  })

  it("copies the bytes of a payload out of the buffer that they arrive in", () => {
    const frame = Buffer.from([0, 0, 0, 0, 0, 7])
    const { payload } = v2.decode(frame)
    frame[5] = 8
    expect(payload).toEqual(new Uint8Array([7]))
  })
})

describe.each([v1, v2])("version $vsn", (serializer) => {
  it("returns the text before and after the JSON of a push, so that a large JSON is not copied", () => {
    fc.assert(
      fc.property(json, fc.string(), fc.string(), fc.dictionary(fc.string(), json), (joinRef, topic, event, value) => {
        const payload = Payload.of(value)
        const [before, after] = serializer.around?.(joinRef, topic, event) ?? []
        expect(`${before}${payload.json}${after}`).toBe(serializer.push(joinRef, topic, event, payload))
      }),
    )
  })
})

describe("version 1", () => {
  it("decodes objects, with a join_ref or without, and ignores other fields (P6)", () => {
    fc.assert(
      fc.property(json, json, json, json, json, (joinRef, ref, topic, event, payload) => {
        const message = { topic, event, payload, ref, more: 1 }
        expect(v1.decode(JSON.stringify(message))).toEqual({ joinRef: null, ref, topic, event, payload })
        const joined = { ...message, join_ref: joinRef }
        expect(v1.decode(JSON.stringify(joined))).toEqual({ joinRef, ref, topic, event, payload })
      }),
    )
  })

  it.each(["topic", "event", "payload", "ref"])("refuses an object without %s (P6)", (missing) => {
    const { [missing as "ref"]: _, ...rest } = { topic: "t", event: "e", payload: {}, ref: "1" }
    expect(errorCode(() => v1.decode(JSON.stringify(rest)))).toBe("bad_frame")
  })

  it("encodes objects without join_ref, and returns undefined for bytes (P6)", () => {
    fc.assert(
      fc.property(json, name, name, json, (ref, topic, event, value) => {
        const payload = Payload.of(value)
        expect(parsed(v1.push("9", topic, event, payload))).toEqual({ topic, event, payload: value, ref: null })
        expect(parsed(v1.reply("9", ref, topic, event, payload))).toEqual({
          topic,
          event: "phx_reply",
          payload: { response: value, status: event },
          ref,
        })
        expect(parsed(v1.broadcast(topic, event, payload))).toEqual({ topic, event, payload: value, ref: null })
      }),
    )
    const none = Payload.of(new Uint8Array())
    expect([v1.push("1", "t", "e", none), v1.reply("1", "2", "t", "ok", none), v1.broadcast("t", "e", none)]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  it("encodes the end of a channel with its join's join_ref as ref, or null (P15)", () => {
    const close = (ref: unknown): unknown => ({ topic: "t", event: "phx_close", payload: {}, ref })
    expect(parsed(v1.end("7", "t", "phx_close", Payload.of({})))).toEqual(close("7"))
    expect(parsed(v1.end(null, "t", "phx_close", Payload.of({})))).toEqual(close(null))
  })

  it("decodes JSON from a binary frame, and refuses other bytes, because version 1 has no binary messages", () => {
    const message = { topic: "t", event: "e", payload: { text: "é" }, ref: "1" }
    expect(v1.decode(Buffer.from(JSON.stringify(message)))).toEqual({ joinRef: null, ...message })
    expect(errorCode(() => v1.decode(new Uint8Array([0, 0, 0, 0, 0])))).toBe("bad_frame")
    expect(errorCode(() => v1.decode(Buffer.from('"\u00ff"', "latin1")))).toBe("bad_frame")
  })
})

describe.each(both)("%s, decoding frames of a hostile client", (_name, serializer) => {
  it("refuses malformed frames with bad_frame, and throws nothing else", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      json.map((value) => JSON.stringify([value, "{", value])),
    )
    fc.assert(
      fc.property(fc.oneof(text, bytes), (data) => {
        expect([undefined, "bad_frame"]).toContain(errorCode(() => serializer.decode(data)))
      }),
      { numRuns: 1_000 },
    )
  })

  const frameWith = (payload: string): string =>
    serializer === v2 ? `["1","2","t","e",${payload}]` : `{"topic":"t","event":"e","ref":"2","payload":${payload}}`

  it.each([
    ["a number that overflows", "1e400"],
    ["a long number that overflows", "9".repeat(400)],
    ["a long number that overflows by a short exponent", `${"9".repeat(250)}e99`],
    ["half of a surrogate pair", '"\\ud83d"'],
    ["half of a surrogate pair as a key, deep inside", '[{"a":[{"\\uDE00":1}]}]'],
  ])("refuses %s (recorded case 09)", (_what, payload) => {
    expect(errorCode(() => serializer.decode(frameWith(payload)))).toBe("bad_frame")
  })

  it.each([
    ["a whole surrogate pair", '"\\ud83d\\ude00"', "😀"],
    ["large numbers that fit", "1e300", 1e300],
    ["text that looks like an overflowing number", '"1e400"', "1e400"],
  ])("accepts %s", (_what, payload, value) => {
    expect(serializer.decode(frameWith(payload)).payload).toBe(value)
  })

  const nested = (levels: number, text = ""): string => "[".repeat(levels) + text + "]".repeat(levels)

  it("accepts nesting of a thousand levels, not counting brackets in strings, and refuses more anywhere", () => {
    const text = JSON.stringify(`\\"${"[{".repeat(2_000)}`)
    expect(errorCode(() => serializer.decode(frameWith(nested(999, text))))).toBeUndefined()
    expect(errorCode(() => serializer.decode(frameWith(nested(1_000, text))))).toBe("bad_frame")
    expect(errorCode(() => serializer.decode(frameWith(`[${`${nested(900)},`.repeat(50)}0]`)))).toBeUndefined()
    const deep = nested(100_000)
    const frame =
      serializer === v2 ? `["1","2",${deep},"e",{}]` : `{"topic":${deep},"event":"e","ref":"2","payload":{}}`
    expect(errorCode(() => serializer.decode(frame))).toBe("bad_frame")
  })

  it("keeps __proto__ an ordinary key", () => {
    const { payload } = serializer.decode(frameWith('{"__proto__":{"admin":true}}'))
    expect(Object.keys(payload as object)).toEqual(["__proto__"])
    expect((payload as { admin?: boolean }).admin).toBeUndefined()
  })
})

describe("the choice of a serializer by vsn (P1)", () => {
  const third: Serializer = { ...v2, vsn: "3.1.0" }
  const named: Serializer = { ...v2, vsn: "msgpack" }

  it.each<[vsn: string | undefined, serializer: Serializer | undefined]>([
    [undefined, v1],
    ["1.0.0", v1],
    ["1.0.7", v1],
    ["2.0.0", v2],
    ["2.0.3-rc.1+build", v2],
    ["2.0.0+build", v2],
    ["1.0.0-rc.1", undefined],
    ["2.1.0", undefined],
    ["2.0", undefined],
    ["2.0.01", undefined],
    ["02.0.0", undefined],
    ["", undefined],
    ["3.1.0", third],
    ["3.1.4", third],
    ["3.0.0", undefined],
    ["msgpack", named],
    ["MSGPACK", undefined],
  ])("for %s", (vsn, serializer) => {
    expect(serializerFor(vsn, [third, named, ...SERIALIZERS])).toBe(serializer)
  })

  it("prefers the first of two that serve the same version", () => {
    const other: Serializer = { ...v2 }
    expect(serializerFor("2.0.0", [other, ...SERIALIZERS])).toBe(other)
  })
})

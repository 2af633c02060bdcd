import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { RollcallError } from "../../src/error.ts"
import type { Data, Serializer } from "../../src/wire/message.ts"
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

const said = (data: Data | undefined): unknown => JSON.parse(data as string)

const code = (run: () => unknown): string | undefined => {
  try {
    run()
    return undefined
  } catch (error) {
    expect(error).toBeInstanceOf(RollcallError)
    return (error as RollcallError).code
  }
}

/** Reads a server's binary frame by its own sizes. */
function binary(data: Data | undefined, names: number): [kind: number, names: string[], body: Uint8Array] {
  const frame = Buffer.from(data as Uint8Array)
  let at = 1 + names
  const read = Array.from(frame.subarray(1, 1 + names), (size) => frame.subarray(at, (at += size)).toString())
  return [frame[0] as number, read, new Uint8Array(frame.subarray(at))]
}

describe("version 2", () => {
  it("reads the five parts of an array, whatever they are, and ignores more (P6)", () => {
    fc.assert(
      fc.property(fc.array(json, { minLength: 5, maxLength: 8 }), (parts) => {
        const [joinRef, ref, topic, event, payload] = parts
        expect(v2.decode(JSON.stringify(parts))).toEqual({ joinRef, ref, topic, event, payload })
      }),
    )
  })

  it("writes pushes, replies, broadcasts and ends as arrays (P6, P8)", () => {
    fc.assert(
      fc.property(json, json, name, name, object, (joinRef, ref, topic, event, payload) => {
        const body = JSON.stringify(payload)
        expect(said(v2.push(joinRef, topic, event, body))).toEqual([joinRef, null, topic, event, payload])
        expect(said(v2.broadcast(topic, event, body))).toEqual([null, null, topic, event, payload])
        expect(said(v2.end(joinRef, topic, "phx_close", body))).toEqual([joinRef, joinRef, topic, "phx_close", payload])
        expect(said(v2.reply(joinRef, ref, topic, event, body))).toEqual([
          joinRef,
          ref,
          topic,
          "phx_reply",
          { response: payload, status: event },
        ])
      }),
    )
  })

  it.each(["null", '"text"', "5", "true", "[]"])("says %s in a reply only: all else is an object (P6)", (body) => {
    expect(said(v2.reply("1", "2", "t", "ok", body))).toMatchObject({ 4: { response: JSON.parse(body) } })
    expect(code(() => v2.push("1", "t", "e", body))).toBe("bad_payload")
    expect(code(() => v2.broadcast("t", "e", body))).toBe("bad_payload")
  })

  it("reads a client's binary push (P7)", () => {
    fc.assert(
      fc.property(name, name, name, name, bytes, (joinRef, ref, topic, event, payload) => {
        const names = [joinRef, ref, topic, event].map((text) => Buffer.from(text))
        const frame = Buffer.concat([Buffer.from([0, ...names.map(({ length }) => length)]), ...names, payload])
        expect(v2.decode(frame)).toEqual({ joinRef, ref, topic, event, payload })
      }),
    )
  })

  it("writes binary pushes without a reference, replies with one, and broadcasts (P7)", () => {
    fc.assert(
      fc.property(name, name, name, name, bytes, (joinRef, ref, topic, event, payload) => {
        expect(binary(v2.push(joinRef, topic, event, payload), 3)).toEqual([0, [joinRef, topic, event], payload])
        expect(binary(v2.reply(joinRef, ref, topic, event, payload), 4)).toEqual([
          1,
          [joinRef, ref, topic, event],
          payload,
        ])
        expect(binary(v2.broadcast(topic, event, payload), 2)).toEqual([2, [topic, event], payload])
      }),
    )
  })

  it("takes a byte order mark for a character like any other", () => {
    const frame = Buffer.concat([Buffer.from([0, 0, 0, 3, 0]), Buffer.from("\ufeff")])
    expect(v2.decode(frame).topic).toBe("\ufeff")
  })

  it("writes a null reference of a binary frame as the empty name", () => {
    expect(binary(v2.reply(null, null, "t", "ok", new Uint8Array()), 4)).toEqual([
      1,
      ["", "", "t", "ok"],
      new Uint8Array(),
    ])
  })

  it("refuses names above 255 bytes in a binary frame (P7)", () => {
    expect(code(() => v2.broadcast("é".repeat(128), "e", new Uint8Array()))).toBe("name_too_long")
  })

  it.each([1, 2, 9, 255])("refuses a binary frame of kind %i", (kind) => {
    expect(code(() => v2.decode(new Uint8Array([kind, 0, 0, 0, 0])))).toBe("bad_frame")
  })

  it("keeps the bytes of a payload apart from the buffer that they came in", () => {
    const frame = Buffer.from([0, 0, 0, 0, 0, 7])
    const { payload } = v2.decode(frame)
    frame[5] = 8
    expect(payload).toEqual(new Uint8Array([7]))
  })
})

describe.each([v1, v2])("version $vsn", (serializer) => {
  it("says what stands around a push's JSON, so that it need not be copied", () => {
    fc.assert(
      fc.property(
        json,
        fc.string(),
        fc.string(),
        fc.dictionary(fc.string(), json),
        (joinRef, topic, event, payload) => {
          const body = JSON.stringify(payload)
          const [before, after] = serializer.around(joinRef, topic, event)
          expect(before + body + after).toBe(serializer.push(joinRef, topic, event, body))
        },
      ),
    )
  })
})

describe("version 1", () => {
  it("reads objects, with a join_ref or without, and ignores other fields (P6)", () => {
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
    expect(code(() => v1.decode(JSON.stringify(rest)))).toBe("bad_frame")
  })

  it("writes objects without join_ref, and says nothing that is binary (P6)", () => {
    fc.assert(
      fc.property(json, name, name, json, (ref, topic, event, payload) => {
        const body = JSON.stringify(payload)
        expect(said(v1.push("9", topic, event, body))).toEqual({ topic, event, payload, ref: null })
        expect(said(v1.reply("9", ref, topic, event, body))).toEqual({
          topic,
          event: "phx_reply",
          payload: { response: payload, status: event },
          ref,
        })
        expect(said(v1.broadcast(topic, event, body))).toEqual({ topic, event, payload, ref: null })
      }),
    )
    const none = new Uint8Array()
    expect([v1.push("1", "t", "e", none), v1.reply("1", "2", "t", "ok", none), v1.broadcast("t", "e", none)]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  it("gives the end of a channel the join_ref that its join came with as its ref, or none (P15)", () => {
    const close = (ref: unknown): unknown => ({ topic: "t", event: "phx_close", payload: {}, ref })
    expect(said(v1.end("7", "t", "phx_close", "{}"))).toEqual(close("7"))
    expect(said(v1.end(null, "t", "phx_close", "{}"))).toEqual(close(null))
  })

  it("reads JSON from a binary frame, too, and nothing else: version 1 knows no other", () => {
    const message = { topic: "t", event: "e", payload: { text: "é" }, ref: "1" }
    expect(v1.decode(Buffer.from(JSON.stringify(message)))).toEqual({ joinRef: null, ...message })
    expect(code(() => v1.decode(new Uint8Array([0, 0, 0, 0, 0])))).toBe("bad_frame")
    expect(code(() => v1.decode(Buffer.from('"\u00ff"', "latin1")))).toBe("bad_frame")
  })
})

describe.each(both)("%s, of a hostile client", (_name, serializer) => {
  it("refuses what it cannot read with bad_frame, and throws nothing else", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      json.map((value) => JSON.stringify([value, "{", value])),
    )
    fc.assert(
      fc.property(fc.oneof(text, bytes), (data) => {
        expect([undefined, "bad_frame"]).toContain(code(() => serializer.decode(data)))
      }),
      { numRuns: 1_000 },
    )
  })

  const around = (payload: string): string =>
    serializer === v2 ? `["1","2","t","e",${payload}]` : `{"topic":"t","event":"e","ref":"2","payload":${payload}}`

  it.each([
    ["a number that overflows", "1e400"],
    ["a long number that overflows", "9".repeat(400)],
    ["a long number that overflows by a short exponent", `${"9".repeat(250)}e99`],
    ["half of a surrogate pair", '"\\ud83d"'],
    ["half of a surrogate pair as a key, deep inside", '[{"a":[{"\\uDE00":1}]}]'],
  ])("refuses %s (recorded case 09)", (_what, payload) => {
    expect(code(() => serializer.decode(around(payload)))).toBe("bad_frame")
  })

  it.each([
    ["a whole surrogate pair", '"\\ud83d\\ude00"', "😀"],
    ["large numbers that fit", "1e300", 1e300],
    ["text that looks like an overflowing number", '"1e400"', "1e400"],
  ])("takes %s", (_what, payload, value) => {
    expect(serializer.decode(around(payload)).payload).toBe(value)
  })

  const nested = (levels: number, text = ""): string => "[".repeat(levels) + text + "]".repeat(levels)

  it("takes what is nested a thousand levels deep, brackets in strings not counted, and refuses more anywhere", () => {
    const text = JSON.stringify(`\\"${"[{".repeat(2_000)}`)
    expect(code(() => serializer.decode(around(nested(999, text))))).toBeUndefined()
    expect(code(() => serializer.decode(around(nested(1_000, text))))).toBe("bad_frame")
    expect(code(() => serializer.decode(around(`[${`${nested(900)},`.repeat(50)}0]`)))).toBeUndefined()
    const deep = nested(100_000)
    const frame =
      serializer === v2 ? `["1","2",${deep},"e",{}]` : `{"topic":${deep},"event":"e","ref":"2","payload":{}}`
    expect(code(() => serializer.decode(frame))).toBe("bad_frame")
  })

  it("keeps __proto__ an ordinary key", () => {
    const { payload } = serializer.decode(around('{"__proto__":{"admin":true}}'))
    expect(Object.keys(payload as object)).toEqual(["__proto__"])
    expect((payload as { admin?: boolean }).admin).toBeUndefined()
  })
})

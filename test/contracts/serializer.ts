import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Payload } from "../../src/wire/payload.ts"
import type { Data, Message, Serializer } from "../../src/wire/message.ts"

/** One serializer and its client side, which a test file provides. */
export interface SerializerUnderTest {
  readonly serializer: Serializer
  /** Encodes a message as a client does. */
  encode(message: Message): Data
  /** Decodes a frame from the server as a client does; a part that the version does not send is `undefined`. */
  read(data: Data): Message
  /** Whether frames from the server carry a join reference. */
  readonly hasJoinRef: boolean
  /** Whether it can send bytes. */
  readonly hasBytes: boolean
}

/** Without `__proto__`, a key that some decoders refuse. */
const plain = <Value>(value: Value): Value =>
  JSON.parse(JSON.stringify(value).replaceAll("__proto__", "proto")) as Value
const json = fc.jsonValue().map((value) => plain<unknown>(value))
const object = fc.dictionary(fc.string(), json).map((value) => plain<object>(value))
const ref = fc.option(fc.string({ maxLength: 20 }))
const name = fc.string({ minLength: 1, maxLength: 20 })
const bytes = fc.uint8Array({ maxLength: 50 })

/** The behaviour of every serializer, in any encoding (P6–P8). */
export function serializerContract(
  title: string,
  { serializer, encode, read, ...abilities }: SerializerUnderTest,
): void {
  const joinRefOf = (joinRef: unknown): unknown => (abilities.hasJoinRef ? joinRef : undefined)

  describe(`the serializer of ${title}`, () => {
    it("decodes what a client encodes", () => {
      fc.assert(
        fc.property(ref, ref, name, name, json, (joinRef, ref, topic, event, payload) => {
          const message = { joinRef, ref, topic, event, payload }
          expect(serializer.decode(encode(message))).toEqual(message)
        }),
      )
    })

    it("encodes pushes, broadcasts, replies and ends so that a client reads all their parts", () => {
      fc.assert(
        fc.property(ref, ref, name, name, object, (joinRef, ref, topic, event, value) => {
          const payload = Payload.of(value)
          const all = [
            serializer.push(joinRef, topic, event, payload),
            serializer.broadcast(topic, event, payload),
            serializer.reply(joinRef, ref, topic, "ok", payload),
            serializer.end(joinRef, topic, "phx_close", payload),
          ]
          expect(all.map((data) => read(data as Data))).toEqual([
            { joinRef: joinRefOf(joinRef), ref: null, topic, event, payload: value },
            { joinRef: joinRefOf(null), ref: null, topic, event, payload: value },
            { joinRef: joinRefOf(joinRef), ref, topic, event: "phx_reply", payload: { status: "ok", response: value } },
            { joinRef: joinRefOf(joinRef), ref: joinRef, topic, event: "phx_close", payload: value },
          ])
        }),
      )
    })

    it("encodes any JSON value as the response of a reply", () => {
      fc.assert(
        fc.property(json, (value) => {
          const data = serializer.reply("1", "2", "t", "error", Payload.of(value))
          expect(read(data as Data).payload).toEqual({ status: "error", response: value })
        }),
      )
    })

    it("encodes a payload that is nested 1,000 levels deep", () => {
      const deep = JSON.parse(`{"a":${"[".repeat(999)}${"]".repeat(999)}}`) as unknown
      const data = serializer.push("1", "t", "e", Payload.of(deep)) as Data
      expect(JSON.stringify(read(data).payload)).toBe(JSON.stringify(deep))
    })

    it("encodes a payload in the same way, whether it comes from a handler or from another node, or is lazy", () => {
      fc.assert(
        fc.property(object, (value) => {
          const text = JSON.stringify(value)
          const same = [
            Payload.of(value),
            Payload.plain(value),
            Payload.fromJson(text),
            Payload.lazy(
              () => value,
              () => text,
            ),
          ]
          const [first, ...others] = same.map((payload) => serializer.push("1", "t", "e", payload))
          for (const other of others) expect(other).toEqual(first)
        }),
      )
    })

    it("sends values as JSON would write them: a Date as a string, and no undefined fields", () => {
      const payload = Payload.of({ at: new Date(0), left: undefined, list: [undefined, Number.NaN] })
      const data = serializer.push("1", "t", "e", payload) as Data
      expect(read(data).payload).toEqual({ at: "1970-01-01T00:00:00.000Z", list: [null, null] })
    })

    it("encodes a payload once for all its clients", () => {
      let times = 0
      const payload = Payload.of({
        toJSON() {
          times += 1
          return { a: 1 }
        },
      })
      for (const joinRef of ["1", "2", "3"]) serializer.push(joinRef, "t", "e", payload)
      serializer.broadcast("t", "e", payload)
      serializer.reply("1", "2", "t", "ok", payload)
      expect(times).toBe(1)
    })

    it(abilities.hasBytes ? "sends bytes as they are" : "returns undefined for bytes, which it cannot send", () => {
      fc.assert(
        fc.property(bytes, (value) => {
          const payload = Payload.of(value)
          const all = [
            serializer.push("1", "t", "e", payload),
            serializer.broadcast("t", "e", payload),
            serializer.reply("1", "2", "t", "ok", payload),
          ]
          if (!abilities.hasBytes) {
            expect(all).toEqual([undefined, undefined, undefined])
            return
          }
          const [push, broadcast, reply] = all.map((data) => read(data as Data).payload)
          expect([push, broadcast, reply]).toEqual([value, value, { status: "ok", response: value }])
        }),
      )
    })

    it("throws TypeError for a payload that is not JSON", () => {
      const cycle: Record<string, unknown> = {}
      cycle["self"] = cycle
      for (const value of [{ big: 1n }, cycle]) {
        expect(() => serializer.push("1", "t", "e", Payload.of(value))).toThrow(TypeError)
        expect(() => serializer.broadcast("t", "e", Payload.of(value))).toThrow(TypeError)
        expect(() => serializer.reply("1", "2", "t", "ok", Payload.of(value))).toThrow(TypeError)
      }
    })

    it("refuses malformed frames with bad_frame, and throws nothing else", () => {
      fc.assert(
        fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.json(), fc.uint8Array({ maxLength: 300 })), (data) => {
          try {
            serializer.decode(data)
          } catch (error) {
            expect(error).toMatchObject({ name: "RollcallError", code: "bad_frame" })
          }
        }),
        { numRuns: 500 },
      )
    })

    it("writes the same with the envelope of `around`, if it has one, as with `push`", () => {
      const payload = Payload.of({ a: "é" })
      const { around } = serializer
      if (around === undefined) return
      const [before, after] = around("1", "t", "e")
      expect(before + payload.json + after).toBe(serializer.push("1", "t", "e", payload))
    })
  })
}

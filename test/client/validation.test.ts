/** What a room with the option `definition` receives: validated, as the schemas return it. */
import { type } from "arktype"
import fc from "fast-check"
import * as v from "valibot"
import { describe, expect, it, onTestFinished, test, vi } from "vitest"
import { WebSocket } from "ws"
import { z } from "zod"
import { connect, defineRoom } from "../../src/client/index.ts"
import type {
  OnInvalid,
  Problem,
  RollcallError,
  RoomDefinition,
  RoomOptions,
  StandardSchema,
} from "../../src/client/index.ts"
import { relay } from "../../src/server/index.ts"
import { meta } from "../support/presences.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"
import { serve } from "../support/serve.ts"
import { until } from "../support/until.ts"

const TOPIC = "rooms:1"

/** The same room in each library: it has a default, and removes unknown fields. */
const LIBRARIES: readonly [string, RoomDefinition][] = [
  [
    "zod",
    defineRoom("rooms:*", {
      meta: z.object({ name: z.string(), status: z.enum(["here", "away"]).default("here") }),
      events: { cursor: z.object({ x: z.number(), color: z.string().default("gray") }) },
    }),
  ],
  [
    "valibot",
    defineRoom("rooms:*", {
      meta: v.object({ name: v.string(), status: v.optional(v.picklist(["here", "away"]), "here") }),
      events: { cursor: v.object({ x: v.number(), color: v.optional(v.string(), "gray") }) },
    }),
  ],
  [
    "arktype",
    defineRoom("rooms:*", {
      meta: type({ "+": "delete", name: "string", status: "'here' | 'away' = 'here'" }),
      events: { cursor: type({ "+": "delete", x: "number", color: "string = 'gray'" }) },
    }),
  ],
]
const zod = LIBRARIES[0]![1]

function setup(definition: RoomDefinition = zod, options: RoomOptions = {}) {
  const { transport, latest } = scriptedTransport()
  const connection = connect("ws://example.test/socket", { transport, reconnectAfterMs: () => 0 })
  onTestFinished(() => connection.disconnect())
  const room = connection.room<{ name: string }>(TOPIC, {}, { definition, ...options })
  const errors: RollcallError[] = []
  room.onError((error) => errors.push(error))
  const receive = (event: string, payload: unknown): void =>
    latest().receive(latest().last("phx_join").joinRef, null, TOPIC, event, payload)
  const join = (): void => {
    if (latest().readyState === 0) latest().open()
    latest().reply(latest().last("phx_join"))
  }
  const state = (users: object): void => receive("presence_state", users)
  const diff = (joins: object, leaves: object = {}): void => receive("presence_diff", { joins, leaves })
  join()
  const view = () => Object.fromEntries(room.list().map(({ key, metas }) => [key, metas]))
  /** Receives a message whose payload is bytes. */
  const receiveBytes = (event: string, ...bytes: number[]): void => {
    const names = [latest().last("phx_join").joinRef!, TOPIC, event].map((name) => new TextEncoder().encode(name))
    const frame = [0, ...names.map(({ length }) => length), ...names.flatMap((name) => [...name]), ...bytes]
    latest().onmessage({ data: Uint8Array.from(frame).buffer })
  }
  return { connection, room, errors, receive, receiveBytes, join, state, diff, view, latest }
}

const user = (...metas: object[]) => ({ metas })
const ada = meta("1", { name: "Ada" })
const HERE = { status: "here" }

/** Resolves after the reports of the frames that have arrived. */
const reported = (): Promise<void> => Promise.resolve()

/** A room whose problems are kept. */
function told(definition?: RoomDefinition, options: RoomOptions = {}) {
  const problems: Problem[] = []
  const all = setup(definition, { ...options, invalid: (problem) => problems.push(problem) })
  return { ...all, problems, keys: () => problems.map(({ key }) => key) }
}

describe.each(LIBRARIES)("a definition of %s", (_library, definition) => {
  it("shows metas and passes on events as the schema returns them, with the references and the sender", () => {
    const { room, state, diff, view, receive } = setup(definition)
    const received: unknown[] = []
    room.on("cursor", (payload) => received.push(payload))
    state({ ada: user({ ...ada, unknown: true }) })
    diff({ bob: user(meta("3", { name: "Bob", status: "away", phx_ref_prev: "2" })) })
    expect(view()).toStrictEqual({
      ada: [{ phx_ref: "1", name: "Ada", status: "here" }],
      bob: [{ phx_ref: "3", phx_ref_prev: "2", name: "Bob", status: "away" }],
    })
    receive("cursor", { x: 1, unknown: true, from: "ada" })
    receive("cursor", { x: 2 })
    expect(received).toStrictEqual([
      { x: 1, color: "gray", from: "ada" },
      { x: 2, color: "gray" },
    ])
    expect(room.invalidCount).toBe(0)
  })

  it("does not show an invalid meta, nor pass on an invalid event, and says what is wrong with it", async () => {
    const { room, state, view, receive, problems } = told(definition)
    const received: unknown[] = []
    room.on("cursor", (payload) => received.push(payload))
    const eve = meta("2", { name: 7 })
    state({ ada: user(ada, meta("3")), eve: user(eve) })
    receive("cursor", { x: "left", from: "eve" })
    await reported()
    expect(view()).toEqual({ ada: [{ ...ada, ...HERE }] })
    expect([room.size, received, room.invalidCount]).toEqual([1, [], 3])
    expect(problems).toMatchObject([
      { topic: TOPIC, key: "ada", value: meta("3") },
      { topic: TOPIC, key: "eve", value: eve },
      { topic: TOPIC, event: "cursor", value: { x: "left", from: "eve" } },
    ])
    for (const { issues } of problems) expect(issues[0]).toMatchObject({ message: expect.any(String) })
    expect(problems.map((problem) => "event" in problem)).toEqual([false, false, true])
  })
})

describe("metas", () => {
  it("appear and disappear as updates make them valid or invalid", () => {
    const { state, diff, view } = setup()
    state({ ada: user(ada) })
    diff({ ada: user(meta("2", { name: 7, phx_ref_prev: "1" })) }, { ada: user(ada) })
    expect(view()).toEqual({})
    diff({ ada: user(meta("3", { name: "A", phx_ref_prev: "2" })) }, { ada: user(meta("2", { name: 7 })) })
    expect(view()).toEqual({ ada: [meta("3", { name: "A", phx_ref_prev: "2", ...HERE })] })
    diff({}, { ada: user(meta("3", { name: "A" })) })
    expect(view()).toEqual({})
  })

  it("are validated and reported once, however often they are sent: in states, copies of diffs, and after rejoins", async () => {
    let calls = 0
    const counting = z.object({ name: z.string() }).refine(() => ++calls)
    const { state, diff, keys, latest, join, view } = told(defineRoom("rooms:*", { meta: counting }))
    const eve = meta("9", { name: 7 })
    state({ ada: user(ada), eve: user(eve) })
    diff({ bob: user(meta("2", { name: "Bob" })) })
    diff({ ada: user(ada), eve: user(eve) })
    state({ ada: user(ada), eve: user(eve), bob: user(meta("2", { name: "Bob" })) })
    const former = latest()
    former.drop()
    await until(() => latest() !== former)
    join()
    diff({ carol: user(meta("3", { name: "Carol" })), dan: user(meta("8", {})) })
    state({ ada: user(ada), eve: user(eve), bob: user(meta("2", { name: "Bob" })) })
    const all = { ada: user(ada), eve: user(eve), carol: user(meta("3", { name: "Carol" })), dan: user(meta("8")) }
    state(all)
    state(all)
    await reported()
    expect([calls, keys()]).toEqual([3, ["eve", "dan"]])
    expect(Object.keys(view())).toEqual(["ada", "carol"])
  })

  it("are forgotten when they leave, and validated anew when a healed network brings them back", async () => {
    const { state, diff, keys } = told()
    const eve = { eve: user(meta("9", { name: 7 })) }
    state(eve)
    diff({}, eve)
    diff(eve)
    await reported()
    expect(keys()).toEqual(["eve", "eve"])
  })

  it("are validated anew if the server sends another content under their reference", () => {
    const { state, view } = setup()
    state({ ada: user(ada) })
    state({ ada: user(meta("1", { name: "Ada L." })) })
    expect(view()).toEqual({ ada: [meta("1", { name: "Ada L.", ...HERE })] })
    state({ ada: user(meta("1", {})) })
    expect(view()).toEqual({})
  })

  it("are validated and reported once, also if the application has callbacks for the states and diffs", async () => {
    const problems: Problem[] = []
    const { room, state, diff } = setup(zod, { invalid: (problem) => problems.push(problem) })
    const seen: unknown[] = []
    for (const event of ["presence_state", "presence_diff"]) room.on(event, (payload) => seen.push(payload))
    state({ bob: user(meta("2", { name: 2 })) })
    diff({ cyd: user(meta("3", {})) }, { bob: user(meta("2", { name: 2 })) })
    diff({}, { cyd: user(meta("3", {})) })
    await Promise.resolve()
    expect([room.invalidCount, problems.map(({ key }) => key), seen.length]).toEqual([2, ["bob", "cyd"], 3])
  })

  it("change where the schema has made a Date, or what else has no keys, and not if only references changed", () => {
    const at = z.string().transform((text) => new Date(text))
    const tags = z.array(z.string()).transform((all) => new Set(all))
    const definition = defineRoom("rooms:*", { meta: z.object({ at, deep: z.object({ at }), tags: tags.optional() }) })
    const { room, state, diff } = setup(definition)
    const seen: unknown[] = []
    room.onChange((changes) => seen.push(...changes.map((each) => (each.type === "update" ? each.fields : each.type))))
    const sent = (ref: string, fields: object) => meta(ref, { at: "2026-01-01", deep: { at: "2026-01-01" }, ...fields })
    const all = [{}, {}, { at: "2026-01-02" }, {}, { deep: { at: "2026-01-02" } }, { tags: ["a"] }, { tags: ["b"] }]
    state({ ada: user(sent("0", {})) })
    for (const [before, fields] of all.slice(1).entries())
      diff(
        { ada: user(sent(`${before + 1}`, { ...fields, phx_ref_prev: `${before}` })) },
        { ada: user(sent(`${before}`, all[before]!)) },
      )
    expect(seen).toEqual(["join", ["at"], ["at"], ["deep"], ["deep", "tags"], ["tags"]])
  })

  it("without references leave, too, although the schema changes them", () => {
    const { state, diff, view } = setup()
    state({ ada: user({ name: "Ada" }) })
    expect(view()).toStrictEqual({ ada: [{ name: "Ada", status: "here" }] })
    diff({}, { ada: user({ name: "Ada" }) })
    expect(view()).toEqual({})
  })

  it("may have what a strict schema does not know: references, and which fields were chosen", () => {
    const strict = defineRoom("rooms:*", { meta: z.strictObject({ name: z.string() }) })
    const { state, view, room } = setup(strict)
    const chosen = meta("1", { name: "Ada", phx_ref_prev: "0", chosen: { name: 2 } })
    state({ ada: user(chosen), eve: user(meta("2", { name: "Eve", age: 5 })) })
    expect(view()).toStrictEqual({ ada: [chosen] })
    expect(room.invalidCount).toBe(1)
  })

  it("stay beside what the server's fetch has added", () => {
    const { state, room } = setup()
    state({ ada: { metas: [ada], full: "Ada Lovelace" } })
    expect(room.get("ada")).toEqual({ key: "ada", metas: [{ ...ada, ...HERE }], full: "Ada Lovelace" })
  })

  it("of users with names of the prototype are validated like others", () => {
    const { state, room, view } = setup()
    state(JSON.parse('{"__proto__":{"metas":[{"phx_ref":"1","name":"P"}]},"constructor":{"metas":[{"phx_ref":"2"}]}}'))
    expect(room.list((key) => key)).toEqual(["__proto__"])
    expect(Object.getPrototypeOf(view())).toBe(Object.prototype)
  })

  it("of a malformed state or diff are refused as a whole, as without a definition", () => {
    const { receive, receiveBytes, errors, view, state } = setup()
    state({ ada: user(ada) })
    receiveBytes("presence_state", 1, 2)
    receiveBytes("presence_diff", 1, 2)
    expect(errors.map(({ code }) => code)).toEqual(["bad_frame", "bad_frame"])
    for (const payload of [null, 7, "text", [], { ada: 1 }, { ada: { metas: 1 } }, { ada: { metas: [1] } }]) {
      receive("presence_state", payload)
      receive("presence_diff", { joins: payload, leaves: {} })
      receive("presence_diff", payload)
    }
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(["bad_frame"]))
    expect(Object.keys(view())).toEqual(["ada"])
  })

  it("that are nested too deeply to be compared are a malformed state, too", () => {
    const { latest, errors, view } = setup()
    const { joinRef } = latest().last("phx_join")
    const deep = "[".repeat(100_000) + "]".repeat(100_000)
    for (let n = 0; n < 2; n++) {
      const users = `{"ada":{"metas":[{"phx_ref":"1","name":"Ada","deep":${deep}}]}}`
      latest().onmessage({ data: `["${joinRef}",null,"${TOPIC}","presence_state",${users}]` })
    }
    expect(errors.map(({ code }) => code)).toEqual(["bad_frame"])
    expect(Object.keys(view())).toEqual(["ada"])
  })

  it("have other names of their events if the application says so", () => {
    const { receive, view } = setup(zod, { events: { state: "people", diff: "people_diff" } })
    receive("people", { ada: user(ada), eve: user(meta("2")) })
    receive("people_diff", { joins: { bob: user(meta("3", { name: "Bob" })), eve: user(meta("4")) }, leaves: {} })
    expect(Object.keys(view())).toEqual(["ada", "bob"])
  })

  it("are not validated by a definition without a schema for them", () => {
    const { state, view } = setup(defineRoom("rooms:*", { events: { cursor: z.object({}) } }))
    state({ eve: user(meta("2", { name: 7 })) })
    expect(Object.keys(view())).toEqual(["eve"])
  })
})

describe("events", () => {
  it("are validated and reported once for all callbacks", async () => {
    let calls = 0
    const cursor = z.object({ x: z.number() }).refine(() => ++calls)
    const { room, receive, problems } = told(defineRoom("rooms:*", { events: { cursor } }))
    const received: unknown[] = []
    for (let n = 0; n < 3; n++) room.on("cursor", (payload) => received.push(payload))
    receive("cursor", { x: 1 })
    receive("cursor", { x: 1 })
    receive("cursor", {})
    receive("cursor", {})
    await reported()
    expect([calls, received.length, problems.length]).toEqual([2, 6, 2])
  })

  it("that the definition does not name pass, also those named as a method of any object", () => {
    const { room, receive } = setup()
    const received: unknown[] = []
    for (const event of ["notice", "constructor", "toString"]) {
      room.on(event, (payload) => received.push(payload))
      receive(event, { any: event })
    }
    expect(received).toEqual([{ any: "notice" }, { any: "constructor" }, { any: "toString" }])
  })

  it("may have a sender that a strict schema does not know, or a field of this name that it does know", () => {
    const events = {
      strict: z.strictObject({ x: z.number() }),
      known: z.strictObject({ from: z.number(), to: z.number() }),
    }
    const { room, receive } = setup(defineRoom("rooms:*", { events }))
    const received: unknown[] = []
    for (const event of Object.keys(events)) room.on(event, (payload) => received.push(payload))
    receive("strict", { x: 1, from: "ada" })
    receive("strict", { x: 1, from: "ada", y: 1 })
    receive("known", { from: 1, to: 2 })
    receive("known", { from: "ada", to: 2 })
    expect(received).toEqual([
      { x: 1, from: "ada" },
      { from: 1, to: 2 },
    ])
  })

  it("may be bytes", () => {
    const ink = z.custom<ArrayBuffer>((value) => value instanceof ArrayBuffer && value.byteLength === 2)
    const { room, receiveBytes } = setup(defineRoom("rooms:*", { events: { ink } }))
    const received: unknown[] = []
    room.on("ink", (payload) => received.push([...new Uint8Array(payload as ArrayBuffer)]))
    receiveBytes("ink", 1, 2)
    receiveBytes("ink", 1, 2, 3)
    expect([received, room.invalidCount]).toEqual([[[1, 2]], 1])
  })

  it("may have equal values and other schemas", () => {
    const { room, receive } = setup(defineRoom("rooms:*", { events: { a: z.null(), b: z.string() } }))
    const got: unknown[] = []
    for (const event of ["a", "b"]) room.on(event, () => got.push(event))
    for (const event of ["a", "b", "a"]) receive(event, null)
    expect([got, room.invalidCount]).toEqual([["a", "a"], 1])
  })

  it("may be no objects", () => {
    const { room, receive } = setup(defineRoom("rooms:*", { events: { text: z.string().trim() } }))
    const received: unknown[] = []
    for (let n = 0; n < 2; n++) room.on("text", (payload) => received.push(payload))
    receive("text", " hi ")
    receive("text", 7)
    receive("text", " hi ")
    expect(received).toEqual(["hi", "hi", "hi", "hi"])
  })
})

describe("invalid", () => {
  it.each(["drop", undefined] as const)(
    "is %j: the first problem is reported to onError, all are counted",
    async (invalid) => {
      const { room, state, receive, errors } = setup(zod, { invalid })
      room.on("cursor", () => undefined)
      state({ "eve\n": user(meta("1", { name: 7 })), mallory: user(meta("2")) })
      receive("cursor", { x: 7n.toString() })
      await reported()
      expect(errors).toMatchObject([
        {
          code: "invalid_meta",
          message: expect.stringContaining(String.raw`rooms:1: expected a valid meta of "eve\n": "name `),
          reason: { key: "eve\n", value: meta("1", { name: 7 }) },
        },
      ])
      expect(room.invalidCount).toBe(3)
    },
  )

  it("reports an event with its name", async () => {
    const { room, receive, errors } = setup()
    room.on("cursor", () => undefined)
    receive("cursor", { x: "left" })
    await reported()
    expect(errors).toMatchObject([{ code: "invalid_payload", message: expect.stringContaining("valid event cursor") }])
  })

  it("is only logged to the console if nobody listens to onError", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined)
    onTestFinished(() => logged.mockRestore())
    const { transport, latest } = scriptedTransport()
    const connection = connect("ws://example.test/socket", { transport })
    onTestFinished(() => connection.disconnect())
    connection.room(TOPIC, {}, { definition: zod })
    latest().open()
    latest().reply(latest().last("phx_join"))
    latest().receive(latest().last("phx_join").joinRef, null, TOPIC, "presence_state", { eve: user(meta("1")) })
    await reported()
    expect(logged.mock.calls).toMatchObject([[{ code: "invalid_meta" }]])
  })

  it("is keep: all is passed on as it came, and counted", async () => {
    const { room, state, receive, view, errors } = setup(zod, { invalid: "keep" })
    const received: unknown[] = []
    room.on("cursor", (payload) => received.push(payload))
    const eve = meta("1", { name: 7, phx_ref_prev: "0", more: 1 })
    state({ eve: user(eve), ada: user(meta("2", { name: "Ada" })) })
    receive("cursor", { x: "left", from: "eve", more: 1 })
    await reported()
    expect(view()).toEqual({ eve: [eve], ada: [meta("2", { name: "Ada", ...HERE })] })
    expect([received, room.invalidCount, errors]).toEqual([[{ x: "left", from: "eve", more: 1 }], 2, []])
  })

  it("is a function, which may throw, and may leave the room", async () => {
    const { room, state, errors, view } = setup(zod, {
      invalid: ({ key }) => {
        room.leave()
        throw new Error(key)
      },
    })
    state({ ada: user(ada), eve: user(meta("2")) })
    expect(Object.keys(view())).toEqual(["ada"])
    await reported()
    expect([room.status, Object.keys(view())]).toEqual(["closed", ["ada"]])
    expect(errors).toMatchObject([{ code: "callback_failed", cause: { message: "eve" } }])
  })

  it.each(["warn", 7, null])("is refused as %j", (invalid) => {
    const message = 'expected invalid to be "drop", "keep" or a function, got'
    expect(() => setup(zod, { invalid: invalid as unknown as OnInvalid })).toThrow(message)
  })
})

describe("a definition", () => {
  it("is refused for a topic that is not its own; the topic can then be joined without it", () => {
    const { connection } = setup()
    expect(() => connection.room("lobby", {}, { definition: zod })).toThrow(
      'expected a topic of the definition, rooms:*, got "lobby"',
    )
    expect(() => connection.room("lobby:1", {}, { definition: defineRoom("lobby") })).toThrow("definition, lobby, got")
    expect(connection.room("lobby", {}, { definition: defineRoom("lobby") }).status).toBe("joining")
  })

  it("that validates asynchronously is a ConfigError, reported once; what it should validate is dropped", async () => {
    const name = z.object({ name: z.string() }).refine(async () => true)
    const { room, state, errors, receive } = setup(defineRoom("rooms:*", { meta: name, events: { cursor: name } }))
    room.on("cursor", () => expect.unreachable())
    state({ ada: user(ada), bob: user(meta("2", { name: "Bob" })) })
    receive("cursor", { name: "x" })
    await reported()
    expect(errors).toMatchObject([{ code: "config", message: expect.stringContaining("validates synchronously") }])
    expect([room.status, room.size, room.invalidCount]).toEqual(["live", 0, 3])
  })

  it("whose schema throws is reported once; what it should validate is dropped, and all else is shown", async () => {
    const cause = new Error("broken")
    const validate = (value: unknown) => {
      if ((value as { name: string }).name === "Bob") throw cause
      return { value }
    }
    const broken = { "~standard": { version: 1, vendor: "mine", validate } } as StandardSchema<unknown, object>
    const { state, errors, view } = setup(defineRoom("rooms:*", { meta: broken }))
    state({ ada: user(ada), bob: user(meta("2", { name: "Bob" })), bo: user(meta("3", { name: "Bob" })) })
    await reported()
    expect(errors).toMatchObject([{ code: "callback_failed", cause }])
    expect(Object.keys(view())).toEqual(["ada"])
  })

  it("may be made anew at each render: the room is left and joined again, whatever the schemas refer to", async () => {
    const circular = z.object({
      name: z.string(),
      get friend() {
        return circular.optional()
      },
    })
    const define = () => defineRoom("rooms:*", { meta: circular })
    const { connection, room } = setup(define())
    room.leave()
    expect(connection.room(TOPIC, {}, { definition: define() })).not.toBe(room)
  })
})

test("whatever arrives: the view is that of a room without a definition, with each meta as the schema returns it", async () => {
  const schema = z.object({ n: z.number().min(0), is: z.boolean().default(true) })
  const fields = fc.oneof(fc.record({ n: fc.integer({ min: -2, max: 3 }) }), fc.constant({}), fc.constant({ n: "1" }))
  const metas = fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fields), { maxLength: 3 })
  const users = fc.dictionary(fc.constantFrom("ada", "bob", "eve"), metas)
  const frame = fc.record({ isState: fc.boolean(), joins: users, leaves: users })
  const property = fc.property(fc.array(frame, { maxLength: 12 }), (frames) => {
    const keep = setup(defineRoom("rooms:*"), {})
    const strict = setup(defineRoom("rooms:*", { meta: schema }), {})
    const contents: Record<string, object> = {}
    // A ref stands for one content, as on a server.
    const presences = (given: Record<string, [number, object][]>) =>
      Object.fromEntries(
        Object.entries(given).map(([key, all]) => [
          key,
          user(...all.map(([ref, content]) => meta(`${ref}`, (contents[ref] ??= content)))),
        ]),
      )
    const before = (given: object): object => structuredClone(given)
    for (const { isState, joins, leaves } of [{ isState: true, joins: {}, leaves: {} }, ...frames]) {
      const [joined, left] = [presences(joins), presences(leaves)]
      const copies = before([joined, left])
      for (const { state, diff } of [keep, strict]) {
        if (isState) state(joined)
        else diff(joined, left)
      }
      expect([joined, left]).toEqual(copies)
      const shown = Object.entries(keep.view()).flatMap(([key, all]) => {
        const valid = all.flatMap(({ phx_ref, ...content }) => {
          const result = schema.safeParse(content)
          return result.success ? [{ phx_ref, ...result.data }] : []
        })
        return valid.length > 0 ? [[key, valid] as const] : []
      })
      expect(strict.view()).toEqual(Object.fromEntries(shown))
    }
    keep.connection.disconnect()
    strict.connection.disconnect()
  })
  fc.assert(property, { numRuns: Number(process.env["RUNS"] ?? 200) })
})

test("a page that is older than its server shows whom it can, and both get each other's cursors", async () => {
  const older = defineRoom("rooms:*", {
    meta: z.object({ name: z.string(), color: z.enum(["red", "teal"]) }),
    events: { cursor: z.object({ x: z.number() }) },
  })
  const newer = defineRoom("rooms:*", {
    meta: z.object({ name: z.string(), color: z.string() }),
    events: { cursor: z.object({ x: z.number(), y: z.number().default(0) }) },
  })
  const { url } = await serve<{ name: string }>((server) => {
    server.socket("/socket", { connect: ({ params }) => ({ name: String(params["name"]) }) })
    server.channel(newer, {
      join: () => ({ ok: {} }),
      presence: ({ assigns }, me) => ({ key: assigns.name, meta: me ?? { name: assigns.name, color: "red" } }),
      on: { cursor: relay() },
    })
  })
  const enter = <Definition extends typeof older | typeof newer>(
    definition: Definition,
    name: string,
    color: "red",
  ) => {
    const connection = connect(`${url}/socket`, {
      transport: WebSocket,
      params: { name },
    })
    onTestFinished(() => connection.disconnect())
    const room = connection.room("rooms:1", { me: { name, color } }, { definition: definition as typeof older })
    room.onError(() => undefined)
    const received: unknown[] = []
    room.on("cursor", (payload) => received.push(payload))
    return { room, received }
  }
  const [ada, bob, carol] = [
    enter(older, "ada", "red"),
    enter(newer, "bob", "plum" as "red"),
    enter(newer, "carol", "red"),
  ]
  await until(() => carol.room.size === 3 && ada.room.invalidCount === 1 && ada.room.size === 2)
  expect(new Set(ada.room.list((key) => key))).toEqual(new Set(["ada", "carol"]))
  await ada.room.broadcast("cursor", { x: 1 })
  await carol.room.broadcast("cursor", { x: 2 })
  await until(() => ada.received.length > 0 && carol.received.length > 0)
  expect([ada.received, carol.received]).toEqual([[{ x: 2, from: "carol" }], [{ x: 1, y: 0, from: "ada" }]])
  expect(bob.received).toHaveLength(2)
})

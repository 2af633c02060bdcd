import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { defineRoom } from "../../../src/room-definition.ts"
import { readMe } from "../../../src/server/channel/client-meta.ts"
import type { ChannelHandlers, Me, Server, ServerOptions } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { error, ok, serve } from "../../support/serve.ts"
import { linked } from "../../support/linked.ts"

/** A server with one kind of room, in which a client is tracked with what it says of itself. */
function rooms(
  handlers: (server: Server<{ name: string }>) => Partial<ChannelHandlers<{ name: string }>> = () => ({}),
  options: ServerOptions = {},
) {
  return serve<{ name: string }>((server) => {
    server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] ?? "" }) })
    server.channel("rooms:*", {
      join: () => ({ ok: {} }),
      presence: ({ assigns }, me) => ({ key: assigns.name, meta: me }),
      ...handlers(server),
    })
  }, options)
}

const metaOf = (server: Server<{ name: string }>, key: string): unknown => {
  const {
    phx_ref: _ref,
    phx_ref_prev: _prev,
    ...meta
  } = server.presence.get("rooms:1", key)?.metas[0] ?? {
    phx_ref: undefined,
    missing: true,
  }
  return meta
}

describe("what a client says of itself in its join, as me", () => {
  it("reaches the presence handler, whose meta is in the first state, without an update after it", async () => {
    const { client } = await rooms()
    const ada = await client("name=ada")
    await ada.join("rooms:1", { me: { name: "Ada", color: "teal", tags: ["a", { b: null }] } })
    const frames = (await ada.rest()) as unknown[][]
    expect(frames.map(([, , , event]) => event)).toEqual(["presence_state"])
    expect(frames[0]?.[4]).toMatchObject({
      ada: { metas: [{ name: "Ada", color: "teal", tags: ["a", { b: null }] }] },
    })
  })

  it("counts for nothing unless the handler takes it", async () => {
    const { client, server } = await rooms(() => ({ presence: ({ assigns }) => ({ key: assigns.name }) }))
    const ada = await client("name=ada")
    await ada.join("rooms:1", { me: { role: "admin" } })
    await ada.rest()
    expect(metaOf(server, "ada")).toEqual({})
  })

  it.each([undefined, null, "ada", 7, true, ["ada"]])("is {} when the client sends %j", async (me) => {
    const seen: Me[] = []
    const { client } = await rooms(() => ({ presence: ({ assigns }, me) => (seen.push(me), { key: assigns.name }) }))
    const ada = await client("name=ada")
    await ada.join("rooms:1", { me })
    await ada.rest()
    expect(seen).toEqual([{}])
  })

  it("is {} when the join has no params at all", async () => {
    const seen: Me[] = []
    const { client } = await rooms(() => ({ presence: ({ assigns }, me) => (seen.push(me), { key: assigns.name }) }))
    const ada = await client("name=ada")
    await ada.join("rooms:1", null)
    await ada.rest()
    expect(seen).toEqual([{}])
  })

  it("has no names of prototypes at any depth, so that a handler can merge it", async () => {
    const { client, server } = await rooms(() => ({
      presence: ({ assigns }, me) => ({ key: assigns.name, meta: Object.assign({}, me) }),
    }))
    const ada = await client("name=ada")
    const me = '{"__proto__":{"role":"admin"},"constructor":{"prototype":{}},"a":[{"__proto__":{"b":1},"c":2}]}'
    ada.socket.send(`["rooms:1","1","rooms:1","phx_join",{"me":${me}}]`)
    await ada.rest()
    expect(metaOf(server, "ada")).toEqual({ a: [{ c: 2 }] })
    expect(Object.hasOwn(server.presence.get("rooms:1", "ada")!.metas[0]!, "role")).toBe(false)
  })

  it("has no references of presences", async () => {
    const seen: Me[] = []
    const { client } = await rooms(() => ({ presence: ({ assigns }, me) => (seen.push(me), { key: assigns.name }) }))
    const ada = await client("name=ada")
    await ada.join("rooms:1", { me: { phx_ref: "mine", phx_ref_prev: "yours", name: "Ada" } })
    await ada.rest()
    expect(seen).toEqual([{ name: "Ada" }])
  })

  it("is refused with a reason when it is larger than maxMetaBytes in UTF-8, and the client may join without it", async () => {
    const { client, server, counted } = await rooms(undefined, { maxMetaBytes: 20 })
    const ada = await client("name=ada")
    expect(await ada.join("rooms:1", { me: { a: "éééééé" } })).toEqual(ok())
    await ada.rest()
    expect(await ada.join("rooms:2", { me: { a: "ééééééé" } })).toEqual(error({ reason: "meta_too_large" }))
    await ada.rest()
    expect([Object.keys(server.presence.list("rooms:2")), counted.get("join_crashes")]).toEqual([[], undefined])
    expect(await ada.join("rooms:2", {})).toEqual(ok())
  })

  it("is refused with a reason when it is nested too deeply", async () => {
    const { client, counted } = await rooms()
    const ada = await client("name=ada")
    const deep = `${'{"a":'.repeat(300)}1${"}".repeat(300)}`
    ada.socket.send(`["rooms:1","1","rooms:1","phx_join",{"me":${deep}}]`)
    expect(await ada.next()).toMatchObject({ 4: { status: "error", response: { reason: "invalid_meta" } } })
    expect(counted.get("join_crashes")).toBeUndefined()
  })

  it("is not read before the join handler has accepted the client, nor without a presence handler", async () => {
    const { client } = await rooms(() => ({ join: () => ({ error: { reason: "no" } }) }), { maxMetaBytes: 10 })
    const { client: other } = await serve(
      (server) => {
        server.socket("/socket")
        server.channel("rooms:*", { join: (_topic, params) => ({ ok: params }) })
      },
      { maxMetaBytes: 10 },
    )
    const params = { me: { a: "much too large" } }
    expect(await (await client("name=ada")).join("rooms:1", params)).toEqual(error({ reason: "no" }))
    expect(await (await other()).join("rooms:1", params)).toEqual(ok(params))
  })

  it("is that of each join: a rejoin may say something else", async () => {
    const { client, server } = await rooms()
    const ada = await client("name=ada")
    await ada.join("rooms:1", { me: { name: "Ada" } })
    await ada.rest()
    await ada.join("rooms:1", { me: { color: "red" } })
    await ada.rest()
    expect(metaOf(server, "ada")).toEqual({ color: "red" })
  })

  it("reaches the presence handler of Supabase's dialect, too", async () => {
    const { client, server } = await serve<{ name: string }>((server) => {
      server.socket("/socket", { dialect: "supabase", connect: () => ({ name: "ada" }) })
      server.channel("rooms:*", {
        join: () => ({ ok: {} }),
        allow: ["name"],
        presence: ({ assigns }, me) => ({ key: assigns.name, meta: me }),
      })
    })
    const ada = await client()
    await ada.join("rooms:1", { config: {}, me: { name: "Ada", role: "admin" } })
    await ada.rest()
    expect(metaOf(server, "ada")).toEqual({ name: "Ada" })
  })
})

describe("allow, the fields that a client may set of its meta", () => {
  const allow = ["name", "color"]

  it("leaves out other fields of me, and the client joins", async () => {
    const { client, server } = await rooms(() => ({ allow }))
    const ada = await client("name=ada")
    expect(await ada.join("rooms:1", { me: { name: "Ada", role: "admin" } })).toEqual(ok())
    await ada.rest()
    expect(metaOf(server, "ada")).toEqual({ name: "Ada" })
  })

  it("needs no handler for updates: those of these fields are applied, and others are refused", async () => {
    const { client, server } = await rooms(() => ({ allow }))
    const ada = await client("name=ada")
    await ada.join("rooms:1", { me: { name: "Ada" } })
    await ada.rest()
    ada.push("rooms:1", "presence_update", { meta: { color: "red" } })
    ada.push("rooms:1", "presence_update", { meta: { color: "blue", role: "admin" } })
    const replies = ((await ada.rest()) as unknown[][]).filter(([, , , event]) => event === "phx_reply")
    expect(replies.map(([, , , , payload]) => payload)).toMatchObject([
      { status: "ok", response: { phx_ref: expect.any(String) } },
      { status: "error", response: { reason: "field not allowed", field: "role" } },
    ])
    expect(metaOf(server, "ada")).toEqual({ name: "Ada", color: "red" })
  })

  it("holds for handleUpdate without rules, and not for one with a list of its own", async () => {
    const { client, server } = await rooms(({ presence }) => ({
      allow,
      on: {
        update: (payload, channel) => presence.handleUpdate(channel, payload),
        status: (payload, channel) => presence.handleUpdate(channel, payload, { allow: ["status"] }),
      },
    }))
    const ada = await client("name=ada")
    await ada.join("rooms:1")
    await ada.rest()
    ada.push("rooms:1", "update", { meta: { status: "away" } })
    ada.push("rooms:1", "status", { meta: { status: "away" } })
    ada.push("rooms:1", "status", { meta: { name: "Ada" } })
    const replies = ((await ada.rest()) as unknown[][]).filter(([, , , event]) => event === "phx_reply")
    expect(replies.map((frame) => (frame[4] as { status: string }).status)).toEqual(["error", "ok", "error"])
    expect(metaOf(server, "ada")).toEqual({ status: "away" })
  })

  it("of no fields leaves nothing of me, and refuses every update", async () => {
    const { client, server } = await rooms(() => ({ allow: [] }))
    const ada = await client("name=ada")
    await ada.join("rooms:1", { me: { name: "Ada" } })
    await ada.rest()
    expect(await ada.ask("rooms:1", "presence_update", { meta: { name: "Ada" } })).toMatchObject({ status: "error" })
    expect(metaOf(server, "ada")).toEqual({})
  })

  it.each([
    [undefined, "got nothing"],
    [null, "got nothing"],
    [{ presence: () => ({ key: "ada" }) }, "got nothing"],
    [{ join: {} }, "got an object"],
  ])("without a join is refused at once, also for a defined room: %j", async (handlers, got) => {
    await rooms((server) => {
      for (const room of ["other:*", defineRoom("other:*")])
        expect(() => server.channel(room as string, handlers as never)).toThrow(
          expect.objectContaining({
            code: "config",
            message: linked(`expected handlers with a function join, ${got}`),
          }),
        )
      return { join: () => ({ ok: {} }) }
    })
  })

  it("that is no list is refused at once", async () => {
    await rooms((server) => {
      const handlers = { join: () => ({ ok: {} }), allow: "name" as unknown as string[] }
      expect(() => server.channel("other:*", handlers)).toThrow("expected allow to be a list of the names of fields")
      return {}
    })
  })

  it("that is no list crashes the channel of an update, instead of allowing parts of its text", async () => {
    const { client, server, logged } = await rooms(({ presence }) => ({
      on: {
        update: (payload, channel) => presence.handleUpdate(channel, payload, { allow: "status" as never }),
      },
    }))
    const ada = await client("name=ada")
    await ada.join("rooms:1")
    await ada.rest()
    ada.push("rooms:1", "update", { meta: { stat: 1 } })
    expect(await ada.next()).toMatchObject({ 3: "phx_error" })
    expect(logged).toMatchObject([{ details: { error: { code: "config" } } }])
    expect(metaOf(server, "ada")).toEqual({ missing: true })
  })

  it("still has updates beyond maxUpdatesPerSecond held and merged", async () => {
    const timers = clock()
    const { client, server, counted } = await rooms(() => ({ allow }), { timers, maxUpdatesPerSecond: 1 })
    const ada = await client("name=ada")
    await ada.join("rooms:1")
    for (const color of ["red", "green", "blue"]) ada.push("rooms:1", "presence_update", { meta: { color } })
    await ada.rest()
    expect([metaOf(server, "ada"), counted.get("held_updates")]).toEqual([{ color: "red" }, 2])
    timers.advance(1_000)
    expect(metaOf(server, "ada")).toEqual({ color: "blue" })
  })
})

describe("readMe", () => {
  const NAMES = ["__proto__", "constructor", "prototype"]
  const namesIn = (value: unknown): string[] =>
    typeof value === "object" && value !== null
      ? Object.entries(value).flatMap(([name, inner]) => [...(Array.isArray(value) ? [] : [name]), ...namesIn(inner)])
      : []
  const field = fc.oneof(fc.constantFrom(...NAMES, "name", "color", "phx_ref"), fc.string({ maxLength: 4 }))
  const { object } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, fc.jsonValue({ maxDepth: 0 }), fc.array(tie("value")), tie("object")),
    object: fc.array(fc.tuple(field, tie("value")), { maxLength: 5 }).map((entries) => Object.fromEntries(entries)),
  }))

  it("returns what was sent, without names of prototypes, references and fields that are not allowed, for any JSON", () => {
    fc.assert(
      fc.property(object, fc.option(fc.subarray(["name", "color", "__proto__"])), (sent, list) => {
        const wire = JSON.parse(JSON.stringify({ me: sent })) as Me
        const me = readMe(wire, list === null ? {} : { allow: list }, Infinity, () => {})!
        expect(namesIn(me).filter((name) => NAMES.includes(name))).toEqual([])
        const isKept = (name: string) =>
          !NAMES.includes(name) && !name.startsWith("phx_ref") && (list === null || list.includes(name))
        expect(Object.keys(me).sort()).toEqual(
          Object.keys(wire["me"] as Me)
            .filter(isKept)
            .sort(),
        )
        expect(Object.getPrototypeOf(me)).toBe(Object.prototype)
        expect(({} as Me)["polluted"]).toBeUndefined()
      }),
    )
  })
})

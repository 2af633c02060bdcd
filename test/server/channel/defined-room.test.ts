import { type } from "arktype"
import fc from "fast-check"
import * as v from "valibot"
import { afterEach, describe, expect, it } from "vitest"
import { z } from "zod"
import { createServer, defineRoom, relay } from "../../../src/server/index.ts"
import type { RoomDefinition, RoomSchemas, Server, ServerOptions } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { disconnectAll, officialSocket, Presence, reply } from "../../support/phoenix-client.ts"
import { serve } from "../../support/serve.ts"

afterEach(disconnectAll)

interface Schemas extends RoomSchemas {
  readonly meta: NonNullable<RoomSchemas["meta"]>
}

/** The same room in each library: strict about unknown fields in metas, not in cursors. */
const definitions: readonly [string, RoomDefinition<Schemas>][] = [
  [
    "zod",
    defineRoom("rooms:*", {
      meta: z.strictObject({ name: z.string().max(5), status: z.enum(["here", "away"]).default("here") }),
      events: { cursor: z.object({ x: z.number(), y: z.number() }) },
    }),
  ],
  [
    "valibot",
    defineRoom("rooms:*", {
      meta: v.strictObject({
        name: v.pipe(v.string(), v.maxLength(5)),
        status: v.optional(v.picklist(["here", "away"]), "here"),
      }),
      events: { cursor: v.object({ x: v.number(), y: v.number() }) },
    }),
  ],
  [
    "arktype",
    defineRoom("rooms:*", {
      meta: type({ "+": "reject", name: "string <= 5", status: "'here' | 'away' = 'here'" }),
      events: { cursor: type({ "+": "delete", x: "number", y: "number" }) },
    }),
  ],
]

/** A server of a defined room, whose clients are tracked with what they say of themselves. */
function rooms(definition: RoomDefinition<Schemas>, options: ServerOptions = {}) {
  return serve<{ name: string }>((server) => {
    server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] ?? "" }) })
    server.channel(definition, {
      join: () => ({ ok: {} }),
      presence: ({ assigns }, me) => ({ key: assigns.name, meta: me ?? { name: "guest" } }),
      on: {
        cursor: relay(),
        presence_update: (payload, channel) => server.presence.handleUpdate(channel, payload),
      },
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

/** Joins `rooms:1` as the official client, and keeps what it receives. */
async function enter(url: string, name: string, params: object) {
  const socket = officialSocket(url, { name })
  const channel = socket.channel("rooms:1", params)
  const presence = new Presence(channel)
  const received: unknown[] = []
  channel.on("cursor", (payload: unknown) => received.push(payload))
  const synced = new Promise<void>((resolve) => presence.onSync(() => resolve()))
  const joined = await reply(channel.join())
  if (joined.status === "ok") await synced
  else channel.leave()
  const ask = (event: string, payload: object) => reply(channel.push(event, payload))
  return { joined, ask, presence, received }
}

const isRefused = (reason: string, field?: string) => ({
  status: "error",
  response: { reason, message: expect.any(String), ...(field !== undefined && { field }) },
})

describe.each(definitions)("a room that is defined with %s", (_library, definition) => {
  it("tracks a client with its me as the schema returns it, in the first state", async () => {
    const { url, server } = await rooms(definition)
    const ada = await enter(url, "ada", { me: { name: "Ada" } })
    expect(ada.presence.state.ada.metas).toMatchObject([{ name: "Ada", status: "here" }])
    expect(metaOf(server, "ada")).toEqual({ name: "Ada", status: "here" })
  })

  it.each([
    [{ name: "much too long" }, "name"],
    [{ name: 7 }, "name"],
    [{ name: "Ada", status: "gone" }, "status"],
    [{ status: "here" }, "name"],
    [{}, "name"],
  ])("refuses the join of a client that says %j of itself, with a reason, and tells nobody", async (me, field) => {
    const { url, server, counted } = await rooms(definition)
    const bob = await enter(url, "bob", { me: { name: "Bob" } })
    const ada = await enter(url, "ada", { me })
    expect(ada.joined).toEqual(isRefused("invalid_meta", field))
    expect([Object.keys(server.presence.list("rooms:1")), Object.keys(bob.presence.state)]).toEqual([["bob"], ["bob"]])
    expect([counted.get("join_crashes"), counted.get("channel_crashes")]).toEqual([undefined, undefined])
  })

  it.each(["ada", 7, ["ada"]])("refuses the join of a client that says %j of itself", async (me) => {
    const { url } = await rooms(definition)
    expect((await enter(url, "ada", { me })).joined).toEqual(isRefused("invalid_meta"))
  })

  it("refuses a me with a field that the strict schema does not know", async () => {
    const { url } = await rooms(definition)
    const ada = await enter(url, "ada", { me: { name: "Ada", role: "admin" } })
    expect(ada.joined.response).toMatchObject({ reason: "invalid_meta" })
  })

  it("leaves what a client is that sends no me to the handler, and validates what that returns", async () => {
    const { url, server } = await rooms(definition)
    await enter(url, "ada", {})
    await enter(url, "bob", { me: null })
    expect([metaOf(server, "ada"), metaOf(server, "bob")]).toEqual([
      { name: "guest", status: "here" },
      { name: "guest", status: "here" },
    ])
  })

  it("validates the whole meta after an update, applies a valid one, and refuses an invalid one with a reason", async () => {
    const { url, server } = await rooms(definition)
    const ada = await enter(url, "ada", { me: { name: "Ada" } })
    expect(await ada.ask("presence_update", { meta: { status: "away" } })).toMatchObject({ status: "ok" })
    expect(metaOf(server, "ada")).toEqual({ name: "Ada", status: "away" })
    expect(await ada.ask("presence_update", { meta: { status: "gone" } })).toEqual(isRefused("invalid_meta", "status"))
    expect(await ada.ask("presence_update", { meta: { name: "much too long" } })).toEqual(
      isRefused("invalid_meta", "name"),
    )
    expect(await ada.ask("presence_update", { meta: { role: "admin" } })).toMatchObject({
      response: { reason: "invalid_meta" },
    })
    expect(metaOf(server, "ada")).toEqual({ name: "Ada", status: "away" })
  })

  it("relays a valid event as the schema returns it, and refuses an invalid one with a reason to its sender alone", async () => {
    const { url } = await rooms(definition)
    const ada = await enter(url, "ada", { me: { name: "Ada" } })
    const bob = await enter(url, "bob", { me: { name: "Bob" } })
    expect(await ada.ask("cursor", { x: 1, y: "up" })).toEqual(isRefused("invalid_payload", "y"))
    expect(await ada.ask("cursor", { x: 1, y: 2, unknown: true })).toEqual({ status: "ok", response: {} })
    await bob.ask("cursor", { x: 0, y: 0 })
    await expect
      .poll(() => [ada.received, bob.received])
      .toEqual([[{ x: 0, y: 0, from: "bob" }], [{ x: 1, y: 2, from: "ada" }]])
  })

  it("validates held updates when they arrive, and applies the last valid ones", async () => {
    const timers = clock()
    const { client, server, counted } = await rooms(definition, { timers, maxUpdatesPerSecond: 1 })
    const ada = await client("name=ada")
    await ada.join("rooms:1", { me: { name: "Ada" } })
    await ada.rest()
    const updates = [{ status: "away" }, { name: "A" }, { name: "too long" }, { status: "gone" }, { name: "B" }]
    for (const meta of updates) ada.push("rooms:1", "presence_update", { meta })
    const replies = ((await ada.rest()) as unknown[][]).filter(([, , , event]) => event === "phx_reply")
    const statuses = replies.map((frame) => (frame[4] as { status: string }).status)
    expect(statuses).toEqual(["ok", "ok", "error", "error", "ok"])
    timers.advance(1_000)
    expect([metaOf(server, "ada"), counted.get("held_updates")]).toEqual([{ name: "B", status: "away" }, 2])
  })
})

describe("a defined room", () => {
  const join = () => ({ ok: {} })
  const zod = defineRoom("rooms:*", {
    meta: z.object({ name: z.string(), role: z.string().optional() }),
    events: { cursor: z.object({ x: z.number() }) },
  })

  it("keeps the fields that only the server sets from a client: they are not in allow", async () => {
    const { client, server } = await serve<{ name: string }>((server) => {
      server.socket("/socket", { connect: () => ({ name: "ada" }) })
      server.channel(zod, {
        join,
        allow: ["name"],
        presence: ({ assigns }, me) => ({ key: assigns.name, meta: { name: "guest", ...me, role: "member" } }),
      })
    })
    const ada = await client()
    await ada.join("rooms:1", { me: { name: "Ada", role: "admin" } })
    await ada.rest()
    expect(metaOf(server, "ada")).toEqual({ name: "Ada", role: "member" })
    const refused = await ada.ask("rooms:1", "presence_update", { meta: { role: "admin" } })
    expect(refused).toMatchObject({ response: { reason: "field not allowed", field: "role" } })
    ada.push("rooms:1", "presence_update", { meta: { name: "Countess" } })
    await ada.rest()
    expect(metaOf(server, "ada")).toEqual({ name: "Countess", role: "member" })
  })

  it("does not let a field that the schema leaves out reach the server's program by way of a held update", async () => {
    const timers = clock()
    const seen: object[] = []
    let update: () => void = () => undefined
    const { client, server } = await serve<{ name: string }>(
      (server) => {
        const { presence } = server
        server.socket("/socket", { connect: () => ({ name: "ada" }) })
        server.channel(zod, {
          join,
          presence: ({ assigns }, me) => ({ key: assigns.name, meta: me ?? { name: "guest" } }),
          joined(channel) {
            update = () => void presence.update(channel, "ada", (meta) => (seen.push(meta), meta))
          },
          on: { presence_update: (payload, channel) => presence.handleUpdate(channel, payload) },
        })
      },
      { timers, maxUpdatesPerSecond: 1 },
    )
    const ada = await client()
    await ada.join("rooms:1", { me: { name: "Ada" } })
    ada.push("rooms:1", "presence_update", { meta: { name: "A" } })
    ada.push("rooms:1", "presence_update", { meta: { name: "B", isAdmin: true } })
    await ada.rest()
    update()
    expect(seen).toMatchObject([{ name: "B" }])
    expect(metaOf(server, "ada")).toEqual({ name: "B" })
  })

  it("ends a channel whose presence handler returns what the schema refuses, with that reason, and logs it", async () => {
    const { client, logged } = await serve((server) => {
      server.socket("/socket")
      server.channel(zod, { join, presence: () => ({ key: "ada", meta: { name: 7 } as unknown as { name: string } }) })
    })
    const ada = await client()
    await ada.join("rooms:1")
    expect(await ada.next()).toMatchObject({ 3: "phx_error", 4: { reason: "invalid_meta" } })
    expect(logged).toMatchObject([
      { details: { error: { code: "invalid_meta", message: expect.stringContaining('in "name"') } } },
    ])
  })

  it("crashes the join, and logs it, for a schema that validates asynchronously", async () => {
    const { client, logged } = await serve((server) => {
      server.socket("/socket")
      const meta = z.object({ name: z.string() }).refine(async () => true)
      server.channel(defineRoom("rooms:*", { meta }), { join, presence: () => undefined })
    })
    const ada = await client()
    expect(await ada.join("rooms:1", { me: { name: "Ada" } })).toMatchObject({ response: { reason: "join crashed" } })
    expect(logged).toMatchObject([{ details: { error: { code: "config" } } }])
  })

  it("crashes the channel for an update whose schema validates asynchronously", async () => {
    const { client, logged } = await serve((server) => {
      server.socket("/socket")
      const schema = z.object({}).refine(async () => true)
      server.channel("rooms:*", {
        join,
        presence: () => ({ key: "ada" }),
        on: { update: (payload, channel) => server.presence.handleUpdate(channel, payload, { schema }) },
      })
    })
    const ada = await client()
    await ada.join("rooms:1")
    await ada.rest()
    ada.push("rooms:1", "update", { meta: { name: "Ada" } })
    expect(await ada.next()).toMatchObject({ 3: "phx_error" })
    expect(logged).toMatchObject([{ details: { error: { code: "config" } } }])
  })

  it("quotes what a client sent in the log, so that it can write no line there", async () => {
    const timers = clock()
    const evil = z.object({ name: z.string() }).catchall(z.string(`bad\n[31mforged`))
    const { client, logged } = await serve(
      (server) => {
        server.socket("/socket")
        const presence = (_channel: unknown, me: unknown) => ({
          key: "ada",
          meta: { name: "A", ...(me as object), a: 7 },
        })
        server.channel(defineRoom("rooms:*", { meta: evil }), { join, presence: presence as never })
      },
      { timers },
    )
    const ada = await client()
    await ada.join("rooms:1")
    await ada.next()
    const [entry] = logged
    const { message } = (entry!.details as { error: Error }).error
    expect(message).toContain(String.raw`"bad\n`)
    expect(message).not.toContain("\n")
  })

  it("holds for Supabase's clients, too: what they track and what they broadcast", async () => {
    const { client, server } = await serve<{ name: string }>((server) => {
      server.socket("/socket", { dialect: "supabase", connect: ({ params }) => ({ name: params["name"] ?? "" }) })
      server.channel(zod, {
        join,
        allow: ["name"],
        presence: ({ assigns }) => ({ key: assigns.name, meta: { name: "guest" } }),
      })
    })
    const [ada, bob] = [await client("name=ada"), await client("name=bob")]
    await bob.join("rooms:1", { config: {} })
    await ada.join("rooms:1", { config: { broadcast: { ack: true } } })
    await ada.rest()
    const track = (payload: object) => ada.ask("rooms:1", "presence", { type: "presence", event: "track", payload })
    const cursor = (payload: object) => ada.ask("rooms:1", "broadcast", { type: "broadcast", event: "cursor", payload })
    expect(await track({ name: 7 })).toMatchObject({ response: { reason: "invalid_meta", field: "name" } })
    expect(await track({ name: "Ada", role: "admin" })).toMatchObject({ response: { reason: "field not allowed" } })
    expect(metaOf(server, "ada")).toEqual({ name: "guest" })
    ada.push("rooms:1", "presence", { type: "presence", event: "track", payload: { name: "Ada" } })
    await ada.rest()
    expect(metaOf(server, "ada")).toEqual({ name: "Ada" })
    await bob.rest()
    expect(await cursor({ x: "left" })).toMatchObject({ response: { reason: "invalid_payload", field: "x" } })
    expect(await cursor({ x: 1, unknown: true })).toMatchObject({ status: "ok" })
    // Supabase's serializer writes broadcasts as binary frames.
    const broadcasts = (await bob.rest()).map(String).filter((frame) => frame.includes("cursor"))
    expect(broadcasts).toEqual([expect.stringMatching(/\{"x":1\}$/)])
  })

  it("holds for Supabase's clients, too: what they say of themselves when they join, and what the handler returns", async () => {
    const { client, server } = await serve<{ name: string }>((server) => {
      server.socket("/socket", { dialect: "supabase", connect: ({ params }) => ({ name: params["name"] ?? "" }) })
      server.channel(zod, {
        join,
        presence: ({ assigns }, me) => ({ key: assigns.name, meta: me ?? { name: 7 as unknown as string } }),
      })
    })
    const ada = await client("name=ada")
    const refused = { response: { reason: "invalid_meta", field: "name" } }
    expect(await ada.join("rooms:1", { config: {}, me: { name: 7 } })).toMatchObject(refused)
    await ada.join("rooms:1", { config: {}, me: { name: "Ada", unknown: true } })
    await ada.rest()
    expect(metaOf(server, "ada")).toEqual({ name: "Ada" })
    const bob = await client("name=bob")
    await bob.join("rooms:1", { config: {} })
    await bob.rest()
    expect(server.presence.get("rooms:1", "bob")).toBeUndefined()
  })

  it("calls each handler with its own this", async () => {
    class Handlers {
      #joined = 0
      readonly on = {
        count: 0,
        cursor() {
          return { ok: { count: (this.count += 1) } }
        },
      }
      join() {
        return { ok: { joined: (this.#joined += 1) } }
      }
      left() {
        this.#joined -= 1
      }
    }
    const { client } = await serve((server) => {
      server.socket("/socket")
      server.channel(zod, new Handlers())
    })
    const ada = await client()
    expect(await ada.join("rooms:1")).toMatchObject({ response: { joined: 1 } })
    expect(await ada.ask("rooms:1", "cursor", { x: 1 })).toMatchObject({ response: { count: 1 } })
    expect(await ada.ask("rooms:1", "cursor", { x: 1 })).toMatchObject({ response: { count: 2 } })
  })

  it("crashes a channel for an event without a handler, also for one that the definition names", async () => {
    const { client } = await serve((server) => {
      server.socket("/socket")
      server.channel(zod, { join, on: {} })
    })
    for (const event of ["cursor", "constructor", "presence_update"]) {
      const ada = await client()
      await ada.join("rooms:1")
      ada.push("rooms:1", event, { x: 1 })
      expect(await ada.next()).toMatchObject({ 3: "phx_error" })
    }
  })

  it("shows nobody a meta that the schema refuses, for any interleaving of updates, held ones and the server's own", async () => {
    const schema = z.object({ name: z.string().max(3), n: z.number().int().min(0).default(0) })
    const room = defineRoom("rooms:*", { meta: schema })
    const patch = fc.record(
      {
        name: fc.oneof(fc.string({ maxLength: 5 }), fc.integer()),
        n: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constant(0.5)),
        other: fc.boolean(),
      },
      { requiredKeys: [] },
    )
    const step = fc.oneof(
      fc.record({ client: patch }),
      fc.constant({ server: true as const }),
      fc.record({ wait: fc.integer({ min: 1, max: 1_500 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const timers = clock()
        const server = createServer({ timers, maxUpdatesPerSecond: 2, presenceWindowMs: false })
        const { presence } = server
        const channel = { topic: "rooms:1", pid: "1", handlers: { metaSchema: room.meta } }
        const shown: unknown[] = []
        presence.onDiff((_topic, { joins }) => shown.push(...(joins["ada"]?.metas ?? [])))
        presence.track(channel, "ada", { name: "Ada", n: 0 })
        let expected: Record<string, unknown> = { name: "Ada", n: 0 }
        for (const one of steps) {
          if ("wait" in one) timers.advance(one.wait)
          else if ("server" in one) presence.update(channel, "ada", (meta) => meta)
          else {
            const result = presence.handleUpdate(channel, { meta: one.client })
            const valid = schema.safeParse({ ...expected, ...one.client })
            expect("ok" in result).toBe(valid.success)
            if (valid.success) expected = valid.data
          }
        }
        timers.advance(60_000)
        // The tracker reports what is left in this turn of the event loop.
        await new Promise(setImmediate)
        const fields = shown.map((meta) => {
          const { phx_ref: _ref, phx_ref_prev: _prev, ...rest } = meta as Record<string, unknown>
          return rest
        })
        for (const meta of fields) expect(z.strictObject(schema.shape).safeParse(meta).success).toBe(true)
        expect(fields.at(-1)).toEqual(expected)
        await server.close()
      }),
      { numRuns: 60 },
    )
  })
})

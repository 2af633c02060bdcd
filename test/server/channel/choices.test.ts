import { type } from "arktype"
import * as v from "valibot"
import { describe, expect, it } from "vitest"
import { z } from "zod"
import { defineRoom } from "../../../src/server/index.ts"
import type { ChannelHandlers, RoomDefinition, Server, ServerOptions } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { error, ok, serve } from "../../support/serve.ts"

// A client counts its choices in the field `chosen` of its meta. It adds the field by itself, so no rule for metas knows it.

type Assigns = { name: string }

/** A room in which a client is tracked with what it says of itself, with one client. */
async function room(
  kind: string | RoomDefinition,
  handlers: Partial<ChannelHandlers<Assigns>> = {},
  options: ServerOptions = {},
) {
  const served = await serve<Assigns>((server: Server<Assigns>) => {
    server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] ?? "" }) })
    server.channel(kind as string, {
      join: () => ({ ok: {} }),
      presence: ({ assigns }, me) => ({ key: assigns.name, meta: me }),
      on: { presence_update: (payload, channel) => server.presence.handleUpdate(channel, payload) },
      ...handlers,
    })
  }, options)
  const ada = await served.client("name=ada")
  const join = (me: object): Promise<unknown> => ada.join("rooms:1", { me })
  /** Returns the reply, and the meta after it. */
  const update = async (meta: object, remove?: unknown): Promise<unknown> => {
    await ada.rest()
    ada.push("rooms:1", "presence_update", { meta, remove })
    const frames = (await ada.rest()) as unknown[][]
    return frames.find(([, , , event]) => event === "phx_reply")?.[4]
  }
  const meta = (): unknown => {
    const { phx_ref: _ref, phx_ref_prev: _prev, ...fields } = served.server.presence.get("rooms:1", "ada")!.metas[0]!
    return fields
  }
  return { ...served, ada, join, update, meta }
}

const updated = ok({ phx_ref: expect.any(String) })
const names = ["here", "busy"] as const

const strict: readonly [string, RoomDefinition][] = [
  ["zod", defineRoom("rooms:*", { meta: z.strictObject({ name: z.string(), status: z.enum(names).optional() }) })],
  [
    "valibot",
    defineRoom("rooms:*", { meta: v.strictObject({ name: v.string(), status: v.optional(v.picklist(names)) }) }),
  ],
  ["arktype", defineRoom("rooms:*", { meta: type({ "+": "reject", name: "string", "status?": "'here' | 'busy'" }) })],
]
const stripping = defineRoom("rooms:*", { meta: z.object({ name: z.string(), status: z.enum(names).optional() }) })

describe.each([...strict, ["zod, which strips unknown fields", stripping] as const])(
  "with a schema of %s",
  (_name, kind) => {
    it("counters of choices pass in the join and in updates, for fields that are there", async () => {
      const { join, update, meta } = await room(kind)
      expect(await join({ name: "Ada", status: "here", chosen: { status: 1 } })).toEqual(ok())
      await update({})
      expect(meta()).toEqual({ name: "Ada", status: "here", chosen: { status: 1 } })
      expect(await update({ status: "busy", chosen: { status: 2, mood: 7 } })).toEqual(updated)
      expect(meta()).toEqual({ name: "Ada", status: "busy", chosen: { status: 2 } })
    })

    it("a refused value is refused as without a counter, and changes nothing", async () => {
      const { join, update, meta } = await room(kind)
      await join({ name: "Ada" })
      expect(await update({ status: "away", chosen: { status: 2 } })).toMatchObject({
        status: "error",
        response: { reason: "invalid_meta", field: "status" },
      })
      expect(meta()).toEqual({ name: "Ada" })
    })

    it("a field is removed with its counter", async () => {
      const { join, update, meta } = await room(kind)
      await join({ name: "Ada", status: "here", chosen: { status: 4 } })
      expect(await update({ status: null }, ["status"])).toEqual(updated)
      expect(meta()).toEqual({ name: "Ada" })
      // What a client counted is sent again after a rejoin, also if the field is gone.
      expect(await update({ chosen: { status: 4 } })).toEqual(updated)
      expect(meta()).toEqual({ name: "Ada" })
    })
  },
)

describe("what does not consist of counters", () => {
  const wrong = [-1, 1.5, 2 ** 53, 1e308, "3", null, true, {}, []]

  it.each(wrong)("is a field like any other: %j is refused by a strict schema, and by allow", async (count) => {
    const { join, update } = await room(strict[0]![1])
    await join({ name: "Ada" })
    expect(await update({ status: "busy", chosen: { status: count } })).toMatchObject({ status: "error" })
    const other = await room("rooms:*", { allow: ["status"] })
    await other.join({ status: "here" })
    expect(await other.update({ status: "busy", chosen: { status: count } })).toEqual(
      error({ reason: "field not allowed", field: "chosen" }),
    )
    expect(other.meta()).toEqual({ status: "here" })
  })

  it("may be the application's own: it is validated by the schema, also if it consists of numbers", async () => {
    const own = defineRoom("rooms:*", {
      meta: z.object({ name: z.string(), chosen: z.record(z.string(), z.number()) }),
    })
    const { join, update, meta } = await room(own)
    expect(await join({ name: "Ada", chosen: { tea: 3 } })).toEqual(ok())
    expect(await update({ chosen: { tea: 4, coffee: 1 } })).toEqual(updated)
    expect(meta()).toEqual({ name: "Ada", chosen: { tea: 4, coffee: 1 } })
  })
})

describe("with allow", () => {
  it("counters pass for the fields that the client may set, and for no others", async () => {
    const { join, update, meta } = await room("rooms:*", { allow: ["status", "name"] })
    await join({ status: "here", role: "admin", chosen: { status: 1, role: 9 } })
    await update({})
    expect(meta()).toEqual({ status: "here", chosen: { status: 1 } })
    expect(await update({ status: "busy", chosen: { status: 2 } })).toEqual(updated)
    expect(await update({ status: "here", chosen: { status: 3, role: 9 } })).toEqual(
      error({ reason: "field not allowed", field: "chosen" }),
    )
    expect(meta()).toEqual({ status: "busy", chosen: { status: 2 } })
  })

  it("the join has no counters if none of their fields is allowed", async () => {
    const { join, update, meta } = await room("rooms:*", { allow: ["name"] })
    await join({ name: "Ada", status: "here", chosen: { status: 1 } })
    await update({})
    expect(meta()).toEqual({ name: "Ada" })
  })

  it("a client removes only fields that it may set", async () => {
    const { join, update, meta } = await room("rooms:*", {
      allow: ["status"],
      presence: ({ assigns }, me) => ({ key: assigns.name, meta: { ...me, role: "guest" } }),
    })
    await join({ status: "here" })
    expect(await update({ role: null }, ["role"])).toEqual(error({ reason: "field not allowed", field: "role" }))
    expect(await update({ status: null }, ["status"])).toEqual(updated)
    expect(meta()).toEqual({ role: "guest" })
  })
})

describe("an update that removes fields", () => {
  it("removes those that it lists and names, and stores null for the others", async () => {
    const { join, update, meta } = await room("rooms:*")
    await join({ a: 1, b: 2, c: 3 })
    expect(await update({ a: null, b: null }, ["a", "c", 7, "__proto__"])).toEqual(updated)
    expect(meta()).toEqual({ b: null, c: 3 })
  })

  it.each([null, "a", { a: true }, 7])("removes nothing with %j for a list", async (remove) => {
    const { join, update, meta } = await room("rooms:*")
    await join({ a: 1 })
    expect(await update({ a: null }, remove)).toEqual(updated)
    expect(meta()).toEqual({ a: null })
  })

  it("is merged with others beyond maxUpdatesPerSecond: the last one of a field counts", async () => {
    const timers = clock()
    const { join, update, meta } = await room(
      stripping,
      {},
      { timers, maxUpdatesPerSecond: 1, presenceWindowMs: false },
    )
    await join({ name: "Ada", status: "here", chosen: { status: 1 } })
    await update({ name: "Ada L" })
    await update({ status: null }, ["status"])
    await update({ name: "A" })
    timers.advance(1_000)
    expect(meta()).toEqual({ name: "A" })
    await update({ status: null }, ["status"])
    await update({ status: "busy", chosen: { status: 3 } })
    timers.advance(1_000)
    expect(meta()).toEqual({ name: "A", status: "busy", chosen: { status: 3 } })
  })
})

/** What a client says of itself, with our client and server: what the others get, and what is sent. */
import { describe, expect, it, onTestFinished } from "vitest"
import { WebSocket } from "ws"
import { z } from "zod"
import { connect, LongPoll, merged, type Room, type Transport } from "../../src/client/index.ts"
import { defineRoom, type ChannelHandlers, type PresenceDiff, type Server } from "../../src/server/index.ts"
import { serve } from "../support/serve.ts"
import { until } from "../support/until.ts"

type Fields = { name: string; status: string; typing: boolean; away: boolean }
type Assigns = { userId: string; device: string }

const TOPIC = "rooms:1"

async function served(handlers: Partial<ChannelHandlers<Assigns>>, kind: unknown = "rooms:*") {
  /** The diffs that all clients get, in short, and the updates that the server has received. */
  const diffs: string[] = []
  const updates: unknown[] = []
  const { url, server } = await serve((made: Server<Assigns>) => {
    made.socket("/socket", {
      origins: false,
      connect: ({ params }) => ({ userId: params["userId"] ?? "", device: params["device"] ?? "" }),
      id: ({ assigns }) => `${assigns.userId} ${assigns.device}`,
    })
    made.channel(kind as string, {
      join: () => ({ ok: {} }),
      presence: ({ assigns }, me) => ({ key: assigns.userId, meta: me }),
      on: {
        presence_update: (payload, channel) => {
          updates.push(payload)
          return made.presence.handleUpdate(channel, payload)
        },
      },
      ...handlers,
    })
  })
  server.presence.onDiff((_topic, { joins, leaves }: PresenceDiff) => {
    const text = (users: PresenceDiff["joins"], sign: string) =>
      Object.entries(users).flatMap(([key, { metas }]) =>
        metas.map(({ phx_ref: _ref, phx_ref_prev: _prev, ...fields }) => `${sign}${key} ${JSON.stringify(fields)}`),
      )
    diffs.push([...text(leaves, "-"), ...text(joins, "+")].join(" "))
  })
  const client = (userId: string, device = "", transport: Transport = WebSocket) => {
    const params = { userId, device }
    const connection = connect(`${url}/socket`, {
      transport,
      params,
      reconnectAfterMs: () => 10,
      rejoinAfterMs: () => 10,
    })
    onTestFinished(() => connection.disconnect())
    return connection
  }
  /** The server closes a client's connection, which comes back by itself. */
  const cut = async (room: Room<Fields>, id: string) => {
    server.disconnect(id)
    await until(() => room.status === "stale")
    await until(() => room.status === "live")
  }
  return { server, diffs, updates, client, cut }
}

const live = (room: Room<Fields>): Promise<void> => until(() => room.status === "live")

describe.each([
  ["WebSocket", WebSocket],
  ["long poll", LongPoll],
] as [string, Transport][])("over %s", (_name, transport) => {
  it("the others get what a client says of itself with its join, and again after a reconnect, never a default first", async () => {
    const { client, diffs, updates, cut } = await served({})
    const room = client("ada", "1", transport).room<Fields>(TOPIC, { me: { name: "Ada", status: "in" } })
    await live(room)
    expect(room.self?.metas).toMatchObject([{ name: "Ada", status: "in" }])
    await room.update({ status: "busy" })
    await cut(room, "ada 1")
    expect(room.self?.metas).toMatchObject([{ name: "Ada", status: "busy" }])
    // The server handles messages in order: what was sent before this one has arrived.
    await room.update({ typing: true })
    const [ada, busy, typing] = ["in", "busy", "busy"].map((status, at) =>
      JSON.stringify({ name: "Ada", status, ...(at === 2 && { typing: true }) }),
    )
    await until(() => diffs.length === 5)
    expect(diffs).toEqual([
      `+ada ${ada}`,
      `-ada ${ada} +ada ${busy}`,
      `-ada ${busy}`,
      `+ada ${busy}`,
      `-ada ${busy} +ada ${typing}`,
    ])
    expect(updates).toEqual([{ meta: { status: "busy" } }, { meta: { typing: true } }])
  })
})

it("a server that takes nothing from the join gets an update after a reconnect, as before", async () => {
  const { client, cut, updates } = await served({
    presence: ({ assigns }) => ({ key: assigns.userId, meta: { status: "available" } }),
  })
  for (const params of [{}, { me: {} }]) {
    updates.length = 0
    const userId = `ada ${Object.keys(params).length}`
    const room = client(userId, "1").room<Fields>(TOPIC, params)
    await live(room)
    await room.update({ status: "busy" })
    await cut(room, `${userId} 1`)
    await until(() => room.self?.metas[0].status === "busy")
    expect(updates).toEqual([{ meta: { status: "busy" } }, { meta: { status: "busy" } }])
  }
})

it("a value that the schema refuses is reported as an update, also if the join had it; the room goes on", async () => {
  const lobby = defineRoom("rooms:*", { meta: z.object({ name: z.string().max(5), status: z.string().optional() }) })
  const { client, server } = await served({}, lobby)
  const room = client("ada", "1").room<Fields>(TOPIC, { me: { name: "Ada" } })
  const errors: string[] = []
  room.onError(({ code }) => errors.push(code))
  await live(room)
  server.disconnect("ada 1")
  await until(() => room.status === "stale")
  await expect(room.update({ name: "Ada Lovelace" })).rejects.toMatchObject({
    code: "update_rejected",
    reason: { reason: "invalid_meta", field: "name" },
  })
  expect([room.status, room.self?.metas[0].name, errors]).toEqual(["live", "Ada", ["update_rejected"]])
  await room.update({ status: "busy" })
})

it("a field that expires is gone for all, also with a schema that does not take null", async () => {
  const lobby = defineRoom("rooms:*", { meta: z.strictObject({ name: z.string(), typing: z.boolean().optional() }) })
  const { client, diffs } = await served({}, lobby)
  const room = client("ada").room<Fields>(TOPIC, { me: { name: "Ada" } })
  await live(room)
  await room.update({ typing: true }, { forMs: 20 })
  await until(() => diffs.length === 3)
  expect(diffs.slice(1)).toEqual([
    '-ada {"name":"Ada"} +ada {"name":"Ada","typing":true}',
    '-ada {"name":"Ada","typing":true} +ada {"name":"Ada"}',
  ])
})

describe("a person with several devices", () => {
  const lobby = defineRoom("rooms:*", {
    meta: z.object({ name: z.string().optional(), status: z.string().optional(), away: z.boolean().optional() }),
  })

  it.each([
    ["a server that takes me, with a schema that strips fields", {}, lobby],
    [
      "a server that sets a default, with allow",
      {
        allow: ["status"],
        presence: ({ assigns }) => ({ key: assigns.userId, meta: { status: "available" } }),
        on: {},
      },
      "rooms:*",
    ],
  ] as [string, Partial<ChannelHandlers<Assigns>>, unknown][])(
    "has the status that was chosen last, whichever device reconnects: %s",
    async (_name, handlers, kind) => {
      const { client, cut } = await served(handlers, kind)
      const viewer = client("bob").room<Fields>(TOPIC)
      const tabs = ["1", "2", "3"].map((device) => client("ada", device).room<Fields>(TOPIC, { me: {} }))
      for (const room of [viewer, ...tabs]) await live(room)
      const shown = (): unknown => merged(viewer.get("ada")).status
      const all = (): Promise<void> =>
        until(() => tabs.every((tab) => tab.self?.metas.length === 3) && viewer.get("ada")?.metas.length === 3)
      const sees = (status: string): Promise<void> =>
        until(() => [viewer, ...tabs].every((room) => merged(room.get("ada")).status === status))
      await all()
      await tabs[0]!.update({ status: "lunch" }, { chosen: true })
      await sees("lunch")
      await tabs[1]!.update({ status: "busy" }, { chosen: true })
      await sees("busy")
      await cut(tabs[0]!, "ada 1")
      await all()
      // What the tab has sent, perhaps after the first state.
      await until(() => viewer.get("ada")?.metas.some(({ status }) => status === "lunch") === true)
      await sees("busy")
      await cut(tabs[2]!, "ada 3")
      await all()
      expect(shown()).toBe("busy")
      await tabs[0]!.update({ status: "lunch" }, { chosen: true })
      await sees("lunch")
      await cut(tabs[1]!, "ada 2")
      await all()
      await sees("lunch")
    },
  )

  it("is away only while all devices are", async () => {
    const { client } = await served({})
    const viewer = client("bob").room<Fields>(TOPIC)
    const tabs = ["1", "2"].map((device) => client("ada", device).room<Fields>(TOPIC, { me: {} }))
    for (const room of [viewer, ...tabs]) await live(room)
    const isAway = (): boolean => merged(viewer.get("ada")).away === true
    await tabs[0]!.update({ away: true })
    await until(() => viewer.get("ada")?.metas.some(({ away }) => away) === true)
    expect(isAway()).toBe(false)
    await tabs[1]!.update({ away: true })
    await until(isAway)
    await tabs[0]!.update({ away: false })
    await until(() => !isAway())
  })
})

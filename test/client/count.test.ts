/** The number of users of a topic, with our client and server. */
import { expect, it, onTestFinished } from "vitest"
import { WebSocket } from "ws"
import { connect, LongPoll, type CountOptions, type Transport } from "../../src/client/index.ts"
import { type ChannelHandlers, type Server } from "../../src/server/index.ts"
import { serve } from "../support/serve.ts"
import { until } from "../support/until.ts"

type Assigns = { user: string }

const TOPIC = "rooms:1"

async function served(handlers: Partial<ChannelHandlers<Assigns>> = {}) {
  /** The params of all joins. */
  const joins: unknown[] = []
  const { url, server } = await serve((made: Server<Assigns>) => {
    made.socket("/socket", {
      origins: false,
      connect: ({ params }) => ({ user: params["user"] ?? "" }),
      id: ({ assigns }) => assigns.user,
    })
    made.channel("rooms:*", {
      join: (_topic, params) => {
        joins.push(params)
        return { ok: {} }
      },
      presence: ({ assigns }, me) => ({ key: assigns.user, meta: me }),
      ...handlers,
    })
  })
  const client = (user: string, transport: Transport = WebSocket) => {
    const connection = connect(`${url}/socket`, { transport, params: { user }, reconnectAfterMs: () => 10 })
    onTestFinished(() => connection.disconnect())
    return connection
  }
  const count = (user: string, options?: CountOptions, transport?: Transport) =>
    client(user, transport).count(TOPIC, options)
  return { server, joins, client, count }
}

it.each([
  ["WebSocket", WebSocket],
  ["long poll", LongPoll],
] as [string, Transport][])(
  "follows the users who join and leave, itself among them, over %s",
  async (_name, transport) => {
    const { client, count } = await served()
    const ada = count("ada", {}, transport)
    expect(ada.getSnapshot()).toEqual({ status: "joining" })
    expect(ada.total).toBeUndefined()
    await until(() => ada.total === 1)
    const bob = client("bob").room(TOPIC)
    const carol = count("carol")
    await until(() => ada.total === 3 && carol.total === 3)
    bob.leave()
    await until(() => ada.total === 2 && carol.total === 2)
    expect(ada.by).toBeUndefined()
    expect(ada.status).toBe("live")
  },
)

it("shows those who count to the others as users", async () => {
  const { client, count } = await served()
  const room = client("bob").room(TOPIC)
  count("ada", { params: { me: { name: "Ada" } } })
  await until(() => room.size === 2)
  expect(room.get("ada")?.metas).toMatchObject([{ name: "Ada" }])
})

it("counts by the values of one field, and follows updates", async () => {
  const { client, count } = await served({ allow: ["status"] })
  const ada = client("ada").room<{ status: string }>(TOPIC, { me: { status: "busy" } })
  const bob = count("bob", { by: "status", params: { me: { status: "free" } } })
  await until(() => bob.total === 2)
  expect(bob.by).toEqual({ busy: 1, free: 1 })
  await ada.update({ status: "free" })
  await until(() => bob.by?.["free"] === 2)
  expect(bob.getSnapshot()).toEqual({ status: "live", total: 2, by: { free: 2 } })
})

it("returns the same frozen snapshot until something changes, and calls its listeners then", async () => {
  const { client, count } = await served()
  const ada = count("ada")
  await until(() => ada.total === 1)
  const before = ada.getSnapshot()
  let calls = 0
  ada.subscribe(() => (calls += 1))
  expect(ada.getSnapshot()).toBe(before)
  expect(Object.isFrozen(before)).toBe(true)
  client("bob").room(TOPIC)
  await until(() => ada.total === 2)
  expect(calls).toBeGreaterThan(0)
  expect(before).toEqual({ status: "live", total: 1 })
})

it("keeps the count as stale while the connection is lost, and is live with the next one", async () => {
  const { server, count } = await served()
  const ada = count("ada")
  await until(() => ada.status === "live")
  server.disconnect("ada")
  await until(() => ada.status === "stale")
  expect(ada.total).toBe(1)
  await until(() => ada.status === "live")
  expect(ada.total).toBe(1)
})

it("sends the params of each join: an object, or what a function or its promise returns", async () => {
  const { joins, count } = await served()
  const [ada, bob] = [
    count("ada", { params: { token: 1 } }),
    count("bob", { by: "x", params: async () => ({ token: 2 }) }),
  ]
  await until(() => ada.status === "live" && bob.status === "live")
  expect(joins).toEqual(
    expect.arrayContaining([
      { token: 1, presence_count: true },
      { token: 2, presence_count: "x" },
    ]),
  )
})

it("is closed by leave, after which the topic can be a room", async () => {
  const { client } = await served()
  const connection = client("ada")
  const count = connection.count(TOPIC)
  await until(() => count.status === "live")
  count.leave()
  expect(count.status).toBe("closed")
  const room = connection.room(TOPIC)
  await room.ready
  expect(room.list((key) => key)).toEqual(["ada"])
  room.leave()
  const again = connection.count(TOPIC)
  await until(() => again.total === 1)
})

it("refuses a topic that is a room already, and a room of a topic that is counted", async () => {
  const { client } = await served()
  const connection = client("ada")
  connection.room(TOPIC)
  const message = "expected rooms:1 to be a room or a count, got both"
  expect(() => connection.count(TOPIC)).toThrow(message)
  connection.count("rooms:2")
  expect(() => connection.room("rooms:2")).toThrow(message.replace("1", "2"))
  expect(() => connection.count("rooms:2")).not.toThrow()
})

it("is closed with a connection that is closed, and cannot be opened then", async () => {
  const { client } = await served()
  const connection = client("ada")
  const count = connection.count(TOPIC)
  await until(() => count.status === "live")
  connection.disconnect()
  expect(count.status).toBe("closed")
  expect(count.total).toBe(1)
  expect(() => connection.count(TOPIC)).toThrow("closed")
})

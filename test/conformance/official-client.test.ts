import { afterEach, beforeEach, expect, test } from "vitest"
import { createServer } from "../../src/server/index.ts"
import type { Listening, Server } from "../../src/server/index.ts"
import { freePort } from "../support/free-port.js"
import { Presence, disconnectAll, officialSocket, reply } from "../support/phoenix-client.ts"

// Socket, Channel and Presence of the npm package phoenix, over real WebSockets, against a Rollcall server.
interface Assigns {
  userId: string
}

let server: Server<Assigns>
let listening: Listening
let crashes: unknown[]

function rollcallServer(): Server<Assigns> {
  const logger = { warn: () => undefined, error: (_message: string, details?: unknown) => void crashes.push(details) }
  const server = createServer<Assigns>({ logger })
  const { presence } = server
  server.socket("/socket", {
    connect: ({ params }) => (params["token"] === "bad" ? false : { userId: params["user_id"] ?? "guest" }),
    id: ({ assigns }) => `users:${assigns.userId}`,
  })
  server.channel("rooms:*", {
    join: (_topic, params) =>
      params["deny"] === true ? { error: { reason: "unauthorized" } } : { ok: { hello: params } },
    joined(channel) {
      presence.track(channel, channel.assigns.userId, { status: "available" })
      channel.push("presence_state", presence.list(channel.topic))
    },
    on: {
      echo: (payload) => ({ ok: payload }),
      fail: (payload) => ({ error: payload }),
      shout: (payload, channel) => channel.broadcast("shout", payload),
      whisper: (payload, channel) => channel.broadcastFrom("whisper", payload),
      crash() {
        throw new Error("on purpose")
      },
      stop(payload, channel) {
        channel.stop()
        return { ok: payload }
      },
      bytes: (payload) => ({ ok: payload }),
      async slow(payload: { ms: number }) {
        await new Promise((resolve) => setTimeout(resolve, payload.ms))
        return { ok: "slow" }
      },
      update: (payload, channel) => presence.handleUpdate(channel, payload),
    },
  })
  return server
}

beforeEach(async () => {
  crashes = []
  server = rollcallServer()
  // One that nobody else gets while the server is away.
  listening = await server.listen({ port: await freePort(), host: "127.0.0.1" })
})
afterEach(async () => {
  disconnectAll()
  await server.close()
})

/** Connects a user to one topic. Returns its socket, its channel, and the official Presence of that channel. */
function user(name: string, topic = "rooms:lobby", params: object = {}): any {
  const socket = officialSocket(listening.url, { user_id: name })
  const channel = socket.channel(topic, params)
  const presence = new Presence(channel)
  return { socket, channel, presence, joined: reply(channel.join()) }
}

const here = ({ presence }: any): string[] =>
  presence.list((key: string, { metas }: any) => `${key}:${metas.map((meta: any) => meta.status).join("+")}`).sort()

const sees = (who: any, ...users: string[]): Promise<void> => expect.poll(() => here(who)).toEqual(users)

const next = (channel: any, event: string): Promise<any> =>
  new Promise((resolve) => {
    const ref = channel.on(event, (payload: unknown) => {
      channel.off(event, ref)
      resolve(payload)
    })
  })

test("joins with params, and gets the handler's reply", async () => {
  const { joined } = user("ada", "rooms:lobby", { from: "test" })
  expect(await joined).toEqual({ status: "ok", response: { hello: { from: "test" } } })
})

test("gets the handler's reason for a refused join, and the protocol's reason for a topic without handlers", async () => {
  expect(await user("ada", "rooms:lobby", { deny: true }).joined).toEqual({
    status: "error",
    response: { reason: "unauthorized" },
  })
  expect(await user("ada", "nowhere").joined).toEqual({ status: "error", response: { reason: "unmatched topic" } })
})

test("pushes and gets replies of every status, in order", async () => {
  const { channel, joined } = user("ada")
  await joined
  expect(await reply(channel.push("echo", { n: [1, null, "é"] }))).toEqual({
    status: "ok",
    response: { n: [1, null, "é"] },
  })
  expect(await reply(channel.push("fail", { why: "so" }))).toEqual({ status: "error", response: { why: "so" } })
  const order: string[] = []
  await Promise.all([
    reply(channel.push("slow", { ms: 30 })).then(() => order.push("slow")),
    reply(channel.push("echo", {})).then(() => order.push("echo")),
  ])
  expect(order).toEqual(["slow", "echo"])
})

test("sends and gets bytes", async () => {
  const { channel, joined } = user("ada")
  await joined
  const { response } = await reply(channel.push("bytes", new Uint8Array([1, 2, 255]).buffer))
  expect(new Uint8Array(response)).toEqual(new Uint8Array([1, 2, 255]))
})

test("receives broadcasts, but not its own broadcastFrom", async () => {
  const [ada, bob] = [user("ada"), user("bob")]
  await Promise.all([ada.joined, bob.joined])
  const received = Promise.all([next(ada.channel, "shout"), next(bob.channel, "shout")])
  ada.channel.push("shout", { n: 1 })
  expect(await received).toEqual([{ n: 1 }, { n: 1 }])
  const whispered: unknown[] = []
  ada.channel.on("whisper", (payload: unknown) => whispered.push(payload))
  const whisper = next(bob.channel, "whisper")
  ada.channel.push("whisper", { n: 2 })
  expect(await whisper).toEqual({ n: 2 })
  await reply(ada.channel.push("echo", {}))
  expect(whispered).toEqual([])
})

test("lists the users of its topic through joins, further devices, updates and leaves", async () => {
  const ada = user("ada")
  await sees(ada, "ada:available")
  const bob = user("bob")
  await sees(ada, "ada:available", "bob:available")
  await sees(bob, "ada:available", "bob:available")
  const { response } = await reply(bob.channel.push("update", { meta: { status: "away" } }))
  expect(response).toEqual({ phx_ref: expect.any(String) })
  await sees(ada, "ada:available", "bob:away")
  const second = user("bob")
  await sees(ada, "ada:available", "bob:away+available")
  bob.socket.disconnect()
  await sees(ada, "ada:available", "bob:available")
  second.channel.leave()
  await sees(ada, "ada:available")
})

test("calls the official callbacks for joins and leaves", async () => {
  const ada = user("ada")
  await sees(ada, "ada:available")
  const events: unknown[] = []
  ada.presence.onJoin((key: string, current: unknown) =>
    events.push([key, current === undefined ? "joined" : "joined again"]),
  )
  ada.presence.onLeave((key: string, current: any) =>
    events.push([key, current.metas.length === 0 ? "left" : "has left"]),
  )
  const bob = user("bob")
  await sees(ada, "ada:available", "bob:available")
  const again = user("bob")
  await sees(ada, "ada:available", "bob:available+available")
  bob.channel.leave()
  await sees(ada, "ada:available", "bob:available")
  again.channel.leave()
  await sees(ada, "ada:available")
  expect(events).toEqual([
    ["bob", "joined"],
    ["bob", "joined again"],
    ["bob", "has left"],
    ["bob", "left"],
  ])
})

test("leaves, and joins again", async () => {
  const { socket, channel, joined } = user("ada")
  await joined
  expect((await reply(channel.leave())).status).toBe("ok")
  expect((await reply(socket.channel("rooms:lobby", {}).join())).status).toBe("ok")
})

test("a channel that crashes is rejoined by the client; the other channels of the socket are not affected", async () => {
  const ada = user("ada")
  const other = ada.socket.channel("rooms:other", {})
  await Promise.all([ada.joined, reply(other.join())])
  let broken = 0
  other.onError(() => (broken += 1))
  // Its first state has arrived.
  await sees(ada, "ada:available")
  const again = next(ada.channel, "presence_state")
  ada.channel.push("crash", {})
  await again
  await sees(ada, "ada:available")
  expect((await reply(other.push("echo", {}))).status).toBe("ok")
  expect(broken).toBe(0)
  expect(crashes).toHaveLength(1)
})

test("a channel that the server stops is closed after its reply", async () => {
  const { channel, joined } = user("ada")
  await joined
  const closed = new Promise((resolve) => channel.onClose(resolve))
  expect(await reply(channel.push("stop", { last: 1 }))).toEqual({ status: "ok", response: { last: 1 } })
  await closed
  expect(channel.state).toBe("closed")
})

test("reconnects after server.disconnect of its id, and all clients list it once", async () => {
  const [ada, bob] = [user("ada"), user("bob")]
  await sees(ada, "ada:available", "bob:available")
  const left = new Promise((resolve) => ada.presence.onLeave(resolve))
  server.disconnect("users:bob")
  expect(await left).toBe("bob")
  await sees(ada, "ada:available", "bob:available")
  await sees(bob, "ada:available", "bob:available")
})

test("two sockets list each other again after the server was away", async () => {
  const [ada, bob] = [user("ada"), user("bob")]
  await sees(ada, "ada:available", "bob:available")
  await server.close()
  const rejoined = Promise.all([next(ada.channel, "presence_state"), next(bob.channel, "presence_state")])
  server = rollcallServer()
  listening = await server.listen({ port: listening.port, host: "127.0.0.1" })
  await rejoined
  await sees(ada, "ada:available", "bob:available")
  await sees(bob, "ada:available", "bob:available")
  expect(Object.keys(server.presence.list("rooms:lobby")).sort()).toEqual(["ada", "bob"])
})

test("a refused connect is an error for the client, which keeps trying", async () => {
  let token = "bad"
  const socket = officialSocket(listening.url, () => ({ token, user_id: "ada" }) as object)
  await new Promise((resolve) => socket.onError(resolve))
  token = "good"
  await new Promise((resolve) => socket.onOpen(resolve))
  expect((await reply(socket.channel("rooms:lobby", {}).join())).status).toBe("ok")
})

test("every heartbeat is answered, and the client sees that it is", async () => {
  const socket = officialSocket(listening.url, { user_id: "ada" })
  await new Promise((resolve) => socket.onOpen(resolve))
  let closed = 0
  socket.onClose(() => (closed += 1))
  for (let beat = 0; beat < 2; beat += 1) {
    const answered = new Promise<unknown>((resolve) => {
      socket.onMessage(({ topic, event, payload }: any) => {
        if (topic === "phoenix" && event === "phx_reply") resolve(payload.status)
      })
    })
    // Sent by hand: if the machine stood still for an interval, the client would give up a short one.
    socket.sendHeartbeat()
    expect(socket.pendingHeartbeatRef).not.toBeNull()
    expect(await answered).toBe("ok")
    expect(socket.pendingHeartbeatRef).toBeNull()
  }
  expect(closed).toBe(0)
})

import { RealtimeClient } from "@supabase/realtime-js"
import { afterEach, beforeEach, expect, test } from "vitest"
import { WebSocket } from "ws"
import { Presence } from "../../src/client/presence.ts"
import { createServer, tokens } from "../../src/server/index.ts"
import type { Listening, Server, Tokens } from "../../src/server/index.ts"
import { freePort } from "../support/free-port.js"

// Supabase's client over a real WebSocket. Its socket and channels are Phoenix's: connecting, joining, leaving,
// replies,
// heartbeats and reconnecting work without any code. What Supabase adds is implemented below, as user code:
//
// - topics begin with `realtime:`;
// - a join's params carry `config` (`broadcast`, `presence.key`, `private`) and `access_token`;
// - a client tracks by the event `presence`, and broadcasts by the event `broadcast`; the payload names the operation;
// - a renewed token arrives as the event `access_token`.
//
// If a diff has a join of a present user, Supabase's Presence removes the references from the user's metas. So it
// cannot then
// apply the leave in the same diff, which every update has. Therefore a repeated track untracks first, in a separate
// diff.
//
// User code cannot solve one problem: in version 2, Supabase's client sends broadcasts as binary frames of kind 3,
// which
// Phoenix does not know either. With its `encode` option, or in version 1, it sends Phoenix's frames.

interface Assigns {
  key: string
  ack: boolean
  token: string
}

let server: Server<Assigns>
let listening: Listening
let crashes: unknown[]
let guard: Tokens
let clients: RealtimeClient[]

function supabaseServer(): Server<Assigns> {
  const server = createServer<Assigns>({
    presenceWindowMs: false,
    logger: { warn: () => undefined, error: (...what) => void crashes.push(what) },
  })
  const { presence } = server
  server.socket("/realtime/v1", {
    connect: ({ params }) => params["apikey"] === "anon" && { key: "", ack: false, token: "" },
  })
  server.channel("realtime:*", {
    async join(_topic, { config, access_token: token }, channel) {
      const { presence = {}, broadcast = {}, private: isPrivate } = config as any
      if (isPrivate === true) channel.assigns.token = String((await guard.verify(token as string)).sub)
      channel.assigns.key = presence.key || channel.pid
      channel.assigns.ack = broadcast.ack === true
      return { ok: {} }
    },
    joined: (channel) => channel.push("presence_state", presence.list(channel.topic)),
    on: {
      broadcast(payload, channel) {
        channel.broadcastFrom("broadcast", payload)
        return channel.assigns.ack ? { ok: {} } : undefined
      },
      presence({ event, payload }: any, channel) {
        const { key } = channel.assigns
        presence.untrack(channel, key)
        if (event === "track") presence.track(channel, key, payload)
        return { ok: {} }
      },
      async access_token({ access_token: token }: any, channel) {
        channel.assigns.token = String((await guard.verify(token)).sub)
        channel.push("renewed", { sub: channel.assigns.token })
      },
    },
  })
  return server
}

beforeEach(async () => {
  crashes = []
  clients = []
  guard = await tokens({ secret: "a secret that is long enough: 32+" })
  server = supabaseServer()
  // One that nobody else gets while the server is away.
  listening = await server.listen({ port: await freePort(), host: "127.0.0.1" })
})
afterEach(async () => {
  await Promise.all(clients.map((client) => client.disconnect()))
  await server.close()
})

/** Supabase's client, with short reconnect times. In version 2 it encodes broadcasts as Phoenix's clients do. */
function client(options: object = {}): RealtimeClient {
  const encode = ({ join_ref, ref, topic, event, payload }: any, callback: any): void =>
    callback(JSON.stringify([join_ref, ref, topic, event, payload]))
  const created = new RealtimeClient(`${listening.url.replace("http", "ws")}/realtime/v1`, {
    params: { apikey: "anon" },
    transport: WebSocket as never,
    reconnectAfterMs: () => 20,
    encode: encode as never,
    ...options,
  })
  clients.push(created)
  return created
}

/** A channel that is subscribed, and all `statuses` that its callback received. */
async function subscribed(client: RealtimeClient, name: string, config: object = {}, setUp = (_channel: any) => {}) {
  const channel = client.channel(name, { config })
  setUp(channel)
  const statuses: string[] = []
  await new Promise<void>((resolve) => {
    channel.subscribe((status) => {
      statuses.push(status)
      resolve()
    })
  })
  return { channel, statuses }
}

const receivedBy = (into: unknown[]) => (channel: any) =>
  channel.on("broadcast", { event: "*" }, ({ event, payload }: any) => into.push([event, payload]))

test("connects with its key, joins, and leaves", async () => {
  const { channel, statuses } = await subscribed(client(), "room")
  expect(statuses).toEqual(["SUBSCRIBED"])
  expect(await channel.unsubscribe()).toBe("ok")
})

test("is refused without a valid key, and keeps trying", async () => {
  const stranger = client({ params: { apikey: "other" } })
  const { statuses } = await subscribed(stranger, "room")
  expect(statuses[0]).toBe("CHANNEL_ERROR")
  expect(stranger.isConnected()).toBe(false)
})

test.for<[string, object]>([
  ["2 with Phoenix's encoding", {}],
  ["1", { vsn: "1.0.0", encode: (message: unknown, send: (text: string) => void) => send(JSON.stringify(message)) }],
])("broadcasts to the others, and gets an acknowledgement, in version %s", async ([, options]) => {
  const [mine, theirs]: [unknown[], unknown[]] = [[], []]
  const ada = await subscribed(client(options), "room", { broadcast: { ack: true } }, receivedBy(mine))
  await subscribed(client(options), "room", {}, receivedBy(theirs))
  expect(await ada.channel.send({ type: "broadcast", event: "cursor", payload: { x: 1 } })).toBe("ok")
  await expect.poll(() => theirs).toEqual([["cursor", { x: 1 }]])
  expect(mine).toEqual([])
})

test("a broadcast as a binary frame of its own kind is malformed: the connection is closed, and it reconnects", async () => {
  const ada = client({ encode: undefined })
  const { channel, statuses } = await subscribed(ada, "room")
  await channel.send({ type: "broadcast", event: "cursor", payload: { x: 1 } })
  await expect.poll(() => statuses).toEqual(["SUBSCRIBED", "CHANNEL_ERROR", "SUBSCRIBED"])
})

test("its Presence and ours list the same users after track, another track, untrack and disconnect", async () => {
  const joins: unknown[] = []
  const ada = client()
  let ours: Presence | undefined
  const { channel } = await subscribed(ada, "room", { presence: { key: "ada", enabled: true } }, (channel) => {
    channel.on("presence", { event: "join" }, ({ key }: { key: string }) => joins.push(key))
    // Its channel wraps the Phoenix channel, and has what our Presence needs.
    ours = new Presence(channel.channelAdapter.getChannel())
  })
  const bob = client()
  const other = await subscribed(bob, "room", { presence: { key: "bob", enabled: true } })
  const shown = () => Object.entries(channel.presenceState()).map(([key, metas]) => [key, (metas as any)[0].status])
  const listed = () => ours?.list((key, { metas: [first] }) => [key, first?.["status"]])
  const agree = (...people: string[][]) =>
    expect.poll(() => [shown().sort(), listed()?.sort()]).toEqual([people, people])

  expect(await channel.track({ status: "here" })).toBe("ok")
  expect(await other.channel.track({ status: "here" })).toBe("ok")
  await agree(["ada", "here"], ["bob", "here"])
  await other.channel.track({ status: "away" })
  await agree(["ada", "here"], ["bob", "away"])
  expect(new Set(joins)).toEqual(new Set(["ada", "bob"]))
  await other.channel.untrack()
  await agree(["ada", "here"])
  await other.channel.track({ status: "back" })
  await agree(["ada", "here"], ["bob", "back"])
  await bob.disconnect()
  await agree(["ada", "here"])
  expect(crashes).toEqual([])
})

test("reconnects after the server was away", async () => {
  const received: unknown[] = []
  const ada = await subscribed(client(), "room", {}, receivedBy(received))
  await server.close()
  await expect.poll(() => ada.statuses).toContain("CHANNEL_ERROR")
  server = supabaseServer()
  listening = await server.listen({ port: listening.port, host: "127.0.0.1" })
  await expect.poll(() => ada.statuses.at(-1)).toBe("SUBSCRIBED")
  server.broadcast("realtime:room", "broadcast", { type: "broadcast", event: "news", payload: {} })
  await expect.poll(() => received).toEqual([["news", {}]])
})

test("a private channel is joined with the token, and renewed with the next", async () => {
  let name = "ada"
  const ada = client({ accessToken: () => guard.sign({ sub: name }) })
  await ada.setAuth()
  const renewed: unknown[] = []
  const { statuses } = await subscribed(ada, "room", { private: true }, (channel) =>
    channel.on("renewed", {}, (payload: unknown) => renewed.push(payload)),
  )
  expect(statuses).toEqual(["SUBSCRIBED"])
  name = "ada again"
  await ada.setAuth()
  await expect.poll(() => renewed).toContainEqual({ sub: "ada again" })
})

test("a private channel without a token is refused", async () => {
  const { statuses } = await subscribed(client(), "room", { private: true })
  expect(statuses[0]).toBe("CHANNEL_ERROR")
})

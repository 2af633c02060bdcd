import { RealtimeClient } from "@supabase/realtime-js"
import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { WebSocket } from "ws"
import { createServer } from "../../src/server/index.ts"
import type { ChannelHandlers, Listening, Server, ServerOptions } from "../../src/server/index.ts"
import { LocalBus } from "../../src/pubsub/local.ts"
import { freePort } from "../support/free-port.js"
import { serve } from "../support/serve.ts"
import { linked } from "../support/linked.ts"

// Supabase's client, unchanged, with the encoding that it has by default, and a server with `dialect: "supabase"`.

let server: Server
let listening: Listening
let errors: unknown[]
let clients: RealtimeClient[]
let others: Server[]
/** What new connections wait for. */
let gate: Promise<void>

function supabaseServer(handlers: Partial<ChannelHandlers> = {}, options: ServerOptions = {}): Server {
  const server = createServer({
    logger: { warn: (...what) => void errors.push(what), error: (...what) => void errors.push(what) },
    ...options,
  })
  server.socket("/realtime/v1", {
    dialect: "supabase",
    connect: async ({ params }) => {
      await gate
      return { name: params["name"] }
    },
    id: ({ assigns }) => assigns["name"] as string | undefined,
  })
  server.socket("/phoenix")
  server.channel("realtime:*", { join: () => ({ ok: {} }), ...handlers })
  return server
}

async function restart(handlers: Partial<ChannelHandlers> = {}, options: ServerOptions = {}): Promise<void> {
  await server.close()
  server = supabaseServer(handlers, options)
  listening = await server.listen({ port: listening.port, host: "127.0.0.1" })
}

beforeEach(async () => {
  ;[errors, clients, others, gate] = [[], [], [], Promise.resolve()]
  server = supabaseServer()
  // One that nobody else gets while the server is away.
  listening = await server.listen({ port: await freePort(), host: "127.0.0.1" })
})
afterEach(async () => {
  await Promise.all(clients.map((client) => client.disconnect()))
  await Promise.all([server, ...others].map((each) => each.close()))
})

function client(options: object = {}, url = listening.url): RealtimeClient {
  const created = new RealtimeClient(`${url.replace("http", "ws")}/realtime/v1`, {
    params: { apikey: "anon" },
    transport: WebSocket as never,
    reconnectAfterMs: () => 20,
    ...options,
  })
  clients.push(created)
  return created
}

/** A subscribed channel, and what it has received: statuses, broadcasts, `system` messages, and how often it was in sync. */
async function subscribed(client: RealtimeClient, config: any = {}, setUp = (_channel: any) => {}) {
  const seen = {
    statuses: [] as string[],
    broadcasts: [] as unknown[],
    system: [] as unknown[],
    joins: [] as unknown[],
  }
  const channel: any = client.channel("room", { config })
  channel.on("broadcast", { event: "*" }, ({ event, payload }: any) => seen.broadcasts.push([event, payload]))
  channel.on("system", {}, (payload: unknown) => seen.system.push(payload))
  setUp(channel)
  await new Promise<void>((resolve) => {
    channel.subscribe((status: string) => {
      seen.statuses.push(status)
      resolve()
    })
  })
  return { channel, ...seen }
}

const send = (channel: any, event: string, payload: unknown): Promise<string> =>
  channel.send({ type: "broadcast", event, payload })
const withPresence = (key: string): object => ({ presence: { key, enabled: true } })
/** Returns the users that a channel shows, each with the `status` of its metas. */
const shown = (channel: any): unknown =>
  Object.fromEntries(
    Object.entries(channel.presenceState())
      .map(([key, metas]) => [key, (metas as any[]).map(({ status }) => status)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )

describe("broadcasts of Supabase's client", () => {
  it("reach the other clients, not the sender, and keep the connection", async () => {
    const ada = await subscribed(client())
    const bob = await subscribed(client())
    expect(await send(ada.channel, "cursor", { x: 1, name: "é😀" })).toBe("ok")
    expect(await send(ada.channel, "cursor", {})).toBe("ok")
    await expect
      .poll(() => bob.broadcasts)
      .toEqual([
        ["cursor", { x: 1, name: "é😀" }],
        ["cursor", {}],
      ])
    expect([ada.broadcasts, ada.statuses, bob.statuses, errors]).toEqual([[], ["SUBSCRIBED"], ["SUBSCRIBED"], []])
  })

  it("reach the sender, too, with self, and are answered with ack", async () => {
    const ada = await subscribed(client(), { broadcast: { self: true, ack: true } })
    expect(await send(ada.channel, "cursor", [1, "two", null])).toBe("ok")
    await expect.poll(() => ada.broadcasts).toEqual([["cursor", [1, "two", null]]])
    const sent = await send(ada.channel, "ping", "a text")
    expect([sent, ada.statuses]).toEqual(["ok", ["SUBSCRIBED"]])
  })

  it("may contain bytes", async () => {
    const ada = await subscribed(client())
    const bob = await subscribed(client())
    await send(ada.channel, "file", Uint8Array.of(0, 4, 255).buffer)
    await expect.poll(() => bob.broadcasts).toHaveLength(1)
    const [[event, payload]] = bob.broadcasts as [[string, ArrayBuffer]]
    expect([event, [...new Uint8Array(payload)]]).toEqual(["file", [0, 4, 255]])
  })

  it("have events with accents, which the client does not write as UTF-8", async () => {
    const ada = await subscribed(client())
    const bob = await subscribed(client())
    await send(ada.channel, "café", { x: 1 })
    await expect.poll(() => bob.broadcasts).toEqual([["café", { x: 1 }]])
    expect(ada.statuses).toEqual(["SUBSCRIBED"])
  })

  it("reach clients of version 1, and clients of version 2 get theirs", async () => {
    const jsonObjects = {
      vsn: "1.0.0",
      encode: (message: unknown, send: (text: string) => void) => send(JSON.stringify(message)),
    }
    const ada = await subscribed(client())
    const bob = await subscribed(client(jsonObjects))
    await send(ada.channel, "cursor", { x: 1 })
    await expect.poll(() => bob.broadcasts).toEqual([["cursor", { x: 1 }]])
    await send(bob.channel, "cursor", { x: 2 })
    await expect.poll(() => ada.broadcasts).toEqual([["cursor", { x: 2 }]])
  })

  it("reach clients of another node", async () => {
    const bus = new LocalBus()
    await restart({}, { pubsub: bus.join({ node: "one" }) })
    const other = supabaseServer({}, { pubsub: bus.join({ node: "two" }) })
    others.push(other)
    const { url } = await other.listen({ port: 0, host: "127.0.0.1" })
    const ada = await subscribed(client())
    const bob = await subscribed(client({}, url))
    await send(ada.channel, "cursor", { x: 1 })
    await send(ada.channel, "file", Uint8Array.of(1, 2, 3).buffer)
    await expect
      .poll(() => bob.broadcasts)
      .toEqual([
        ["cursor", { x: 1 }],
        ["file", expect.any(ArrayBuffer)],
      ])
  })

  it("come from the server, too", async () => {
    const ada = await subscribed(client())
    server.broadcast("realtime:room", "broadcast", { type: "broadcast", event: "news", payload: { day: new Date(0) } })
    await expect.poll(() => ada.broadcasts).toEqual([["news", { day: "1970-01-01T00:00:00.000Z" }]])
  })
})

describe("presence of Supabase's client", () => {
  it("shows who has tracked, followed by updates, untrack and disconnect, with one entry for each user", async () => {
    const ada = await subscribed(client(), withPresence("ada"))
    const bobsClient = client()
    const bob = await subscribed(bobsClient, withPresence("bob"))
    const agree = async (users: object): Promise<void> => {
      await expect.poll(() => [shown(ada.channel), shown(bob.channel)]).toEqual([users, users])
    }
    expect(await ada.channel.track({ status: "here" })).toBe("ok")
    expect(await bob.channel.track({ status: "here" })).toBe("ok")
    await agree({ ada: ["here"], bob: ["here"] })
    expect(await bob.channel.track({ status: "away" })).toBe("ok")
    await agree({ ada: ["here"], bob: ["away"] })
    await bob.channel.track({ status: "busy" })
    await bob.channel.track({ status: "back" })
    await agree({ ada: ["here"], bob: ["back"] })
    expect(await bob.channel.untrack()).toBe("ok")
    await agree({ ada: ["here"] })
    await bob.channel.track({ status: "again" })
    await agree({ ada: ["here"], bob: ["again"] })
    await bobsClient.disconnect()
    await expect.poll(() => shown(ada.channel)).toEqual({ ada: ["here"] })
    expect(errors).toEqual([])
  })

  it("is shown to a client that joins later, at once", async () => {
    const ada = await subscribed(client(), withPresence("ada"))
    await ada.channel.track({ status: "here" })
    const syncs: unknown[] = []
    const bob = await subscribed(client(), {}, (channel) =>
      channel.on("presence", { event: "sync" }, () => syncs.push(shown(channel))),
    )
    await expect.poll(() => syncs.at(-1)).toEqual({ ada: ["here"] })
    expect(shown(bob.channel)).toEqual({ ada: ["here"] })
  })

  it("has one entry for each user after a reconnect of all, in which each tracks again", async () => {
    const track = (name: string) => (channel: any) => {
      const subscribe = channel.subscribe.bind(channel)
      channel.subscribe = (callback: (status: string) => void) =>
        subscribe((status: string) => {
          callback(status)
          if (status === "SUBSCRIBED") void channel.track({ status: name })
        })
    }
    const ada = await subscribed(client(), withPresence("ada"), track("A"))
    const bob = await subscribed(client(), withPresence("bob"), track("B"))
    const users = { ada: ["A"], bob: ["B"] }
    await expect.poll(() => [shown(ada.channel), shown(bob.channel)]).toEqual([users, users])
    await restart()
    await expect
      .poll(() => [ada.statuses, bob.statuses])
      .toEqual([
        ["SUBSCRIBED", "CHANNEL_ERROR", "SUBSCRIBED"],
        ["SUBSCRIBED", "CHANNEL_ERROR", "SUBSCRIBED"],
      ])
    await expect.poll(() => server.presence.get("realtime:room", "bob")?.metas.length).toBe(1)
    await expect.poll(() => [shown(ada.channel), shown(bob.channel)]).toEqual([users, users])
    await bob.channel.untrack()
    await expect.poll(() => shown(ada.channel)).toEqual({ ada: ["A"] })
  })

  it("has one entry for a user who made an update while the client was away", async () => {
    const ada = await subscribed(client({ params: { apikey: "anon", name: "ada" } }), withPresence("ada"))
    const bob = await subscribed(client(), withPresence("bob"))
    await bob.channel.track({ status: "here" })
    await expect.poll(() => shown(ada.channel)).toEqual({ bob: ["here"] })
    let open = (): void => undefined
    gate = new Promise((resolve) => (open = resolve))
    server.disconnect("ada")
    await expect.poll(() => ada.statuses).toEqual(["SUBSCRIBED", "CHANNEL_ERROR"])
    await bob.channel.track({ status: "away" })
    open()
    await expect.poll(() => ada.statuses).toEqual(["SUBSCRIBED", "CHANNEL_ERROR", "SUBSCRIBED"])
    await expect.poll(() => shown(ada.channel)).toEqual({ bob: ["away"] })
    await bob.channel.untrack()
    await expect.poll(() => shown(ada.channel)).toEqual({})
  })

  it("has a random key for a client that gives none", async () => {
    const [ada, bob] = [await subscribed(client(), withPresence("")), await subscribed(client(), withPresence(""))]
    await ada.channel.track({ status: "one" })
    await bob.channel.track({ status: "two" })
    await expect
      .poll(() =>
        Object.values(shown(ada.channel) as object)
          .flat()
          .sort(),
      )
      .toEqual(["one", "two"])
  })

  it("has one entry for each device of a user", async () => {
    const watcher = await subscribed(client(), {}, (channel) =>
      channel.on("presence", { event: "sync" }, () => undefined),
    )
    const devices = []
    for (const name of ["laptop", "phone", "tablet"]) {
      const { channel } = await subscribed(client(), withPresence("ada"))
      await channel.track({ status: name })
      devices.push(channel)
    }
    const [laptop, phone, tablet] = devices
    const late = await subscribed(client(), withPresence("bob"))
    const agree = async (...statuses: string[]): Promise<void> => {
      const views = (): unknown => [watcher, late].map(({ channel }) => [...((shown(channel) as any).ada ?? [])].sort())
      await expect.poll(views).toEqual([statuses, statuses])
    }
    await agree("laptop", "phone", "tablet")
    await phone.track({ status: "phone away" })
    await agree("laptop", "phone away", "tablet")
    await laptop.untrack()
    await agree("phone away", "tablet")
    await phone.untrack()
    await agree("tablet")
    await tablet.track({ status: "tablet away" })
    await agree("tablet away")
    await laptop.track({ status: "laptop" })
    await agree("laptop", "tablet away")
    await Promise.all([laptop.untrack(), tablet.untrack()])
    await agree()
  })

  it("agrees with the server after any order of track, update and untrack by several devices", async () => {
    const watcher = await subscribed(client(), {}, (channel) =>
      channel.on("presence", { event: "sync" }, () => undefined),
    )
    const channels: any[] = []
    for (const key of ["ada", "ada", "bob", "ada"])
      channels.push((await subscribed(client(), withPresence(key))).channel)
    const step = fc.record({ device: fc.nat(3), untrack: fc.boolean(), waits: fc.boolean() })
    const onServer = (): unknown =>
      Object.entries(server.presence.list("realtime:room"))
        .map(([key, { metas }]) => [key, metas.map((meta) => meta["status"]).sort()])
        .sort()
    const onClient = (): unknown =>
      Object.entries(shown(watcher.channel) as Record<string, string[]>)
        .map(([key, statuses]) => [key, statuses.sort()])
        .sort()
    let statuses = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const answers: Promise<string>[] = []
        for (const { device, untrack, waits } of steps) {
          const channel = channels[device]
          answers.push(untrack ? channel.untrack() : channel.track({ status: `status ${(statuses += 1)}` }))
          if (waits) await answers.at(-1)
        }
        await Promise.all(answers)
        await expect.poll(() => [onClient(), steps]).toEqual([onServer(), steps])
      }),
      { numRuns: 40 },
    )
    expect(errors).toEqual([])
  })

  it("starts with the first track of a client whose join did not ask for it", async () => {
    const ada = await subscribed(client(), withPresence("ada"))
    await ada.channel.track({ status: "here" })
    const bob = await subscribed(client(), { presence: { key: "bob", enabled: false } })
    expect(shown(bob.channel)).toEqual({})
    expect(await bob.channel.track({ status: "here" })).toBe("ok")
    await expect.poll(() => shown(bob.channel)).toEqual({ ada: ["here"], bob: ["here"] })
  })

  it("answers with an error what is no object, and what is too large", async () => {
    await restart({}, { maxMetaBytes: 100 })
    const ada = await subscribed(client(), withPresence("ada"))
    expect(await ada.channel.track("here")).toBe("error")
    expect(await ada.channel.track({ text: "x".repeat(200) })).toBe("error")
    expect(await ada.channel.send({ type: "presence", event: "dance", payload: {} })).toBe("error")
    expect(await ada.channel.track({ status: "here" })).toBe("ok")
    expect(ada.statuses).toEqual(["SUBSCRIBED"])
  })

  it("has the key of the application's presence handler, if there is one", async () => {
    await restart({ presence: () => ({ key: "the server's", meta: { status: "joined" } }) })
    const ada = await subscribed(client(), withPresence("forged"))
    await expect.poll(() => shown(ada.channel)).toEqual({ "the server's": ["joined"] })
    await ada.channel.track({ status: "away" })
    await expect.poll(() => shown(ada.channel)).toEqual({ "the server's": ["away"] })
  })
})

describe("the join of Supabase's client", () => {
  it("is accepted with subscriptions to database changes, and the client is told that there will be none", async () => {
    const changes = (channel: any): void => {
      channel.on("postgres_changes", { event: "*", schema: "public", table: "users" }, () => undefined)
      channel.on("postgres_changes", { event: "INSERT", schema: "public" }, () => undefined)
    }
    const ada = await subscribed(client(), {}, changes)
    expect(ada.statuses).toEqual(["SUBSCRIBED"])
    await expect
      .poll(() => ada.system)
      .toEqual([
        {
          extension: "postgres_changes",
          status: "error",
          message: "This server sends no database changes.",
          channel: "room",
        },
      ])
    await send(ada.channel, "still", {})
    expect(ada.statuses).toEqual(["SUBSCRIBED"])
  })

  it("passes config and token to the application's join, which may refuse it, and later tokens to its handler", async () => {
    const seen: unknown[] = []
    await restart({
      join: (_topic, { config, access_token: token }) => {
        const isPrivate = (config as { private: boolean }).private
        return isPrivate && token !== "good" ? { error: { reason: "no access" } } : { ok: { welcome: true } }
      },
      on: { access_token: (payload) => void seen.push((payload as { access_token: string }).access_token) },
    })
    const stranger = await subscribed(client(), { private: true })
    expect(stranger.statuses[0]).toBe("CHANNEL_ERROR")
    const ada = client({ accessToken: async () => "good" })
    await ada.setAuth()
    const { statuses } = await subscribed(ada, { private: true })
    expect(statuses).toEqual(["SUBSCRIBED"])
    ada.accessToken = async () => "better"
    await ada.setAuth()
    await expect.poll(() => seen).toContain("better")
  })

  it("a renewed token without a handler is ignored", async () => {
    const ada = client({ accessToken: async () => "one" })
    await ada.setAuth()
    const { channel, statuses } = await subscribed(ada, { broadcast: { ack: true } })
    ada.accessToken = async () => "two"
    await ada.setAuth()
    expect(await send(channel, "still", {})).toBe("ok")
    expect([statuses, errors]).toEqual([["SUBSCRIBED"], []])
  })
})

it("server.socket refuses an unknown dialect", () => {
  expect(() => server.socket("/other", { dialect: "elvish" as never })).toThrowError(
    expect.objectContaining({
      code: "config",
      message: linked(`expected the dialect "supabase" or none, got "elvish"`),
    }),
  )
})

describe("frames of the dialect", () => {
  const push = (...bytes: number[]): Uint8Array => Uint8Array.of(3, ...bytes)

  it.each<[string, Uint8Array]>([
    ["is empty but for its kind", push()],
    ["is shorter than its sizes say", push(1, 1, 200, 1, 0, 1, 49, 50)],
    ["contains text that is not JSON", push(0, 0, 1, 1, 0, 1, 97, 98, 123)],
    ["has another kind", Uint8Array.of(5, 0, 0, 0, 0, 0, 0)],
  ])("a binary frame that %s closes the connection with 1011", async (_what, frame) => {
    const { client, counted } = await serve((server) => server.socket("/socket", { dialect: "supabase" }))
    const one = await client()
    one.socket.send(frame)
    expect(await one.next()).toEqual({ event: "close", code: 1011, reason: "" })
    expect(counted.get("bad_frames")).toBe(1)
  })

  it("without the dialect, a broadcast in a binary frame closes the connection with 1011, as in Phoenix", async () => {
    const { client } = await serve((server) => server.socket("/socket"))
    const one = await client()
    one.socket.send(push(0, 0, 1, 1, 0, 1, 97, 98, 123, 125))
    expect(await one.next()).toEqual({ event: "close", code: 1011, reason: "" })
  })
})

it("handlers that are an instance of a class keep their methods and their private state", async () => {
  const left: string[] = []
  class Room implements ChannelHandlers {
    readonly #name = "room"
    join(): { ok: object } {
      return { ok: {} }
    }
    left(): void {
      left.push(this.#name)
    }
  }
  const { client: connect, reached } = await serve((server) => {
    server.socket("/socket", { dialect: "supabase" })
    server.channel("realtime:*", new Room())
  })
  const ada = await connect()
  await ada.join("realtime:room")
  ada.push("realtime:room", "phx_leave")
  await reached("leaves", 1)
  expect(left).toEqual(["room"])
})

/** Questions of a page to the whole server: which keys are online in any topic. With our client and server. */
import fc from "fast-check"
import { describe, expect, it, onTestFinished } from "vitest"
import { WebSocket } from "ws"
import { connect, LongPoll, type KeyChange, type Online, type Transport } from "../../src/client/index.ts"
import { local, LocalBus } from "../../src/pubsub/index.ts"
import { redis } from "../../src/pubsub/redis.ts"
import { watchKeys, type Server, type ServerOptions, type WatchChannelOptions } from "../../src/server/index.ts"
import { fakeConnection } from "../../src/testing/index.ts"
import { serve } from "../support/serve.ts"
import { until } from "../support/until.ts"
import { redisServer } from "../support/engine.js"

type Assigns = { user: string }
type Options = Partial<WatchChannelOptions<Assigns>>

const setUp =
  (options: Options = {}, asked: (readonly string[])[] = []) =>
  (made: Server<Assigns>) => {
    made.socket("/socket", {
      origins: false,
      connect: ({ params }) => ({ user: String(params["user"] ?? "") }),
      id: ({ assigns }) => assigns.user,
    })
    made.channel("rooms:*", {
      join: () => ({ ok: {} }),
      presence: ({ assigns }) => ({ key: assigns.user }),
    })
    made.channel(
      "presence:watch",
      watchKeys<Assigns>({
        graceMs: 0,
        paceMs: 0,
        ...options,
        may(channel, keys) {
          asked.push(keys)
          return options.may?.(channel, keys) ?? true
        },
      }),
    )
  }

async function served(options: Options = {}, serverOptions: ServerOptions = {}) {
  /** The keys of each question for permission. */
  const asked: (readonly string[])[] = []
  const { url, server, counted, client: raw, logged } = await serve(setUp(options, asked), serverOptions)
  return {
    url,
    server,
    counted,
    raw,
    asked,
    logged,
    client: (user?: string, transport?: Transport) => client(url, user, transport),
  }
}

function client(url: string, user = "me", transport: Transport = WebSocket) {
  const connection = connect(`${url}/socket`, { transport, params: { user }, reconnectAfterMs: () => 10 })
  onTestFinished(() => connection.disconnect())
  return connection
}

const shown = (online: Online): object => Object.fromEntries(online.getSnapshot())
const present = ({ presence }: Server<Assigns>, key: string, topic = "jobs") => presence.track({ topic, key })

it.each([
  ["WebSocket", WebSocket],
  ["long poll", LongPoll],
] as [string, Transport][])("shows who is online in any topic, and follows them, over %s", async (_name, transport) => {
  const { client, server } = await served()
  present(server, "ada")
  const online = client("me", transport).online(["ada", "bob"])
  expect(online.get("ada")).toBeUndefined()
  expect(online.status).toBe("joining")
  const changes: KeyChange[] = []
  online.onChange((all) => changes.push(...all))
  await until(() => online.status === "live")
  expect(shown(online)).toEqual({ ada: "online", bob: "offline" })
  const room = client("bob").room("rooms:1")
  await until(() => online.get("bob") === "online")
  room.leave()
  await until(() => online.get("bob") === "offline")
  expect(changes).toEqual([
    { key: "bob", online: true },
    { key: "bob", online: false },
  ])
})

describe("over two nodes", () => {
  it.each(["local", "redis"])(
    "a user of another node is online here, and offline when it is gone there (%s)",
    async (bus) => {
      const options = async (): Promise<ServerOptions[]> => {
        if (bus === "local") {
          const shared = new LocalBus()
          return [{ pubsub: local({ bus: shared, node: "a" }) }, { pubsub: local({ bus: shared, node: "b" }) }]
        }
        const engine = await redisServer()
        await engine.start()
        onTestFinished(() => engine.kill())
        return Promise.all([0, 1].map(async () => ({ pubsub: await redis(engine.url) })))
      }
      const [one, two] = await options()
      const here = await served({}, one)
      const there = await served({}, two)
      const online = here.client().online(["ada"])
      await until(() => online.get("ada") === "offline")
      const room = there.client("ada").room("rooms:1")
      await until(() => online.get("ada") === "online")
      room.leave()
      await until(() => online.get("ada") === "offline")
    },
  )
})

describe("permission", () => {
  it("is asked for each key, and a refused key does not show whether it is online, then or later", async () => {
    const { client, server, asked, counted } = await served({
      may: (_channel, keys) => keys.filter((key) => key === "ada"),
    })
    present(server, "ada")
    const eve = present(server, "eve")
    const connection = client()
    const online = connection.online(["ada", "eve", "max"])
    const seen: object[] = []
    online.subscribe(() => seen.push(shown(online)))
    online.onChange((changes) => seen.push(changes))
    await until(() => online.get("eve") !== undefined)
    expect(shown(online)).toEqual({ ada: "online", eve: "refused", max: "refused" })
    expect(asked.flat()).toEqual(["ada", "eve", "max"])
    eve.end()
    present(server, "max")
    const bob = present(server, "bob")
    online.set(["ada", "bob"])
    await until(() => online.get("bob") !== undefined)
    bob.end()
    expect(shown(online)).toEqual({ ada: "online", bob: "refused" })
    expect(JSON.stringify(seen)).not.toMatch(/"(eve|max|bob)":"o/)
    expect(counted.get("refused_keys")).toBe(3)
  })

  it("may be asked of a database, and depends on who asks", async () => {
    const friends: Record<string, string[]> = { me: ["ada"], you: [] }
    const { client } = await served({ may: async ({ assigns }) => Promise.resolve(friends[assigns.user]!) })
    const mine = client("me").online(["ada"])
    const yours = client("you").online(["ada"])
    await until(() => mine.get("ada") === "offline" && yours.get("ada") === "refused")
  })

  it("that was given meanwhile counts from the next question", async () => {
    let allowed: string[] = []
    const { client, server } = await served({ may: () => allowed })
    present(server, "ada")
    const connection = client()
    const first = connection.online(["ada"])
    await until(() => first.get("ada") === "refused")
    first.set([])
    allowed = ["ada"]
    first.set(["bob"])
    await until(() => first.get("bob") === "refused")
    first.set(["ada"])
    await until(() => first.get("ada") === "online")
  })

  it("that is taken away holds after a reconnect, and is no change to offline", async () => {
    let allowed: boolean | string[] = true
    const { client, server } = await served({ may: () => allowed })
    present(server, "ada")
    const online = client().online(["ada"])
    await until(() => online.get("ada") === "online")
    const seen: unknown[] = []
    online.subscribe(() => seen.push(online.get("ada")))
    online.onChange((changes) => seen.push(changes))
    allowed = false
    server.disconnect("me")
    await until(() => online.get("ada") === "refused")
    expect(seen).toEqual(["refused"])
  })

  it("that fails to be found out is asked again, and nothing is shown meanwhile", async () => {
    let tries = 0
    const { client, logged } = await served({
      may: () => {
        tries += 1
        if (tries === 1) throw new Error("no database")
        return true
      },
    })
    const online = client().online(["ada"])
    await until(() => online.get("ada") === "offline")
    expect(logged.map(({ message }) => message)).toContain("a join crashed")
  })

  it("must be a list or a boolean", async () => {
    const { client, logged } = await served({ may: () => "ada" as never })
    const online = client().online(["ada"])
    await until(() => logged.length > 0)
    expect(String((logged[0]!.details as { error: unknown }).error)).toContain(
      "expected may to return a list of keys, true or false",
    )
    expect(online.get("ada")).toBeUndefined()
  })
})

describe("all questions of a connection", () => {
  it("share one channel, and each key is sent once", async () => {
    const { client, server, asked } = await served()
    const connection = client()
    const all = Array.from({ length: 20 }, (_, n) => connection.online(["ada", `user-${n}`]))
    await until(() => all.every((each) => each.getSnapshot().size === 2))
    expect(server.stats().channels).toBe(1)
    expect(asked.flat().sort()).toEqual(["ada", ...Array.from({ length: 20 }, (_, n) => `user-${n}`)].sort())
    for (const each of all.slice(1)) each.close()
    present(server, "ada")
    await until(() => all[0]!.get("ada") === "online")
    expect(all[1]!.getSnapshot().size).toBe(0)
    all[0]!.close()
    await until(() => server.stats().channels === 0)
  })

  it("see only their own keys, and a change of another one's keys is no change", async () => {
    const { client, server } = await served()
    const connection = client()
    const [one, two] = [connection.online(["ada"]), connection.online(["bob"])]
    await until(() => one.get("ada") !== undefined && two.get("bob") !== undefined)
    let calls = 0
    one.subscribe(() => (calls += 1))
    const before = one.getSnapshot()
    present(server, "bob")
    await until(() => two.get("bob") === "online")
    expect([one.get("bob"), calls]).toEqual([undefined, 0])
    expect(one.getSnapshot()).toBe(before)
  })

  it("may change their keys at any time; what is known of the others stays", async () => {
    const { client, server } = await served()
    present(server, "bob")
    const online = client().online(["ada", "bob"])
    await until(() => online.getSnapshot().size === 2)
    let calls = 0
    online.subscribe(() => (calls += 1))
    online.set(["bob", "carol"])
    expect(shown(online)).toEqual({ bob: "online" })
    expect(calls).toBe(1)
    await until(() => online.get("carol") === "offline")
    expect([...online.getSnapshot().keys()]).toEqual(["bob", "carol"])
  })

  it("that is opened and closed in one turn, as by effects that run twice, costs the server nothing", async () => {
    const { client, server, asked } = await served()
    const connection = client()
    const other = connection.online(["zoe"])
    await until(() => other.get("zoe") !== undefined)
    for (let n = 0; n < 5; n += 1) connection.online(["ada"]).close()
    const online = connection.online(["ada"])
    await until(() => online.get("ada") !== undefined)
    expect(asked).toEqual([["zoe"], ["ada"]])
    online.close()
    online.close()
    online.set(["eve"])
    expect(other.status).toBe("live")
    expect(server.stats().channels).toBe(1)
  })
})

describe("a reconnect", () => {
  it("carries all keys, also those that were added meanwhile, and is no change for those who stayed", async () => {
    const { client, server } = await served()
    const ada = present(server, "ada")
    present(server, "bob")
    const connection = client()
    const online = connection.online(["ada", "bob"])
    await until(() => online.getSnapshot().size === 2)
    const changes: KeyChange[] = []
    online.onChange((all) => changes.push(...all))
    let calls = 0
    online.subscribe(() => (calls += 1))
    connection.pause()
    expect(shown(online)).toEqual({ ada: "online", bob: "online" })
    expect(online.status).toBe("stale")
    online.set(["ada", "bob", "carol"])
    ada.end()
    connection.resume()
    await until(() => online.get("carol") !== undefined)
    expect(shown(online)).toEqual({ ada: "offline", bob: "online", carol: "offline" })
    expect(changes).toEqual([{ key: "ada", online: false }])
    expect(calls).toBe(1)
  })
})

describe("hostile input", () => {
  it("of 10 000 keys gets answers for as many as are permitted, and a refusal for the others", async () => {
    const { client, asked, counted, server } = await served({ maxKeys: 1000 })
    const keys = Array.from({ length: 10_000 }, (_, n) => `user-${n}`)
    present(server, "user-9999")
    const online = client().online(keys)
    await until(() => online.getSnapshot().size === 10_000)
    expect(keys.filter((key) => online.get(key) === "offline")).toEqual(keys.slice(0, 1000))
    expect(keys.filter((key) => online.get(key) === "refused")).toEqual(keys.slice(1000))
    expect(asked.flat()).toHaveLength(1000)
    expect(counted.get("refused_keys")).toBe(9000)
    // There is room for others again.
    online.set([])
    online.set(["user-9999"])
    await until(() => online.get("user-9999") === "online")
  })

  it("is no danger as a key: names of every object, long ones, empty ones and others", async () => {
    const { client, server } = await served()
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "", "\u0000", "😀"]
    for (const name of names.slice(0, 4)) present(server, name)
    const long = "x".repeat(257)
    const online = client().online([...names, long])
    await until(() => online.getSnapshot().size === names.length + 1)
    expect(names.slice(0, 4).map(online.get)).toEqual(["online", "online", "online", "online"])
    expect(online.get("")).toBe("offline")
    expect(online.get(long)).toBe("refused")
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  it.each([
    [{ keys: "ada" }],
    [{ keys: [1] }],
    [{ keys: [null] }],
    [{ keys: [["ada"]] }],
    [{ keys: { 0: "ada" } }],
    [{ keys: null }],
  ])("as the params of a join is refused with the reason: %j", async (params) => {
    const { raw, asked } = await served()
    const answer = await (await raw()).join("presence:watch", params)
    expect(answer).toMatchObject({ status: "error", response: { reason: "invalid_keys" } })
    expect(asked).toEqual([])
  })

  it("as a change is refused with the reason, and the channel goes on", async () => {
    const { raw, server } = await served()
    const socket = await raw()
    await socket.join("presence:watch", { keys: ["ada"] })
    expect(await socket.next()).toMatchObject({ 3: "presence_state", 4: { ada: { metas: [{ status: "offline" }] } } })
    for (const payload of [[], "ada", { add: "ada" }, { add: [{}] }, { remove: 7 }, { add: ["bob"], remove: [null] }]) {
      expect(await socket.ask("presence:watch", "presence_watch", payload)).toMatchObject({
        status: "error",
        response: {
          reason: "invalid_keys",
          message: expect.stringContaining("expected an object with add and remove"),
        },
      })
    }
    present(server, "ada")
    expect(await socket.next()).toMatchObject({
      3: "presence_diff",
      4: { joins: { ada: { metas: [{ status: "online" }] } } },
    })
  })

  it("to connection.online is refused to the code that passed it", async () => {
    const connection = fakeConnection().connection
    for (const keys of ["ada", undefined, null, 7, {}, [1], [null], ["\ud800"], new Set(["ada"])])
      expect(() => connection.online(keys as never)).toThrow(expect.objectContaining({ code: "config" }))
    const online = connection.online([])
    expect(() => online.set("ada" as never)).toThrow("expected a list of keys, got a string")
    connection.disconnect()
    expect(() => connection.online(["ada"])).toThrow(expect.objectContaining({ code: "closed" }))
  })

  it("to watchKeys is refused", () => {
    for (const options of [
      undefined,
      {},
      { may: true },
      { may: () => true, graceMs: -1 },
      { may: () => true, paceMs: "1" },
      { may: () => true, maxKeys: 0 },
    ])
      expect(() => watchKeys(options as never)).toThrow(expect.objectContaining({ code: "config" }))
  })
})

it("shows the same after any order of questions, arrivals and reconnects", async () => {
  const { client, server } = await served()
  const KEYS = ["a", "b", "c"]
  const key = fc.constantFrom(...KEYS)
  const step = fc.oneof(
    fc.record({ kind: fc.constant("set" as const), of: fc.nat(1), keys: fc.subarray(KEYS) }),
    fc.record({ kind: fc.constant("toggle" as const), key }),
    fc.record({ kind: fc.constant("reopen" as const), of: fc.nat(1), keys: fc.subarray(KEYS) }),
    fc.constant({ kind: "reconnect" as const }),
    fc.constant({ kind: "turn" as const }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const connection = client()
      const there = new Map<string, { end(): void }>()
      const questions = [connection.online(["a"]), connection.online([])]
      const wanted: (readonly string[])[] = [["a"], []]
      for (const step of steps) {
        if (step.kind === "set") questions[step.of]!.set((wanted[step.of] = step.keys))
        else if (step.kind === "reopen") {
          questions[step.of]!.close()
          questions[step.of] = connection.online((wanted[step.of] = step.keys))
        } else if (step.kind === "toggle") {
          there.get(step.key)?.end()
          if (!there.delete(step.key)) there.set(step.key, present(server, step.key))
        } else if (step.kind === "reconnect") server.disconnect("me")
        else await new Promise((resolve) => setImmediate(resolve))
      }
      const expected = wanted.map((keys) =>
        Object.fromEntries(keys.map((key) => [key, there.has(key) ? "online" : "offline"])),
      )
      await until(() => questions.every((each) => each.status === "live"))
      await until(() => JSON.stringify(questions.map(shown)) === JSON.stringify(expected))
      for (const each of there.values()) each.end()
      connection.disconnect()
    }),
    { numRuns: 15 },
  )
})

it("is driven by hand in a test of an application", () => {
  const fake = fakeConnection({ key: null })
  const online = fake.connection.online(["ada"])
  const topic = fake.topic<{ status: string }>("presence:watch")
  topic.join("ada", { status: "offline" })
  fake.settle()
  expect(online.get("ada")).toBe("offline")
  topic.update("ada", { status: "online" })
  expect(online.get("ada")).toBe("online")
  fake.connection.disconnect()
})

import { afterEach, describe, expect, test } from "vitest"
import { local, LocalBus } from "../../../src/pubsub/index.ts"
import { createServer } from "../../../src/server/index.ts"
import type { Server, ServerOptions } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { serve } from "../../support/serve.ts"
import { until } from "../../support/until.ts"

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close()
})

const quiet = { warn: () => undefined, error: () => undefined }

function server(options: ServerOptions = {}): Server {
  const created = createServer({ logger: quiet, ...options })
  closing.push(() => created.close())
  return created
}

const code = (value: string) => expect.objectContaining({ code: value })
const job = { topic: "jobs", key: "crawler", ttlMs: 1_000 }

describe("a presence without a connection", () => {
  test("is listed like a user's, is updated by a meta or a function, and ends", () => {
    const { presence } = server()
    const agent = presence.track({ topic: "rooms:1", key: 7, meta: { state: "idle" } })
    expect(agent).toMatchObject({ topic: "rooms:1", key: "7", isTracked: true })
    expect(presence.get("rooms:1", 7)?.metas).toMatchObject([{ state: "idle" }])
    const ref = agent.update({ state: "thinking", step: 1 })
    agent.update((meta) => ({ ...meta, step: Number(meta["step"]) + 1 }))
    expect(presence.get("rooms:1", 7)?.metas).toMatchObject([{ state: "thinking", step: 2, phx_ref_prev: ref }])
    agent.end()
    agent.end()
    expect(agent.isTracked).toBe(false)
    expect(presence.get("rooms:1", 7)).toBeUndefined()
    expect(() => agent.update({})).toThrow(code("not_tracked"))
    expect(agent.renew()).toBe(false)
  })

  test("reaches the clients of its topic, and those of other nodes", async () => {
    const bus = new LocalBus()
    const other = server({ pubsub: local({ bus, node: "other" }) })
    const served = await serve(
      (server) => {
        server.socket("/socket")
        server.channel("rooms:*", { join: () => ({ ok: {} }) })
      },
      { pubsub: local({ bus, node: "one" }) },
    )
    const client = await served.client()
    await client.join("rooms:1")
    const bot = other.presence.track({ topic: "rooms:1", key: "bot" })
    await until(() => served.server.presence.online("bot"))
    bot.end()
    await until(() => !served.server.presence.online("bot"))
    expect(served.server.presence.list("rooms:1")).toEqual({})
  })

  test("several of one key are one user with several metas", () => {
    const { presence } = server()
    const [one, two] = [presence.track({ topic: "jobs", key: "x" }), presence.track({ topic: "jobs", key: "x" })]
    expect(presence.get("jobs", "x")?.metas).toHaveLength(2)
    one.end()
    expect(two.isTracked).toBe(true)
    expect(presence.get("jobs", "x")?.metas).toHaveLength(1)
  })

  test("with a ttl, lives as long as it is renewed or updated, and is gone and counted when it is not", () => {
    const timers = clock()
    const { presence, stats } = ((created) => ({ presence: created.presence, stats: () => created.stats() }))(
      server({ timers }),
    )
    const agent = presence.track(job)
    for (let renewal = 0; renewal < 5; renewal += 1) {
      timers.advance(999)
      expect(renewal % 2 === 0 ? agent.renew() : agent.update({ renewal })).toBeTruthy()
    }
    timers.advance(999)
    expect(agent.isTracked).toBe(true)
    timers.advance(1)
    expect(agent.isTracked).toBe(false)
    expect(presence.get("jobs", "crawler")).toBeUndefined()
    expect(agent.renew()).toBe(false)
    expect(() => agent.update({})).toThrow(code("not_tracked"))
    expect(stats().counters["expired_presences"]).toBe(1)
  })

  test("an update that throws renews nothing", () => {
    const timers = clock()
    const { presence } = server({ timers, maxMetaBytes: 20 })
    const agent = presence.track(job)
    timers.advance(900)
    expect(() => agent.update({ text: "x".repeat(50) })).toThrow(code("meta_too_large"))
    timers.advance(100)
    expect(agent.isTracked).toBe(false)
  })

  test("without a ttl, it sets no timer and has no end; ended ones leave no timer behind", () => {
    const timers = clock()
    const { presence } = server({ timers, presenceWindowMs: false })
    const before = timers.pending
    const agent = presence.track({ topic: "jobs", key: "x" })
    for (let n = 0; n < 100; n += 1) presence.track({ ...job, key: n }).end()
    expect(timers.pending).toBe(before)
    timers.advance(1e9)
    expect(agent.isTracked).toBe(true)
  })

  test("a thousand renewals set no further timer", () => {
    const timers = clock()
    const { presence } = server({ timers, presenceWindowMs: false })
    const agent = presence.track(job)
    const before = timers.pending
    for (let n = 0; n < 1_000; n += 1) agent.renew()
    expect(timers.pending).toBe(before)
  })

  test("ends with its server, which then refuses new ones", async () => {
    const timers = clock()
    const created = server()
    const agent = created.presence.track(job)
    await created.close()
    expect(agent.isTracked).toBe(false)
    expect(() => created.presence.track(job)).toThrow(code("closed"))
    expect(timers.pending).toBe(0)
  })

  test.for([
    [{}, "topic"],
    [{ topic: 7, key: "x" }, "topic"],
    [{ topic: "", key: "x" }, "topic"],
    [{ topic: "phoenix", key: "x" }, "topic"],
    [{ topic: "rollcall:service:game", key: "x" }, "topic"],
    [{ topic: "rollcall:placed:game", key: "x" }, "topic"],
    [{ topic: "t" }, "key"],
    [{ topic: "t", key: "x", ttlMs: 0 }, "ttlMs"],
    [{ topic: "t", key: "x", ttlMs: Infinity }, "ttlMs"],
    [{ topic: "t", key: "x", ttlMs: "1s" }, "ttlMs"],
    [{ topic: "t", key: "x", meta: 7 }, "meta"],
    [undefined, "topic"],
    ["t", "topic"],
  ])("refuses %j with a message about %s, and tracks nothing", ([options, about]) => {
    const { presence } = server()
    expect(() => presence.track(options as never)).toThrow(
      expect.objectContaining({ code: "config", message: expect.stringContaining(about as string) }),
    )
    expect(presence.list("t")).toEqual({})
  })

  test("keeps to the limits of keys and metas", () => {
    const { presence } = server({ maxKeyLength: 5, maxMetasPerKey: 1 })
    expect(() => presence.track({ topic: "t", key: "123456" })).toThrow(code("key_too_long"))
    presence.track({ topic: "t", key: "x" })
    expect(() => presence.track({ topic: "t", key: "x" })).toThrow(code("too_many_metas"))
  })
})

describe("updateAll", () => {
  test("changes the presences of this node in one topic: of clients and of processes, and no others", async () => {
    const bus = new LocalBus()
    const other = server({ pubsub: local({ bus, node: "o@ther" }) })
    const served = await serve(
      (server) => {
        server.socket("/socket")
        server.channel("rooms:*", {
          join: () => ({ ok: {} }),
          joined: (channel) => void server.presence.track(channel, "client"),
        })
      },
      { pubsub: local({ bus, node: "o@ne" }) },
    )
    const { presence } = served.server
    const client = await served.client()
    await client.join("rooms:1")
    await client.socket.settled()
    presence.track({ topic: "rooms:1", key: "bot", meta: { n: 1 } })
    presence.track({ topic: "rooms:2", key: "bot", meta: { n: 1 } })
    other.presence.track({ topic: "rooms:1", key: "far" })
    await until(() => presence.get("rooms:1", "far") !== undefined && presence.get("rooms:1", "client") !== undefined)
    const seen: string[] = []
    const changed = presence.updateAll("rooms:1", (key, meta) => {
      seen.push(key)
      return { ...meta, theme: "dark" }
    })
    expect(changed).toBe(2)
    expect(seen.sort()).toEqual(["bot", "client"])
    expect(presence.get("rooms:1", "bot")?.metas).toMatchObject([{ n: 1, theme: "dark" }])
    expect(presence.get("rooms:1", "client")?.metas).toMatchObject([{ theme: "dark" }])
    expect(presence.get("rooms:1", "far")?.metas[0]).not.toHaveProperty("theme")
    expect(presence.get("rooms:2", "bot")?.metas[0]).not.toHaveProperty("theme")
    await until(() => other.presence.get("rooms:1", "bot")?.metas[0]?.["theme"] === "dark")
  })

  test("is refused for topics that no client can join, such as those of services, whose rows stay as they are", () => {
    const { presence, services } = server()
    services.announce("game", { meta: { players: 0 } })
    const ensured = services.list("game")
    for (const topic of ["rollcall:service:game", "rollcall:placed:session", "phoenix", "", 7 as never]) {
      const change = (): never => expect.unreachable(`a row of ${topic} is changed`)
      expect(() => presence.updateAll(topic, change), topic).toThrow(code("config"))
    }
    expect(services.list("game")).toEqual(ensured)
  })

  test("keeps the metas for which the function returns nothing", () => {
    const { presence } = server()
    for (const n of [1, 2, 3]) presence.track({ topic: "t", key: n, meta: { n } })
    expect(presence.updateAll("t", (key) => (key === "2" ? { n: 20 } : undefined))).toBe(1)
    expect([1, 2, 3].map((n) => presence.get("t", n)?.metas[0]?.["n"])).toEqual([1, 20, 3])
    expect(presence.updateAll("empty", () => ({}))).toBe(0)
  })

  test("changes nothing when the function throws for one of them, or returns a meta that is refused", () => {
    const { presence } = server({ maxMetaBytes: 20 })
    for (const n of [1, 2]) presence.track({ topic: "t", key: n, meta: { n } })
    const bad = (meta: unknown) => (key: string) => (key === "2" ? (meta as object) : { n: 10 })
    expect(() => presence.updateAll("t", bad({ text: "x".repeat(50) }))).toThrow(code("meta_too_large"))
    expect(() => presence.updateAll("t", bad(7))).toThrow(code("config"))
    expect(() =>
      presence.updateAll("t", (key) => {
        if (key === "2") throw new Error("no")
        return { n: 10 }
      }),
    ).toThrow("no")
    expect(presence.get("t", 1)?.metas).toMatchObject([{ n: 1 }])
  })

  test("leaves out a presence that the function ends", () => {
    const { presence } = server()
    const agents = [1, 2, 3].map((n) => presence.track({ topic: "t", key: n, meta: { n } }))
    const changed = presence.updateAll("t", (key) => {
      if (key === "1") agents[2]!.end()
      return { n: 10 }
    })
    expect(changed).toBe(2)
    expect([1, 2, 3].map((n) => presence.get("t", n)?.metas[0]?.["n"])).toEqual([10, 10, undefined])
  })

  test("a function that is async, or returns what JSON would write as {}, changes nothing", () => {
    const { presence } = server()
    const agent = presence.track({ topic: "t", key: "bot", meta: { n: 1 } })
    for (const meta of [Promise.resolve({ n: 2 }), new Map([["n", 2]]), { list: new Set([1]) }, new Blob(["n"])]) {
      expect(() => presence.updateAll("t", () => meta)).toThrow(code("config"))
      expect(() => agent.update(meta)).toThrow(code("config"))
      expect(() => presence.track({ topic: "t", key: "other", meta })).toThrow(code("config"))
    }
    expect(presence.get("t", "bot")?.metas).toMatchObject([{ n: 1 }])
    class Note {
      declare readonly text?: string
    }
    agent.update(new Note())
    expect(presence.get("t", "bot")?.metas[0]).not.toHaveProperty("n")
  })
})

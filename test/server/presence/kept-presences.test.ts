import fc from "fast-check"
import { afterEach, describe, expect, it, test } from "vitest"
import { connect, type Connection } from "../../../src/client/index.ts"
import { defineRoom } from "../../../src/room-definition.ts"
import { local, LocalBus } from "../../../src/pubsub/index.ts"
import { createServer } from "../../../src/server/index.ts"
import type { Server, ServerOptions } from "../../../src/server/index.ts"
import { KeptPresences } from "../../../src/server/presence/kept-presences.ts"
import { memoryTransport } from "../../../src/testing/index.ts"
import { createTracker } from "../../../src/tracker/index.ts"
import { clock } from "../../support/clock.ts"
import { disconnectAll, officialSocket, Presence, reply } from "../../support/phoenix-client.ts"
import { serve } from "../../support/serve.ts"
import { until } from "../../support/until.ts"

const GRACE_MS = 60_000
const TOPIC = "rooms:1"

const closing: (() => unknown)[] = []
afterEach(async () => {
  disconnectAll()
  for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close()
})

/** A channel whose presences stay for a minute after their connection was lost. */
function route(server: Server, presenceGraceMs = GRACE_MS): void {
  server.socket("/socket", {
    connect: ({ params: { key } }) => ({ key: String(key) }),
    id: ({ assigns }) => String(assigns["key"]),
  })
  server.channel("rooms:*", {
    join: () => ({ ok: {} }),
    presenceGraceMs,
    allow: ["tab"],
    on: {
      kick: (_payload, channel) => channel.kick("out"),
      crash: () => {
        throw new Error("on purpose")
      },
    },
    presence: ({ assigns }, me) => ({ key: String(assigns["key"]), meta: me }),
  })
}

function started(options: ServerOptions = {}, presenceGraceMs = GRACE_MS) {
  const server = createServer({ logger: { warn() {}, error() {} }, ...options })
  closing.push(() => server.close())
  route(server, presenceGraceMs)
  const { WebSocket: transport } = memoryTransport(server)
  /** The numbers of metas under the key of Ada, as they were sent to the clients. */
  const seen: number[] = []
  let metas = new Set<unknown>()
  server.presence.onDiff((_topic, { joins, leaves }) => {
    // As every client does it: joins first.
    for (const { phx_ref } of joins["ada"]?.metas ?? []) metas.add(phx_ref)
    for (const { phx_ref } of leaves["ada"]?.metas ?? []) metas.delete(phx_ref)
    if (joins["ada"] ?? leaves["ada"]) seen.push(metas.size)
  })
  return {
    server,
    seen,
    metas: (key = "ada") => server.presence.get(TOPIC, key)?.metas ?? [],
    counters: () => server.stats().counters,
    async join(tab: string, key = "ada", topic = TOPIC): Promise<Connection> {
      const connection = connect("ws://memory/socket", { transport, params: { key }, reconnectAfterMs: () => 0 })
      closing.push(() => connection.disconnect())
      const room = connection.room(topic, { me: { tab } })
      await room.ready
      await until(() => server.presence.get(topic, key)?.metas.some((meta) => meta["tab"] === tab) === true)
      return connection
    },
  }
}

/** Ends a connection as a crash of the page does: without a leave, and without a return. */
async function lose({ server }: { readonly server: Server }, connection: Connection): Promise<void> {
  const before = server.stats().counters["disconnects"]!
  connection.pause()
  await until(() => server.stats().counters["disconnects"]! > before && server.stats().status !== "closing")
}

const kept = (count: number, resumed = 0) => ({ kept_presences: count, resumed_presences: resumed })

describe("a presence whose connection is lost", () => {
  test("stays for presenceGraceMs, and ends after that", async () => {
    const timers = clock()
    const all = started({ timers, presenceWindowMs: 0 }, 5_000)
    await lose(all, await all.join("one"))
    await until(() => all.counters()["kept_presences"] === 1)
    timers.advance(4_999)
    expect(all.metas()).toMatchObject([{ tab: "one" }])
    timers.advance(1)
    expect(all.metas()).toEqual([])
    expect(all.counters()).toMatchObject(kept(1))
    await until(() => all.seen.at(-1) === 0)
    expect(all.seen).toEqual([1, 0])
  })

  test("is replaced by the next presence under its key: for others an update in one diff, and no gap", async () => {
    const all = started()
    await lose(all, await all.join("one"))
    await all.join("two")
    expect(all.metas()).toMatchObject([{ tab: "two" }])
    await until(() => all.seen.length === 2)
    expect(all.seen).toEqual([1, 1])
    expect(all.counters()).toMatchObject(kept(1, 1))
  })

  test("is replaced without a gap if each change is a diff of its own", async () => {
    const all = started({ presenceWindowMs: false })
    await lose(all, await all.join("one"))
    await all.join("two")
    await until(() => all.seen.length === 3)
    expect(all.seen).toEqual([1, 2, 1])
  })

  test("is replaced when its own client reconnects", async () => {
    const all = started()
    const connection = await all.join("one")
    await lose(all, connection)
    connection.resume()
    await until(() => all.counters()["resumed_presences"] === 1)
    await until(() => all.seen.length === 2)
    expect(all.seen).toEqual([1, 1])
  })

  test("is replaced by a presence on another node, and no node sees a gap", async () => {
    const bus = new LocalBus()
    const [one, two] = [
      started({ pubsub: local({ bus, node: "one" }) }),
      started({ pubsub: local({ bus, node: "two" }) }),
    ]
    const first = await one.join("one")
    await until(() => two.metas().length === 1)
    await lose(one, first)
    await two.join("two")
    for (const { metas } of [one, two]) await until(() => metas().length === 1 && metas()[0]!["tab"] === "two")
    for (const { seen } of [one, two]) {
      await until(() => seen.at(-1) === 1)
      expect(seen).not.toContain(0)
    }
    expect(one.counters()).toMatchObject(kept(1, 1))
  })

  test("stays if another device of the user only updates its meta", async () => {
    const all = started()
    const [first, second] = [await all.join("one"), await all.join("two")]
    await lose(all, second)
    await until(() => all.counters()["kept_presences"] === 1)
    await first.room(TOPIC).update({ tab: "three" })
    expect(all.metas()).toMatchObject([{ tab: "three" }, { tab: "two" }])
  })

  test("ends at once if the user's next connection is there already: the loss was noticed late", async () => {
    const all = started()
    const first = await all.join("one")
    await all.join("two")
    await lose(all, first)
    await until(() => all.metas().length === 1)
    expect(all.metas()).toMatchObject([{ tab: "two" }])
    expect(all.counters()).toMatchObject(kept(0))
    await until(() => all.seen.length === 3)
    expect(all.seen).toEqual([1, 2, 1])
  })

  test("is not counted twice towards maxMetasPerKey", async () => {
    const all = started({ maxMetasPerKey: 1 })
    await lose(all, await all.join("one"))
    await all.join("two")
    expect(all.metas()).toMatchObject([{ tab: "two" }])
  })

  test("ends at once if maxKeptPresences are kept, and is counted", async () => {
    const all = started({ maxKeptPresences: 1 })
    await lose(all, await all.join("one"))
    await until(() => all.counters()["kept_presences"] === 1)
    await lose(all, await all.join("two", "bob"))
    await until(() => all.metas("bob").length === 0)
    expect(all.counters()).toMatchObject({ ...kept(1), unkept_presences: 1 })
    expect(all.metas()).toHaveLength(1)
  })

  test("ends at once if a node disconnects its user, although there is no connection any more", async () => {
    const bus = new LocalBus()
    const [one, two] = [
      started({ pubsub: local({ bus, node: "one" }) }),
      started({ pubsub: local({ bus, node: "two" }) }),
    ]
    await lose(one, await one.join("one"))
    await lose(one, await one.join("one", "bob"))
    await until(() => one.counters()["kept_presences"] === 2)
    await until(() => two.metas().length === 1 && two.metas("bob").length === 1)
    two.server.disconnect("ada")
    for (const { metas } of [one, two]) await until(() => metas().length === 0)
    expect(one.metas("bob")).toHaveLength(1)
    one.server.disconnect("bob")
    await until(() => two.metas("bob").length === 0)
    expect(one.counters()).toMatchObject(kept(2))
  })

  test("ends with the server", async () => {
    const bus = new LocalBus()
    const [one, two] = [
      started({ pubsub: local({ bus, node: "one" }) }),
      started({ pubsub: local({ bus, node: "two" }) }),
    ]
    await lose(one, await one.join("one"))
    await until(() => one.counters()["kept_presences"] === 1)
    await until(() => two.metas().length === 1)
    await one.server.close()
    await until(() => two.metas().length === 0)
    expect(one.metas()).toEqual([])
  })
})

describe("a presence ends at once, although its channel has presenceGraceMs,", () => {
  test.each<[how: string, end: (connection: Connection, server: Server) => unknown]>([
    ["its client leaves the room", (connection) => connection.rooms[0]!.leave()],
    ["its client disconnects in order", (connection) => connection.disconnect()],
    ["its client is kicked", (connection) => connection.rooms[0]!.push("kick").catch(() => {})],
    ["the server disconnects it", (_connection, server) => server.disconnect("ada")],
    ["the server closes", (_connection, server) => server.close()],
    [
      "its client sends what nobody can read",
      ({ socket }) => (socket.conn as unknown as { send(data: string): void }).send("nonsense"),
    ],
  ])("if %s", async (_how, end) => {
    const all = started()
    const connection = await all.join("one")
    connection.onError(() => {})
    const before = all.metas()[0]!.phx_ref
    void end(connection, all.server)
    // A client that was sent away may come back at once, in the same diff.
    await until(() => all.metas().every((meta) => meta.phx_ref !== before))
    expect(all.counters()).toMatchObject(kept(0))
  })
})

test("channels have no grace by default, and those of a defined room have what they say", async () => {
  const room = defineRoom("rooms:*")
  const server = createServer()
  closing.push(() => server.close())
  server.socket("/socket", { connect: ({ params: { key } }) => ({ key: String(key) }) })
  server.channel("plain:*", { join: () => ({ ok: {} }), presence: () => ({ key: "ada" }) })
  server.channel(room, { join: () => ({ ok: {} }), presenceGraceMs: 60_000, presence: () => ({ key: "ada" }) })
  const connection = connect("ws://memory/socket", { transport: memoryTransport(server).WebSocket })
  closing.push(() => connection.disconnect())
  await Promise.all(["plain:1", "rooms:1"].map((topic) => connection.room(topic).ready))
  connection.pause()
  await until(() => server.stats().channels === 0)
  await until(() => server.presence.get("plain:1", "ada") === undefined)
  expect(server.presence.get("rooms:1", "ada")?.metas).toHaveLength(1)
})

test.each([-1, Number.NaN, 2 ** 31, "5", null])("presenceGraceMs of %j is refused", (presenceGraceMs) => {
  const server = createServer()
  closing.push(() => server.close())
  const handlers = { join: () => ({ ok: {} }), presenceGraceMs: presenceGraceMs as number }
  expect(() => server.channel("rooms:*", handlers)).toThrow(/expected presenceGraceMs to be a number of milliseconds/)
})

test.each<[how: string, end: (socket: { terminate(): void; close(code: number): void }) => void]>([
  ["without a close frame, as in a network that broke", (socket) => socket.terminate()],
  ["with the close frame of a page that is left or has crashed", (socket) => socket.close(1001)],
  ["with a close frame of phoenix.js, without a leave", (socket) => socket.close(1000)],
  ["with a code that only servers use", (socket) => socket.close(1012)],
])("a WebSocket that ends %s is lost: its presence stays", async (_how, end) => {
  const { url, server, reached } = await serve((made) => route(made))
  const socket = officialSocket(url, { key: "ada" }, { reconnectAfterMs: () => 2 ** 30 })
  await reply(socket.channel(TOPIC, {}).join())
  await until(() => server.presence.get(TOPIC, "ada") !== undefined)
  end(socket.conn)
  await reached("kept_presences", 1)
  expect(server.presence.get(TOPIC, "ada")?.metas).toHaveLength(1)
})

test("a viewer with phoenix.js sees one onJoin with both metas, and never a list without the user", async () => {
  const { url, server, reached } = await serve((made) => route(made))
  const viewer = officialSocket(url, { key: "bob" }).channel(TOPIC, {})
  const presence = new Presence(viewer)
  const calls: unknown[] = []
  const lists: boolean[] = []
  const tabs = (user: any): unknown => user?.metas.map(({ tab }: { tab: string }) => tab)
  presence["onJoin"](
    (key: string, current: unknown, joined: unknown) =>
      key === "ada" && calls.push(["join", tabs(current), tabs(joined)]),
  )
  presence["onLeave"](
    (key: string, current: unknown, left: unknown) => key === "ada" && calls.push(["leave", tabs(current), tabs(left)]),
  )
  presence["onSync"](() => lists.push(presence["list"]((key: string) => key).includes("ada")))
  await reply(viewer.join())
  const join = async (tab: string) => {
    // It must not come back by itself.
    const socket = officialSocket(url, { key: "ada" }, { reconnectAfterMs: () => 2 ** 30 })
    await reply(socket.channel(TOPIC, { me: { tab } }).join())
    return socket
  }
  const first = await join("one")
  await until(() => lists.at(-1) === true)
  calls.length = lists.length = 0
  // Without a close frame, as when a device loses its network.
  ;(first.conn as { terminate(): void }).terminate()
  await reached("kept_presences", 1)
  await join("two")
  await until(() => lists.length > 0)
  expect(calls).toEqual([
    ["join", ["one"], ["two"]],
    ["leave", ["two"], ["one"]],
  ])
  expect(lists).not.toContain(false)
  expect(server.presence.get(TOPIC, "ada")?.metas).toHaveLength(1)
})

/** One key's presences by their pids, as they should be: the living ones, and the kept ones with their ends. */
class Model {
  readonly living = new Set<string>()
  kept: { readonly pid: string; readonly ends: number }[] = []
}

it("keeps exactly what was lost, for as long as it says, under random joins, losses, leaves and updates", () => {
  const step = fc.record({
    what: fc.constantFrom("join", "join", "lose", "lose", "leave", "update", "wait"),
    key: fc.constantFrom("a", "b", "__proto__"),
    which: fc.nat(4),
    ms: fc.integer({ min: 0, max: 12 }),
  })
  const run = (steps: readonly { what: string; key: string; which: number; ms: number }[], max: number): void => {
    const timers = clock()
    const tracker = createTracker({ timers })
    const rows = new Map<string, Set<unknown>>()
    const gaps: string[] = []
    let mayEnd = new Set<string>()
    tracker.onDiff((diff) => {
      for (const { joins, leaves } of diff.values()) {
        for (const { key, meta } of joins) rows.set(key, (rows.get(key) ?? new Set()).add(meta.phx_ref))
        for (const { key, meta } of leaves) rows.get(key)?.delete(meta.phx_ref)
        for (const { key } of leaves) if (rows.get(key)?.size === 0 && !mayEnd.has(key)) gaps.push(key)
      }
    })
    const events: string[] = []
    const keeper = new KeptPresences({
      tracker,
      timers,
      maxKeptPresences: max,
      count: (event) => events.push(event),
      untrack: ({ pid, topic }, key) => tracker.untrack(pid, topic, key),
    })
    const models = new Map(["a", "b", "__proto__"].map((key) => [key, new Model()]))
    let pids = 0
    for (const { what, key, which, ms } of steps) {
      const model = models.get(key)!
      const pid = [...model.living][which % (model.living.size || 1)]
      mayEnd = new Set(what === "lose" || what === "leave" || what === "wait" ? models.keys() : [])
      if (what === "join") {
        tracker.track(`p${(pids += 1)}`, TOPIC, key, {})
        model.living.add(`p${pids}`)
        model.kept.shift()
      } else if (what === "wait") {
        timers.advance(ms)
        for (const each of models.values()) each.kept = each.kept.filter(({ ends }) => ends > timers.now())
      } else if (pid !== undefined && what === "update") {
        tracker.update(pid, TOPIC, key, { ms })
      } else if (pid !== undefined) {
        const isLost = what === "lose"
        const total = [...models.values()].reduce((sum, each) => sum + each.kept.length, 0)
        const isReplaced = [...model.living].at(-1) !== pid
        keeper.ended({ pid, topic: TOPIC, handlers: { presenceGraceMs: ms } }, isLost)
        model.living.delete(pid)
        if (isLost && ms > 0 && !isReplaced && total < max) model.kept.push({ pid, ends: timers.now() + ms })
      }
      for (const [name, { living, kept: lost }] of models) {
        const shown = tracker.getByKey(TOPIC, name).map((row) => row.pid.split("@")[0])
        expect(shown.sort()).toEqual([...living, ...lost.map((each) => each.pid)].sort())
        expect(keeper.count(TOPIC, name)).toBe(lost.length)
      }
      expect(gaps).toEqual([])
    }
    keeper.close()
    expect(timers.pending).toBe(0)
    for (const [name, { living }] of models) expect(tracker.getByKey(TOPIC, name)).toHaveLength(living.size)
  }
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 5 }), run), { numRuns: 300 })
})

/** A channel whose client may update its metas once a second. */
function withLimitedUpdates() {
  const timers = clock()
  const server = createServer({ timers, maxUpdatesPerSecond: 1 })
  closing.push(() => server.close())
  const channel = { pid: "a channel", topic: TOPIC, ended: false }
  return { timers, presence: server.presence, channel }
}

test("a channel whose last presence ends after the grace leaves nothing behind of its updates", () => {
  const { timers, presence, channel } = withLimitedUpdates()
  const update = (tab: string) => presence.handleUpdate(channel, { meta: { tab } })
  presence.track(channel, "ada", {})
  update("one")
  presence.kept.ended({ ...channel, handlers: { presenceGraceMs: 500 } }, true)
  timers.advance(500)
  expect(presence.get(TOPIC, "ada")).toBeUndefined()
  // The same pid, which no real channel has, shows that nothing is remembered under it.
  presence.track(channel, "ada", {})
  update("two")
  expect(presence.get(TOPIC, "ada")?.metas).toMatchObject([{ tab: "two" }])
})

test("an update that maxUpdatesPerSecond has held when the connection was lost is applied to the presence that stays", () => {
  const { timers, presence, channel } = withLimitedUpdates()
  presence.track(channel, "ada", {})
  for (const tab of ["one", "two"]) expect(presence.handleUpdate(channel, { meta: { tab } })).toHaveProperty("ok")
  channel.ended = true
  presence.kept.ended({ ...channel, handlers: { presenceGraceMs: GRACE_MS } }, true)
  timers.advance(2_000)
  expect(presence.get(TOPIC, "ada")?.metas).toMatchObject([{ tab: "two" }])
  timers.advance(GRACE_MS)
  expect(presence.get(TOPIC, "ada")).toBeUndefined()
})

test("an update held for one presence of a lost connection survives the end of another one", () => {
  const { timers, presence, channel } = withLimitedUpdates()
  for (const key of ["ada", "ada's phone"]) presence.track(channel, key, {})
  for (const tab of ["one", "two"]) presence.handleUpdate(channel, { meta: { tab } }, { key: "ada" })
  channel.ended = true
  presence.kept.ended({ ...channel, handlers: { presenceGraceMs: GRACE_MS } }, true)
  presence.untrack(channel, "ada's phone")
  timers.advance(2_000)
  expect(presence.get(TOPIC, "ada")?.metas).toMatchObject([{ tab: "two" }])
})

test.each([
  ["newest", (pids: readonly string[]) => pids.map((_, at) => pids[pids.length - 1 - at]!)],
  ["oldest", (pids: readonly string[]) => pids],
])("the cost of losing many presences of one key does not explode, the %s first", (_which, order) => {
  const COUNT = 150
  const timers = clock()
  const tracker = createTracker({ timers })
  let reads = 0
  const counting = {
    onDiff: (listener: Parameters<typeof tracker.onDiff>[0]) => tracker.onDiff(listener),
    getByPid: (pid: string, topic: string) => tracker.getByPid(pid, topic),
    getByKey: (topic: string, key: string) =>
      tracker.getByKey(topic, key).map((row) => ({
        ...row,
        get pid() {
          reads += 1
          return row.pid
        },
      })),
  } as unknown as typeof tracker
  const pids = Array.from({ length: COUNT }, (_, at) => `p${at}`)
  const keeper = new KeptPresences({
    tracker: counting,
    timers,
    untrack: ({ pid, topic }, key) => tracker.untrack(pid, topic, key),
  })
  for (const pid of pids) tracker.track(pid, TOPIC, "guest", {})
  for (const pid of order(pids)) keeper.ended({ pid, topic: TOPIC, handlers: { presenceGraceMs: 1_000 } }, true)
  expect(reads).toBeLessThan(COUNT ** 2 * 2)
  keeper.close()
  expect(tracker.size).toBe(0)
})

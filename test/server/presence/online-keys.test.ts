import fc from "fast-check"
import { afterEach, describe, expect, test } from "vitest"
import { createServer } from "../../../src/server/index.ts"
import type { KeyChange, Server, ServerOptions } from "../../../src/server/index.ts"
import { SeededNetwork } from "../../../src/testing/seeded-network.ts"
import { createTracker } from "../../../src/tracker/index.ts"
import { clock } from "../../support/clock.ts"
import { until } from "../../support/until.ts"

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close()
})

function server(options: ServerOptions = {}): Server {
  const created = createServer({ logger: { warn: () => undefined, error: () => undefined }, ...options })
  closing.push(() => created.close())
  return created
}

/** Returns the changes that a listener got, such as "+ada" and "-ada". */
function watched(
  { presence }: Server,
  keys: Iterable<string | number>,
  options?: { graceMs?: number },
): { readonly seen: string[]; stop(): void } {
  const seen: string[] = []
  const stop = presence.watchKeys(keys, ({ key, online }) => void seen.push(`${online ? "+" : "-"}${key}`), options)
  return { seen, stop }
}

/** Servers in virtual time, on a network that can be split. They are not closed, since their time ends with the test. */
async function virtual(options: readonly ServerOptions[]) {
  const network = new SeededNetwork({ seed: 1 })
  const servers = options.map((given, n) => {
    const { pubsub, timers } = network.node(`node-${n}`)
    return createServer({ pubsub, timers, random: network.random, ...given })
  })
  await network.run(3_000)
  return { network, servers: servers as [Server, Server] }
}

describe("the keys that are online in any topic", () => {
  test("a key is online from its first presence in any topic to its last", () => {
    const { presence } = server()
    expect(presence.online("ada")).toBe(false)
    const room = presence.track({ topic: "rooms:1", key: "ada" })
    const job = presence.track({ topic: "jobs", key: "ada" })
    room.end()
    expect(presence.online("ada")).toBe(true)
    job.update({ step: 2 })
    expect(presence.online("ada")).toBe(true)
    job.end()
    expect(presence.online("ada")).toBe(false)
  })

  test("those that were online before the first question are counted, too, and numbers are their digits", () => {
    const { presence } = server()
    presence.track({ topic: "a", key: 7 })
    const other = presence.track({ topic: "b", key: "7" })
    expect(presence.online(7)).toBe(true)
    other.end()
    expect(presence.online("7")).toBe(true)
    expect(() => presence.online({} as never)).toThrow(expect.objectContaining({ code: "config" }))
  })

  test("the names of every object are keys like any other", () => {
    const { presence } = server()
    for (const key of ["__proto__", "constructor", "toString"]) {
      expect(presence.online(key)).toBe(false)
      presence.track({ topic: "t", key })
      expect(presence.online(key)).toBe(true)
    }
  })

  test("instances of services are no presences", () => {
    const created = server()
    const { id } = created.services.announce("crawler")
    const key = id.split("@")[0]!
    expect(created.presence.online(key)).toBe(false)
    const { seen } = watched(created, [`crawler#2`])
    created.services.announce("crawler")
    expect(seen).toEqual([])
  })

  test("a tracker of the program without rows is refused with what to do", () => {
    const own = createTracker()
    const tracker = new Proxy(own, {
      get: (target, name) => {
        if (name === "rows") return undefined
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === "function" ? value.bind(target) : value
      },
    })
    const { presence } = server({ tracker })
    expect(() => presence.online("ada")).toThrow(expect.objectContaining({ code: "config" }))
  })
})

describe("watchKeys", () => {
  test("reports the first online and the last offline, once, and nothing in between", () => {
    const created = server()
    const { presence } = created
    const { seen } = watched(created, ["ada", "ada", "bob"])
    const [one, two] = [presence.track({ topic: "a", key: "ada" }), presence.track({ topic: "b", key: "ada" })]
    one.update({ n: 1 })
    presence.track({ topic: "a", key: "eve" })
    one.end()
    expect(seen).toEqual(["+ada"])
    two.end()
    presence.track({ topic: "c", key: "bob" })
    expect(seen).toEqual(["+ada", "-ada", "+bob"])
  })

  test("is not called for how the keys are now, and not after it was removed", () => {
    const created = server()
    const agent = created.presence.track({ topic: "a", key: "ada" })
    const { seen, stop } = watched(created, ["ada"])
    expect(seen).toEqual([])
    stop()
    stop()
    agent.end()
    expect(seen).toEqual([])
  })

  test("with a grace, a key that returns in time was never offline", () => {
    const timers = clock()
    const created = server({ timers })
    const patient = watched(created, ["ada"], { graceMs: 1_000 })
    const impatient = watched(created, ["ada"])
    created.presence.track({ topic: "a", key: "ada" }).end()
    timers.advance(999)
    const again = created.presence.track({ topic: "b", key: "ada" })
    timers.advance(5_000)
    expect(patient.seen).toEqual(["+ada"])
    expect(impatient.seen).toEqual(["+ada", "-ada", "+ada"])
    again.end()
    timers.advance(999)
    expect(patient.seen).toEqual(["+ada"])
    timers.advance(1)
    expect(patient.seen).toEqual(["+ada", "-ada"])
    created.presence.track({ topic: "b", key: "ada" })
    expect(patient.seen).toEqual(["+ada", "-ada", "+ada"])
  })

  test("a listener that was removed, or whose server was closed, in its grace is not called", async () => {
    const timers = clock()
    const created = server({ timers })
    const { seen, stop } = watched(created, ["ada"], { graceMs: 1_000 })
    created.presence.track({ topic: "a", key: "ada" }).end()
    stop()
    timers.advance(2_000)
    expect(seen).toEqual(["+ada"])
  })

  test("what a listener throws is logged without the key, and the others are called", () => {
    const logged: unknown[] = []
    const log = (message: string): void => void logged.push(message)
    const created = server({ logger: { warn: log, error: log } })
    created.presence.watchKeys(["ada"], () => {
      throw new Error("no")
    })
    const { seen } = watched(created, ["ada"])
    created.presence.track({ topic: "a", key: "ada" })
    expect(seen).toEqual(["+ada"])
    expect(logged).toEqual(["a listener of presence keys failed"])
  })

  test("a listener may track, watch and remove itself", () => {
    const created = server()
    const { presence } = created
    const seen: KeyChange[] = []
    const stop = presence.watchKeys(["ada"], (change) => {
      seen.push(change)
      stop()
      presence.watchKeys(["ada", "bob"], (next) => void seen.push(next))
      presence.track({ topic: "a", key: "bob" })
    })
    presence.track({ topic: "a", key: "ada" }).end()
    expect(seen).toEqual([
      { key: "ada", online: true },
      { key: "bob", online: true },
      { key: "ada", online: false },
    ])
  })

  test.for([-1, NaN, Infinity, "1s", null])("refuses a grace of %s", (graceMs) => {
    const { presence } = server()
    expect(() => presence.watchKeys(["a"], () => undefined, { graceMs: graceMs as number })).toThrow(
      expect.objectContaining({ code: "config", message: expect.stringContaining("graceMs") }),
    )
  })

  test("each node calls its own listeners; in a split, each side reports what it sees", async () => {
    const { network, servers } = await virtual([{}, {}])
    const [one, two] = servers
    const [first, second] = [watched(one, ["ada", "bob"]), watched(two, ["ada", "bob"])]
    one.presence.track({ topic: "a", key: "ada" })
    two.presence.track({ topic: "a", key: "bob" })
    await network.run(3_000)
    expect(first.seen.sort()).toEqual(["+ada", "+bob"])
    expect(second.seen.sort()).toEqual(["+ada", "+bob"])
    network.split(["node-0"])
    await network.run(60_000)
    expect(first.seen.slice(2)).toEqual(["-bob"])
    expect(second.seen.slice(2)).toEqual(["-ada"])
    network.heal()
    await network.run(60_000)
    expect(first.seen.slice(3)).toEqual(["+bob"])
    expect(second.seen.slice(3)).toEqual(["+ada"])
  })

  test("on nodes that split and lose messages, the listeners' view and online agree with the lists, whatever happens", async () => {
    const keys = ["ada", "bob", "cy"]
    const operation = fc.tuple(
      fc.constantFrom("track", "end", "split", "heal", "run"),
      fc.nat({ max: 1 }),
      fc.constantFrom(...keys),
      fc.constantFrom("a", "b"),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 40 }), fc.nat(), async (operations, seed) => {
        const network = new SeededNetwork({ seed, loss: 0.1, duplication: 0.1 })
        const nodes = ["one", "two"].map((name) => {
          const { pubsub, timers } = network.node(name)
          const created = createServer({ pubsub, timers, random: network.random, tracker: { poolSize: 2 } })
          const shown = new Set<string>()
          created.presence.watchKeys(keys, ({ key, online }) => {
            expect(shown.has(key)).toBe(!online)
            if (online) shown.add(key)
            else shown.delete(key)
          })
          return { presence: created.presence, shown, open: [] as { end(): void }[] }
        })
        for (const [what, at, key, topic] of operations) {
          const { presence, open } = nodes[at]!
          if (what === "track") open.push(presence.track({ topic, key }))
          else if (what === "end") open.pop()?.end()
          else if (what === "split") network.split(["one"])
          else if (what === "heal") network.heal()
          else await network.run(10_000)
          for (const { presence, shown } of nodes) {
            const listed = keys.filter((name) => ["a", "b"].some((topic) => presence.get(topic, name) !== undefined))
            expect([...shown].sort()).toEqual(listed)
            expect(keys.filter((name) => presence.online(name))).toEqual(listed)
          }
        }
      }),
      { numRuns: 60 },
    )
  })
})

describe("lastSeen", () => {
  /** A server with a store of the last times. */
  const storing = () => {
    const stored: [string, number][] = []
    return { stored, lastSeen: (key: string, at: number) => void stored.push([key, at]) }
  }

  test("gets each key that loses its last presence, with the time of the wall clock", () => {
    const { stored, lastSeen } = storing()
    const { presence } = server({ lastSeen })
    const before = Date.now()
    const [one, two] = [presence.track({ topic: "a", key: "ada" }), presence.track({ topic: "b", key: "ada" })]
    one.end()
    expect(stored).toEqual([])
    two.end()
    expect(stored).toEqual([["ada", expect.any(Number)]])
    expect(stored[0]![1]).toBeGreaterThanOrEqual(before)
    expect(stored[0]![1]).toBeLessThanOrEqual(Date.now())
  })

  test("is called on the node of the presence, and on the others when that node is gone", async () => {
    const stores = [storing(), storing()]
    const { network, servers } = await virtual(stores.map(({ lastSeen }) => ({ lastSeen })))
    const [one, two] = servers
    one.presence.track({ topic: "a", key: "ada" }).end()
    one.presence.track({ topic: "a", key: "bob" })
    two.presence.track({ topic: "a", key: "cy" })
    await network.run(3_000)
    expect(stores.map(({ stored }) => stored.map(([key]) => key))).toEqual([["ada"], []])
    network.split(["node-0"])
    await network.run(60_000)
    expect(stores.map(({ stored }) => stored.map(([key]) => key))).toEqual([["ada", "cy"], ["bob"]])
  })

  test("is called by at least one node for a key whose presences on two nodes end at the same time", async () => {
    const stores = [storing(), storing(), storing()]
    const { network, servers } = await virtual(stores.map(({ lastSeen }) => ({ lastSeen })))
    const agents = []
    for (const { presence } of servers) {
      agents.push(presence.track({ topic: "a", key: "ada" }))
      await network.run(3_000)
    }
    // The node of the first presence is gone, so neither of the others can leave it to that node.
    network.split(["node-0"])
    await network.run(60_000)
    for (const agent of agents.slice(1)) agent.end()
    await network.run(3_000)
    expect(stores.slice(1).flatMap(({ stored }) => stored).length).toBeGreaterThanOrEqual(1)
  })

  test("what it throws, or rejects with, is logged", async () => {
    const logged: string[] = []
    const log = (message: string): void => void logged.push(message)
    for (const lastSeen of [
      () => {
        throw new Error("no")
      },
      () => Promise.reject(new Error("no")),
    ]) {
      const { presence } = server({ lastSeen, logger: { warn: log, error: log } })
      presence.track({ topic: "a", key: "ada" }).end()
    }
    await until(() => logged.length === 2)
    expect(new Set(logged)).toEqual(new Set(["a listener of presence keys failed"]))
  })

  test("what a listener of keys throws, or rejects with, is logged", async () => {
    const logged: unknown[] = []
    const log = (_: string, { error }: { error?: unknown }): void => void logged.push((error as Error).message)
    const { presence } = server({ logger: { warn: () => undefined, error: log } })
    presence.watchKeys(["ada"], async ({ online }) => {
      await Promise.resolve()
      throw new Error(`async ${online}`)
    })
    presence.watchKeys(["ada"], ({ online }) => {
      throw new Error(`sync ${online}`)
    })
    presence.track({ topic: "a", key: "ada" }).end()
    await until(() => logged.length === 4)
    expect(logged.sort()).toEqual(["async false", "async true", "sync false", "sync true"])
  })

  test.each([["ada"], [5], [undefined], [null], [{}]])("%o is no list of keys to watch", (keys) => {
    const { presence } = server()
    expect(() => presence.watchKeys(keys as never, () => undefined)).toThrow(
      expect.objectContaining({ code: "config" }),
    )
  })

  test("a server that closes reports those that end with it", async () => {
    const { stored, lastSeen } = storing()
    const created = server({ lastSeen })
    created.presence.track({ topic: "a", key: "ada" })
    await created.close()
    expect(stored.map(([key]) => key)).toEqual(["ada"])
  })
})

import { describe, expect, test } from "vitest"
import { createServices, type InstanceChange } from "../../src/services/index.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import { SeededServices } from "./seeded-services.ts"

/** Time in which a change reaches all nodes, in virtual ms. */
const SPREAD = 3_000

const twoNodes = async () => {
  const cluster = new SeededServices()
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  await cluster.run(SPREAD)
  return { cluster, a, b }
}

const summary = ({ joins, updates, leaves }: InstanceChange): string[] => [
  ...joins.map(({ id, meta }) => `+${id} ${meta["jobs"]}`),
  ...updates.map(({ id, meta, draining }) => `~${id} ${meta["jobs"]}${draining ? " draining" : ""}`),
  ...leaves.map(({ id, meta }) => `-${id} ${meta["jobs"]}`),
]

describe("discovery", () => {
  test("lists an announced instance at once on its node, and on all others, with everything that it said", async () => {
    const { cluster, a, b } = await twoNodes()
    const since = cluster.network.now
    const { id } = a.services.announce("crawler", { meta: { jobs: 99 }, weight: 2, zone: "east" })
    const listed = [{ id, node: "a", since, meta: { jobs: 99 }, weight: 2, zone: "east", draining: false }]
    expect(a.services.list("crawler")).toEqual(listed)
    await cluster.run(SPREAD)
    expect(b.services.list("crawler")).toEqual(listed)
    expect(b.services.list("other")).toEqual([])
  })

  test("gives an instance a weight of 1, an empty meta and no zone by default", () => {
    const { services } = new SeededServices().start("a")
    services.announce("crawler")
    expect(services.list("crawler")).toMatchObject([{ meta: {}, weight: 1, draining: false }])
    expect(services.list("crawler")[0]).not.toHaveProperty("zone")
  })

  test("lists several instances of one node, and of several nodes, in the same order everywhere", async () => {
    const { cluster, a, b } = await twoNodes()
    const ids = [a, b, a].map(({ services }) => services.announce("crawler").id)
    expect(new Set(ids).size).toBe(3)
    await cluster.run(SPREAD)
    expect(a.services.list("crawler").map(({ id }) => id)).toEqual([...ids].sort())
    expect(b.services.list("crawler")).toEqual(a.services.list("crawler"))
  })

  test("replaces the meta by an object, or by what a function makes of the current one", async () => {
    const { cluster, a, b } = await twoNodes()
    const crawler = a.services.announce("crawler", { meta: { jobs: 1 } })
    crawler.update({ jobs: 45 })
    crawler.update(({ jobs }) => ({ jobs: jobs + 1 }))
    await cluster.run(SPREAD)
    for (const { services } of [a, b]) expect(services.list("crawler")).toMatchObject([{ meta: { jobs: 46 } }])
  })

  test("shows a draining instance as draining until it ends", async () => {
    const { cluster, a, b } = await twoNodes()
    const crawler = a.services.announce("crawler")
    await expect(crawler.drain()).resolves.toBe(true)
    await cluster.run(SPREAD)
    expect(b.services.list("crawler")).toMatchObject([{ draining: true }])
    crawler.end()
    crawler.end()
    expect(a.services.list("crawler")).toEqual([])
    await cluster.run(SPREAD)
    expect(b.services.list("crawler")).toEqual([])
    expect(() => crawler.update({})).toThrow(expect.objectContaining({ code: "not_tracked" }))
  })

  test("drops the instances of a dead node after the down period, or at once where the bus sees it die", async () => {
    for (const seesNodesDie of [false, true]) {
      const cluster = new SeededServices({ seesNodesDie })
      const [a, b] = [cluster.start("a"), cluster.start("b")]
      a.services.announce("crawler")
      await cluster.run(SPREAD)
      expect(b.services.list("crawler")).toHaveLength(1)
      a.node.crash()
      await cluster.run(seesNodesDie ? 10 : 11_000)
      expect(b.services.list("crawler")).toEqual([])
    }
  })

  test("calls a watcher with the joins, the updates and the leaves of its service, until it is removed", async () => {
    const { cluster, a, b } = await twoNodes()
    const seen: string[][] = []
    const before = a.services.announce("crawler", { meta: { jobs: 0 } })
    await cluster.run(SPREAD)
    const undo = b.services.watch("crawler", (change) => void seen.push(summary(change)))
    a.services.announce("other")
    const crawler = a.services.announce("crawler", { meta: { jobs: 1 } })
    await cluster.run(SPREAD)
    crawler.update({ jobs: 2 })
    await cluster.run(SPREAD)
    await crawler.drain()
    await cluster.run(SPREAD)
    crawler.end()
    await cluster.run(SPREAD)
    undo()
    before.end()
    await cluster.run(SPREAD)
    const { id } = crawler
    expect(seen).toEqual([[`+${id} 1`], [`~${id} 2`], [`~${id} 2 draining`], [`-${id} 2`]])
  })

  test("goes on when a watcher throws, and reports the error", async () => {
    const { a } = await twoNodes()
    const seen: unknown[] = []
    a.services.watch("crawler", () => {
      throw new Error("the watcher failed")
    })
    a.services.watch("crawler", (change) => void seen.push(change))
    a.services.announce("crawler")
    expect(seen).toHaveLength(1)
    expect(a.errors).toEqual([new Error("the watcher failed")])
  })

  test("returns the same list, with the same instances, until something changes", async () => {
    const { a } = await twoNodes()
    a.services.announce("crawler")
    const first = a.services.list("crawler")
    a.services.announce("other")
    expect(a.services.list("crawler")).toBe(first)
    a.services.announce("crawler")
    expect(a.services.list("crawler")).not.toBe(first)
    expect(a.services.list("crawler")[0]).toBe(first[0])
  })

  test("shows a new list to code that runs inside a notification of the tracker", () => {
    const tracker = createTracker()
    const services = createServices({ tracker })
    const lengths: number[] = []
    services.list("crawler")
    const undo = tracker.onDiff(() => {
      undo()
      services.announce("crawler")
      lengths.push(services.list("crawler").length)
    })
    services.announce("crawler")
    expect(lengths).toEqual([2])
  })

  test("lets nobody change an instance through a list: a meta is frozen", () => {
    const { services } = new SeededServices().start("a")
    services.announce("crawler", { meta: { load: { jobs: 1 } } })
    const [instance] = services.list<{ load: { jobs: number } }>("crawler")
    expect(() => (instance!.meta.load.jobs = 2)).toThrow(TypeError)
    expect(services.list("crawler")).toMatchObject([{ meta: { load: { jobs: 1 } } }])
  })

  test("shares a tracker with presences and with other services objects", () => {
    const tracker = createTracker()
    const [one, other] = [createServices({ tracker }), createServices({ tracker })]
    tracker.track("1", "rooms:lobby", "ada", {})
    const ids = [one.announce("crawler").id, other.announce("crawler").id]
    expect(new Set(ids).size).toBe(2)
    expect(one.list("crawler").map(({ id }) => id)).toEqual([...ids].sort())
  })

  test("announces nothing more once the services are closed, and has ended what it announced", async () => {
    const tracker = createTracker()
    const [services, other] = [createServices({ tracker }), createServices({ tracker })]
    services.announce("crawler")
    await Promise.all([services.close(), services.close()])
    expect(other.list("crawler")).toEqual([])
    expect(() => services.announce("crawler")).toThrow(expect.objectContaining({ code: "closed" }))
    expect(() => services.serve("crawler", {})).toThrow(expect.objectContaining({ code: "closed" }))
  })

  test("never takes a client for an instance, whatever topic it joins and whatever meta it has", () => {
    const tracker = createTracker()
    const services = createServices({ tracker })
    const { id } = services.announce("crawler")
    tracker.track("17", "rollcall:service:crawler", "crawler#2@local", { meta: {}, since: 1, port: "x" })
    tracker.track("crawler#3", "rollcall:service:crawler", "ada", { meta: "no object", since: 1 })
    expect(services.list("crawler").map((instance) => instance.id)).toEqual([id])
  })

  test("accepts any text as the name of a service", () => {
    const { services } = new SeededServices().start("a")
    for (const name of ["a@b", "a#1@b", "__proto__", "ä 🙂", "*"]) {
      services.announce(name)
      expect(services.list(name)).toMatchObject([{ node: "a" }])
    }
  })

  test.each([
    ["an empty name", () => ["", {}]],
    ["a name that is a number", () => [7, {}]],
    ["a weight of 0", () => ["crawler", { weight: 0 }]],
    ["a weight of Infinity", () => ["crawler", { weight: Infinity }]],
    ["a zone that is a number", () => ["crawler", { zone: 1 }]],
    ["a meta that is an array", () => ["crawler", { meta: [] }]],
    ["a meta that is a text", () => ["crawler", { meta: "busy" }]],
  ])("refuses %s, and announces nothing", (_, input) => {
    const { services } = new SeededServices().start("a")
    const [name, options] = input() as [string, object]
    expect(() => services.announce(name, options)).toThrow(expect.objectContaining({ code: "config" }))
    expect(services.list("crawler")).toEqual([])
  })

  test("refuses an update that is no JSON object, and keeps the meta", () => {
    const { services } = new SeededServices().start("a")
    const crawler = services.announce("crawler", { meta: { jobs: 1 } })
    for (const meta of [[], "busy", undefined, () => 7] as any[]) {
      expect(() => crawler.update(meta)).toThrow(expect.objectContaining({ code: "config" }))
    }
    expect(services.list("crawler")).toMatchObject([{ meta: { jobs: 1 } }])
  })
})

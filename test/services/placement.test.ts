import { describe, expect, test } from "vitest"
import type { PlaceOptions } from "../../src/services/index.ts"
import { ownerOfId } from "../../src/services/placement-plan.ts"
import { Sessions, type Taking } from "./seeded-sessions.ts"

/** Time in which a change reaches all nodes, in virtual ms. */
const SPREAD = 3_000

const ids = Array.from({ length: 30 }, (_, n) => `session-${n}`)

async function threeNodes(options: PlaceOptions = {}) {
  const all = new Sessions()
  const nodes = [await all.start("a", options), await all.start("b", options), await all.start("c", options)] as const
  await all.cluster.run(SPREAD)
  return { all, nodes }
}

/** The ids that run, by node, and each once. */
const running = (nodes: readonly Taking[]): string[] => nodes.flatMap(({ sessions }) => sessions.local()).sort()

describe("placement", () => {
  test("ensure starts a process once, on its owner, whichever nodes ask; all nodes know where it runs", async () => {
    const { all, nodes } = await threeNodes()
    const found = await all.until(Promise.all(nodes.map(({ sessions }) => sessions.ensure("ada"))))
    expect(new Set(found.map(({ instance }) => instance)).size).toBe(1)
    expect(found.filter(({ created }) => created)).toHaveLength(1)
    expect(nodes.flatMap(({ seen }) => seen)).toEqual(["+ada 0"])
    await all.cluster.run(SPREAD)
    const { id, node, instance } = found[0]!
    for (const { sessions } of nodes) expect(sessions.whereis("ada")).toEqual({ id, node, instance })
    expect(nodes[0].sessions.whereis("bob")).toBeUndefined()
  })

  test("a call reaches the process from every node, and starts it if it runs nowhere", async () => {
    const { all, nodes } = await threeNodes()
    for (const { sessions } of nodes) await all.until(sessions.call("ada", "add", 2))
    expect(await all.until(nodes[0].sessions.call("ada", "add", 0))).toBe(6)
    expect(nodes.flatMap(({ seen }) => seen)).toEqual(["+ada 0"])
    await expect(all.until(nodes[0].sessions.call("ada", "absent"))).rejects.toMatchObject({ code: "remote_error" })
  })

  test("stop ends it wherever it runs, and tells whether there was one", async () => {
    const { all, nodes } = await threeNodes()
    await all.until(nodes[0].sessions.call("ada", "add", 2))
    expect(await all.until(nodes[1].sessions.stop("ada"))).toBe(true)
    await all.cluster.run(SPREAD)
    expect(running(nodes)).toEqual([])
    expect(await all.until(nodes[2].sessions.stop("ada"))).toBe(false)
    expect(nodes.flatMap(({ seen }) => seen)).toEqual(["+ada 0", "-ada stopped 2"])
  })

  test("when a node comes, only what it owns moves to it, with its state", async () => {
    const { all, nodes } = await threeNodes()
    for (const [n, id] of ids.entries()) await all.until(nodes[0].sessions.call(id, "add", n))
    const before = new Map(nodes.flatMap((node) => node.sessions.local().map((id) => [id, node.node.name] as const)))
    const late = await all.start("d")
    await all.cluster.run(10_000)
    expect(running([...nodes, late])).toEqual([...ids].sort())
    const moved = late.sessions.local()
    expect(moved.length).toBeGreaterThan(0)
    expect(moved.length).toBeLessThan(ids.length / 2)
    for (const node of nodes) for (const id of node.sessions.local()) expect(before.get(id)).toBe(node.node.name)
    for (const [n, id] of ids.entries()) expect(await all.until(late.sessions.call(id, "add", 0))).toBe(n)
  })

  test("a draining node hands all its processes over, and loses no state", async () => {
    const { all, nodes } = await threeNodes()
    for (const [n, id] of ids.entries()) await all.until(nodes[0].sessions.call(id, "add", n))
    expect(await all.until(nodes[0].sessions.drain())).toBe(true)
    await all.cluster.run(SPREAD)
    expect(nodes[0].sessions.local()).toEqual([])
    expect(running(nodes)).toEqual([...ids].sort())
    for (const [n, id] of ids.entries()) expect(await all.until(nodes[0].sessions.call(id, "add", 0))).toBe(n)
  })

  test("closing the services hands the processes over, too", async () => {
    const { all, nodes } = await threeNodes()
    for (const [n, id] of ids.entries()) await all.until(nodes[0].sessions.call(id, "add", n))
    await all.until(nodes[0].services.close())
    await all.cluster.run(SPREAD)
    expect(running(nodes.slice(1))).toEqual([...ids].sort())
    for (const [n, id] of ids.entries()) expect(await all.until(nodes[1].sessions.call(id, "add", 0))).toBe(n)
  })

  test("a node that closes as soon as it has got processes hands them back, although it has hardly seen the others", async () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const all = new Sessions({ seed, delayMs: [1, 30] })
      const a = await all.start("a")
      for (const [n, id] of ids.entries()) await all.until(a.sessions.call(id, "add", n))
      const b = await all.start("b")
      while (b.sessions.local().length === 0) await all.cluster.run(1)
      await all.until(b.services.close())
      await all.cluster.run(SPREAD)
      for (const [n, id] of ids.entries()) expect(await all.until(a.sessions.call(id, "add", 0)), id).toBe(n)
      expect(b.seen.filter((event) => event.includes("closed"))).toEqual([])
    }
  })

  test("the processes of the last node end with it, with the reason closed", async () => {
    const all = new Sessions()
    const only = await all.start("a")
    await all.until(only.sessions.call("ada", "add", 1))
    await all.until(only.services.close())
    expect(only.seen).toEqual(["+ada 0", "-ada closed 1"])
    await expect(only.sessions.ensure("ada")).rejects.toMatchObject({ code: "closed" })
  })

  test("the processes of a dead node are started anew on the others", async () => {
    const { all, nodes } = await threeNodes()
    for (const id of ids) await all.until(nodes[0].sessions.ensure(id))
    await all.cluster.run(SPREAD)
    nodes[0].node.crash()
    await all.cluster.run(60_000)
    expect(running(nodes.slice(1))).toEqual([...ids].sort())
  })

  test("a process whose node dies before others have its row is started anew, if a living node has asked for it", async () => {
    const { all, nodes } = await threeNodes()
    const [a, b, c] = nodes
    const owner = (id: string): string => ownerOfId(a.services.list("place:session"), id)!.node
    const [asked, stopped, unasked] = ids.filter((id) => owner(id) === "b") as [string, string, string]
    // The members have been the same for long, so that nobody is asked before.
    await all.cluster.run(20_000)
    await all.until(a.sessions.ensure(stopped), 1)
    await all.until(a.sessions.stop(stopped), 1)
    await all.until(Promise.all([a.sessions.ensure(asked), b.sessions.ensure(unasked)]), 1)
    expect([a, c].flatMap(({ sessions }) => [asked, stopped, unasked].filter((id) => sessions.whereis(id)))).toEqual([])
    b.node.crash()
    await all.cluster.run(30_000)
    // Nobody but the dead node has heard of the one that it started for itself.
    expect(running([a, c])).toEqual([asked])
  })

  test("a process that was handed to a node that dies at once is started anew", async () => {
    const { all, nodes } = await threeNodes()
    const [a, b, c] = nodes
    for (const id of ids) await all.until(a.sessions.ensure(id))
    await all.cluster.run(SPREAD)
    const before = b.seen.length
    void a.sessions.drain()
    while (b.seen.length === before) await all.cluster.run(1)
    await all.cluster.run(10)
    b.node.crash()
    await all.cluster.run(60_000)
    expect(running([a, c])).toEqual([...ids].sort())
  })

  test("a process of a node that does not answer, but is still listed, keeps others waiting for 2 s at most", async () => {
    const { all, nodes } = await threeNodes()
    const [a, b, c] = nodes
    c.node.crash()
    const started = all.cluster.network.now
    const mine = ids.filter((id) => ownerOfId(a.services.list("place:session"), id)!.node === "a")
    await all.until(Promise.all(mine.map((id) => b.sessions.ensure(id))))
    expect(all.cluster.network.now - started).toBeLessThan(3_000)
    expect(running([a])).toEqual(mine.sort())
  })

  test("a node that was restarted at once does not lose the processes of its former start", async () => {
    const { all, nodes } = await threeNodes()
    for (const id of ids) await all.until(nodes[1].sessions.ensure(id))
    await all.cluster.run(SPREAD)
    nodes[0].node.crash()
    const again = await all.start("a")
    await all.cluster.run(60_000)
    expect(running([again, nodes[1], nodes[2]])).toEqual([...ids].sort())
  })

  test("calls during a move wait, and each runs once", async () => {
    const { all, nodes } = await threeNodes()
    for (const id of ids) await all.until(nodes[0].sessions.ensure(id))
    const draining = nodes[0].sessions.drain()
    const calls = ids.flatMap((id) => nodes.map(({ sessions }) => sessions.call(id, "add", 1, { timeoutMs: 20_000 })))
    await all.until(Promise.all(calls))
    await all.until(draining)
    for (const id of ids) expect(await all.until(nodes[1].sessions.call(id, "add", 0))).toBe(3)
  })

  test("after a split, one of two processes stays, and gets the state of the other, which stops with conflict", async () => {
    const { all, nodes } = await threeNodes()
    for (const id of ids) await all.until(nodes[0].sessions.call(id, "add", 1))
    await all.cluster.run(SPREAD)
    all.cluster.network.split(["a"])
    await all.cluster.run(60_000)
    // Each side runs all of them.
    expect([...nodes[0].sessions.local()].sort()).toEqual([...ids].sort())
    expect(running(nodes.slice(1))).toEqual([...ids].sort())
    for (const id of ids)
      await all.until(Promise.all([nodes[0].sessions.call(id, "add", 10), nodes[1].sessions.call(id, "add", 100)]))
    const atHealing = nodes.map(({ seen }) => seen.length)
    all.cluster.network.heal()
    await all.cluster.run(60_000)
    expect(running(nodes)).toEqual([...ids].sort())
    const since = nodes.flatMap(({ seen }, n) => seen.slice(atHealing[n]))
    expect(since.filter((event) => event.includes("conflict"))).toHaveLength(ids.length)
    expect(since.filter((event) => event.startsWith("~"))).toHaveLength(ids.length)
    // A process that ran on the side of its state has counted 1 + 10 or 1 + 100; a new one only its own.
    for (const id of ids) expect(await all.until(nodes[2].sessions.call(id, "add", 0))).toBe(111)
  })

  test("a start that fails is told to the caller without its message, reported on its node, and tried again at the next call", async () => {
    const all = new Sessions()
    let failures = 1
    const node = await all.start(
      "a",
      {},
      {
        start() {
          if (failures-- > 0) throw new Error("secret")
          return { count: 7 }
        },
      },
    )
    const error = await all.until(node.sessions.ensure("ada")).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: "remote_error" })
    expect(String(error)).not.toContain("secret")
    expect(node.errors).toMatchObject([{ message: "secret" }])
    expect(await all.until(node.sessions.call("ada", "add", 0))).toBe(7)
  })

  test("a state that cannot be sent stays where it is", async () => {
    const all = new Sessions()
    const circle: { self?: unknown } = {}
    circle.self = circle
    const a = await all.start("a", {}, { stop: () => circle as never, start: () => ({ count: 0 }) })
    for (const id of ids) await all.until(a.sessions.ensure(id))
    const b = await all.start("b")
    await all.cluster.run(10_000)
    expect(running([a, b])).toEqual([...ids].sort())
    expect(b.sessions.local()).toEqual([])
    expect(a.errors.length).toBeGreaterThan(0)
  })

  test("moves keep to movesPerSecond", async () => {
    const all = new Sessions()
    const a = await all.start("a", { movesPerSecond: 5 })
    const many = Array.from({ length: 60 }, (_, n) => `many-${n}`)
    for (const id of many) await all.until(a.sessions.ensure(id))
    const b = await all.start("b")
    await all.cluster.run(2_000)
    expect(b.sessions.local().length).toBeLessThanOrEqual(11)
    await all.cluster.run(30_000)
    expect(b.sessions.local().length).toBeGreaterThan(11)
    expect(running([a, b])).toEqual([...many].sort())
  })

  test("beyond maxHeldCalls, calls to a process that is moving fail with moving", async () => {
    const all = new Sessions()
    let release = (): void => undefined
    const stopped = new Promise<number>((resolve) => (release = () => resolve(5)))
    const a = await all.start("a", { maxHeldCalls: 1 }, { stop: () => stopped })
    await all.until(a.sessions.ensure("ada"))
    await all.start("b")
    await all.cluster.run(SPREAD)
    const draining = a.sessions.drain()
    await all.cluster.run(SPREAD)
    const [held, refused] = [a.sessions.call("ada", "add", 1, { timeoutMs: 60_000 }), a.sessions.call("ada", "add", 1)]
    await expect(all.until(refused)).rejects.toMatchObject({ code: "moving" })
    release()
    expect(await all.until(held)).toBe(6)
    await all.until(draining)
  })

  test("without a node that takes part, ensure fails with no_instance; wrong options and ids are refused", async () => {
    const all = new Sessions()
    const a = await all.start("a")
    await all.until(a.sessions.drain())
    await a.sessions.end()
    await expect(all.until(a.sessions.ensure("ada"))).rejects.toMatchObject({ code: "no_instance" })
    for (const id of ["", 7, undefined]) {
      await expect(a.sessions.ensure(id as string)).rejects.toMatchObject({ code: "config" })
    }
    const { services } = all.cluster.start("z")
    const definition = { start: () => 1, stop: () => undefined }
    for (const options of [{ weight: 0 }, { movesPerSecond: -1 }, { maxHeldCalls: "x" }, { handOverMs: NaN }]) {
      expect(() => services.place("k", definition, options as PlaceOptions)).toThrow(
        expect.objectContaining({ code: "config" }),
      )
    }
    expect(() => services.place("k", { start: () => 1 } as never)).toThrow(expect.objectContaining({ code: "config" }))
    expect(services.list("place:k")).toEqual([])
  })

  test("a call that fails its deadline while the process moves fails with moving, and an abort with its reason", async () => {
    const all = new Sessions()
    const a = await all.start("a", {}, { stop: () => new Promise<number>(() => undefined) })
    await all.until(a.sessions.ensure("ada"))
    await all.start("b")
    await all.cluster.run(SPREAD)
    void a.sessions.drain()
    await all.cluster.run(SPREAD)
    const abort = new AbortController()
    const calls = [a.sessions.call("ada", "add", 1), a.sessions.ensure("ada", { signal: abort.signal })]
    for (const call of calls) call.catch(() => undefined)
    await all.cluster.run(100)
    abort.abort(new Error("changed my mind"))
    await expect(all.until(calls[1]!)).rejects.toThrow("changed my mind")
    await expect(all.until(calls[0]!)).rejects.toMatchObject({ code: "moving" })
  })
})

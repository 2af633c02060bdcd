import { os } from "@orpc/server"
import { expect, test } from "vitest"
import { ownerOfId } from "../../src/services/placement-plan.ts"
import { Sessions, type Counter, type Taking } from "./seeded-sessions.ts"

/** Time in which a change reaches all nodes, in virtual ms. */
const SPREAD = 3_000
/** Time after which nodes take each other for dead, or see each other again, in virtual ms. */
const SPLIT = 60_000

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: unknown) => (error as { code?: string }).code ?? error,
  )

/** Returns ids that belong to a node. */
function idsOf(node: Taking, count: number): string[] {
  const found: string[] = []
  for (let n = 0; found.length < count; n += 1) {
    if (ownerOfId(node.services.list("place:session"), `id-${n}`)?.node === node.node.name) found.push(`id-${n}`)
  }
  return found
}

async function twoNodes(...more: Parameters<Sessions["start"]> extends [string, ...infer Rest] ? Rest : never) {
  const all = new Sessions()
  const [a, b] = [await all.start("a", ...more), await all.start("b", ...more)]
  await all.cluster.run(SPREAD)
  return { all, a, b }
}

test("once stop has answered, the node that asked sees the process no more, and ensure starts another one", async () => {
  const { all, a, b } = await twoNodes()
  for (const id of idsOf(b, 10)) {
    await all.until(b.sessions.ensure(id))
    await all.cluster.run(SPREAD)
    const stopping = a.sessions.stop(id).then((was) => [was, a.sessions.whereis(id)])
    expect(await all.until(stopping, 0.1)).toEqual([true, undefined])
    expect(await all.until(a.sessions.ensure(id), 0.1)).toMatchObject({ node: "b", created: true })
  }
})

test("stop after a split ends both processes of an id, also the one whose state is on its way to the other", async () => {
  const releases: (() => void)[] = []
  const stop = (_id: string, reason: string): Promise<number> | number =>
    reason !== "stopped" ? new Promise((resolve) => releases.push(() => resolve(0))) : 0
  const { all, a, b } = await twoNodes({}, { stop })
  all.cluster.network.split(["a"])
  await all.cluster.run(SPLIT)
  for (const { sessions } of [a, b]) await all.until(sessions.ensure("ada"))
  all.cluster.network.heal()
  for (let ms = 0; ms < SPLIT && releases.length === 0; ms += 20) await all.cluster.run(20)
  const winner = [a, b].find(({ sessions }) => sessions.local().includes("ada"))
  await all.cluster.run(SPREAD)
  const stopping = winner!.sessions.stop("ada")
  await all.cluster.run(100)
  for (const release of releases) release()
  expect(await all.until(stopping)).toBe(true)
  await all.cluster.run(SPREAD)
  for (const { sessions } of [a, b]) expect(sessions.local()).toEqual([])
})

test("a process that was stopped and started again at once is found, and is called", async () => {
  const { all, a, b } = await twoNodes()
  const [id] = idsOf(b, 1) as [string]
  for (let n = 0; n < 5; n += 1) {
    expect(await all.until(a.sessions.call(id, "add", 1), 0.1)).toBe(1)
    expect(await all.until(a.sessions.stop(id), 0.1)).toBe(true)
  }
  await all.until(b.sessions.ensure(id))
  await all.cluster.run(SPREAD)
  for (const { sessions } of [a, b]) expect(sessions.whereis(id)).toMatchObject({ node: "b" })
})

test.for(["the node itself", "another node"] as const)(
  "an ensure that waits for permission starts nothing once %s has given it up: its process might come after its stop",
  async (caller) => {
    const all = new Sessions()
    const alone = { aloneAfterMs: 2 * SPREAD }
    const [a, b] = [await all.start("a", alone), await all.start("b", alone)]
    await all.cluster.run(SPREAD)
    const [id, other] = idsOf(a, 2) as [string, string]
    const asking = caller === "the node itself" ? a : b
    const given = new AbortController()
    const ensured = codeOf(asking.sessions.ensure(id, { signal: given.signal }))
    const waiting = codeOf(asking.sessions.ensure(other, { timeoutMs: SPLIT }))
    await all.cluster.run(100)
    given.abort("given up")
    expect(await all.until(ensured)).toBe("given up")
    expect(await all.until(waiting)).toMatchObject({ node: "a", created: true })
    await all.cluster.run(SPREAD)
    expect(a.sessions.local()).toEqual([other])
  },
)

test("an ensure that its owner refuses as overloaded is made again, until the owner takes it", async () => {
  let finish = (): void => undefined
  const hang = os.handler(() => new Promise<void>((resolve) => (finish = resolve)))
  const { all, a, b } = await twoNodes({}, {}, { limits: { maxRunningCalls: 1 } })
  await all.until(b.services.serve("busy", { hang }).ready)
  await all.cluster.run(SPREAD)
  const [id, other] = idsOf(b, 2) as [string, string]
  const busy = a.services.call("busy", "hang", undefined, { timeoutMs: 60_000 })
  await all.cluster.run(100)
  expect(await all.until(codeOf(a.sessions.ensure(other, { timeoutMs: 300 })))).toBe("overloaded")
  const ensuring = a.sessions.ensure(id, { timeoutMs: 20_000 })
  await all.cluster.run(500)
  finish()
  expect(await all.until(ensuring)).toMatchObject({ node: "b", created: true })
  await all.until(busy)
})

test("a stop that does not end is reported while the process moves, although nothing closes", async () => {
  const { all, a } = await twoNodes({}, { stop: () => new Promise<never>(() => undefined) })
  const [id] = idsOf(a, 1) as [string]
  await all.until(a.sessions.ensure(id))
  void a.sessions.drain()
  await all.cluster.run(4_000)
  expect(a.errors).toEqual([])
  await all.cluster.run(20_000)
  expect(a.errors).toMatchObject([{ code: "timeout" }])
  expect(String(a.errors[0])).toContain(`expected stop of the process "${id}" of "session"`)
  expect(await all.until(codeOf(a.sessions.call(id, "add", 1, { timeoutMs: 500 })))).toBe("moving")
})

test("a merge that throws after a split is reported once; the process that stays goes on with its own state", async () => {
  const merge = (): never => {
    throw new Error("no merge")
  }
  const { all, a, b } = await twoNodes({}, { merge })
  await all.until(a.sessions.call("ada", "add", 1))
  await all.cluster.run(SPREAD)
  all.cluster.network.split(["a"])
  await all.cluster.run(SPLIT)
  for (const { sessions } of [a, b]) expect(sessions.local()).toEqual(["ada"])
  for (const { sessions } of [a, b]) await all.until(sessions.call("ada", "add", 10))
  all.cluster.network.heal()
  await all.cluster.run(SPLIT)
  const [winner, loser] = a.sessions.local().length === 1 ? [a, b] : [b, a]
  expect(loser.sessions.local()).toEqual([])
  expect(loser.seen.at(-1)).toMatch(/^-ada conflict/)
  expect([winner.errors, loser.errors]).toMatchObject([[{ message: "no merge" }], []])
  const counts = await Promise.all([a, b].map(({ sessions }) => all.until(sessions.call("ada", "add", 1))))
  expect(counts[1]).toBe(Number(counts[0]) + 1)
  // The state of the loser is dropped, as it is without a merge.
  expect(Number(counts[0])).toBeLessThanOrEqual(12)
})

test("where nodes give one kind different routers, a process has the methods of the node that it runs on", async () => {
  const all = new Sessions()
  const context = os.$context<{ process: Counter }>()
  const onlyOld = { router: { old: context.handler(() => "old"), both: context.handler(() => "old both") } }
  const onlyNew = { router: { new: context.handler(() => "new"), both: context.handler(() => "new both") } }
  const [a, b] = [await all.start("a", {}, onlyOld), await all.start("b", {}, onlyNew)]
  await all.cluster.run(SPREAD)
  const [[onA], [onB]] = [idsOf(a, 1), idsOf(b, 1)] as [[string], [string]]
  for (const { sessions } of [a, b]) {
    expect(await all.until(sessions.call(onA, "both"))).toBe("old both")
    expect(await all.until(sessions.call(onB, "both"))).toBe("new both")
    expect(await all.until(sessions.call(onA, "old"))).toBe("old")
    const missing = all.until(sessions.call(onA, "new"))
    await expect(missing).rejects.toMatchObject({ code: "remote_error", reason: { code: "NOT_FOUND" } })
  }
  // It moves, and is called by the methods of its new node.
  await all.until(a.services.close())
  expect(await all.until(b.sessions.call(onA, "new"))).toBe("new")
  expect([...a.errors, ...b.errors]).toEqual([])
})

test.each([NaN, -1, "5s", null])("a time to drain that is none is refused, and closes nothing: %s", async (ms) => {
  const { all, a } = await twoNodes()
  const served = a.services.serve("game", { find: os.handler(() => 1) })
  const wrong = ms as number
  expect(await codeOf(a.services.close({ drainMs: wrong }))).toBe("config")
  expect(await codeOf(served.drain({ timeoutMs: wrong }))).toBe("config")
  expect(await codeOf(a.sessions.drain({ timeoutMs: wrong }))).toBe("config")
  await expect(a.services.close({ drainMs: wrong })).rejects.toThrow("expected drainMs to be a time from 0 ms up, got")
  expect(await all.until(a.services.call("game", "find"))).toBe(1)
  expect(await all.until(a.sessions.ensure("ada"))).toMatchObject({ created: true })
})

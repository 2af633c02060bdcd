/** A node that calls placed processes, and runs none. */
import { describe, expect, test } from "vitest"
import { Sessions } from "./seeded-sessions.ts"

/** Time in which a change reaches all nodes, in virtual ms. */
const SPREAD = 3_000

const ids = Array.from({ length: 30 }, (_, n) => `session-${n}`)

/** So many nodes with processes, and one without. */
async function hostsAndCaller(names: readonly string[]) {
  const all = new Sessions()
  const hosts = await Promise.all(names.map((name) => all.start(name)))
  const { services } = all.cluster.start("caller")
  const sessions = services.place("session")
  await all.cluster.run(SPREAD)
  return { all, hosts, services, sessions }
}

describe("a node without a definition", () => {
  test("calls, finds and stops the processes of the other nodes, and gets none", async () => {
    const { all, hosts, sessions } = await hostsAndCaller(["a", "b"])
    for (const [n, id] of ids.entries()) expect(await all.until(sessions.call(id, "add", n))).toBe(n)
    await all.cluster.run(SPREAD)
    expect(sessions.local()).toEqual([])
    expect(hosts.flatMap((host) => host.sessions.local()).sort()).toEqual([...ids].sort())
    expect(sessions.whereis("session-1")?.node).toMatch(/^[ab]/)
    expect(await all.until(sessions.stop("session-1"))).toBe(true)
    await all.cluster.run(SPREAD)
    expect(await all.until(sessions.ensure("session-1"))).toMatchObject({ created: true })
  })

  test("follows processes that move, or that are started anew after a kill, and gets none of them", async () => {
    const { all, hosts, sessions } = await hostsAndCaller(["a", "b"])
    for (const [n, id] of ids.entries()) await all.until(sessions.call(id, "add", n))
    const late = await all.start("c")
    await all.cluster.run(SPREAD)
    for (const [n, id] of ids.entries()) expect(await all.until(sessions.call(id, "add", 0))).toBe(n)
    hosts[0]!.node.crash()
    await all.cluster.run(30_000)
    const running = [hosts[1]!, late].flatMap((host) => host.sessions.local())
    expect([running.sort(), sessions.local()]).toEqual([[...ids].sort(), []])
    for (const id of ids) expect(await all.until(sessions.call(id, "where"))).toMatch(/on [bc]$/)
  })

  test("waits for the first node with processes, and fails with no_instance if none comes in time", async () => {
    const { all, sessions } = await hostsAndCaller([])
    await expect(all.until(sessions.call("ada", "add", 1, { timeoutMs: 500 }))).rejects.toMatchObject({
      code: "no_instance",
      message: expect.stringContaining("got no node that has called place with a definition"),
    })
    const call = sessions.call("ada", "add", 1, { timeoutMs: 20_000 })
    const host = await all.start("a")
    expect(await all.until(call)).toBe(1)
    expect(host.sessions.local()).toEqual(["ada"])
  })

  test("takes no state of the last node with processes, and closes", async () => {
    const { all, hosts, services, sessions } = await hostsAndCaller(["a"])
    await all.until(sessions.call("ada", "add", 1))
    expect(await all.until(hosts[0]!.sessions.drain({ timeoutMs: 2_000 }))).toBe(false)
    await all.until(hosts[0]!.services.close({ drainMs: 0 }))
    expect(hosts[0]!.seen).toEqual(["+ada 0", "-ada closed 1"])
    expect(await all.until(sessions.drain())).toBe(true)
    await all.until(services.close())
    await expect(sessions.ensure("ada")).rejects.toMatchObject({ code: "closed" })
  })
})

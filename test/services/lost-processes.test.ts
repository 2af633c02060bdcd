import { describe, expect, test } from "vitest"
import { ownerOfId } from "../../src/services/placement-plan.ts"
import { Sessions, type Taking } from "./seeded-sessions.ts"

/** Time in which a change reaches all nodes, in virtual ms. */
const SPREAD = 3_000
/** Time in which the owner has answered who asks it, and does not count a silent node as down yet, in virtual ms. */
const ASKED = 2_500
/** Time in which a silent node counts as down, and its processes run again, in virtual ms. */
const RESTARTED = 60_000

const running = (nodes: readonly Taking[]): string[] => nodes.flatMap(({ sessions }) => sessions.local())

/** Returns an id that the first node owns, and after its end the second one, and so on. */
function ownedInTurn(nodes: readonly Taking[]): string {
  const instances = nodes[0]!.services.list("place:session")
  for (let n = 0; ; n += 1) {
    const id = `session-${n}`
    const isInTurn = nodes.every(({ node: { name } }, index) => {
      const gone = new Set(nodes.slice(0, index).map(({ node }) => node.name))
      const left = instances.filter(({ node }) => !gone.has(node))
      return ownerOfId(left, id)!.node === name
    })
    if (isInTurn) return id
  }
}

test("a process that ran again after the death of its node, and is stopped then, is not started once more", async () => {
  const all = new Sessions({ seesNodesDie: true })
  const [dead, owner, other] = [await all.start("a"), await all.start("b"), await all.start("c")] as const
  await all.cluster.run(SPREAD)
  const id = ownedInTurn([dead, owner, other])
  await all.until(other.sessions.ensure(id))
  await all.cluster.run(SPREAD)
  dead.node.crash()
  for (let ms = 0; ms < RESTARTED && other.sessions.whereis(id)?.node !== "b"; ms += 1) await all.cluster.run(1)
  expect(await all.until(owner.sessions.stop(id), 1)).toBe(true)
  await all.cluster.run(RESTARTED)
  expect(running([owner, other])).toEqual([])
  expect(owner.seen).toEqual([`+${id} 0`, `-${id} stopped 0`])
})

describe("a process of a dead node runs again, if a living one knew of it, although its new owner", () => {
  test("did not see that node die, took the process for running, and died then", async () => {
    const all = new Sessions({ seesNodesDie: true })
    const [dead, owner, knower] = [await all.start("a"), await all.start("b"), await all.start("c")] as const
    await all.cluster.run(SPREAD)
    const id = ownedInTurn([dead, owner, knower])
    await all.until(knower.sessions.ensure(id))
    await all.cluster.run(SPREAD)
    all.cluster.network.split(["b"])
    dead.node.crash()
    await all.cluster.run(50)
    all.cluster.network.heal()
    await all.cluster.run(ASKED)
    expect(owner.sessions.whereis(id)?.node).toBe("a")
    owner.node.crash()
    await all.cluster.run(RESTARTED)
    expect(running([knower])).toEqual([id])
  })

  test("took it for running at a place that it had left before, and died then", async () => {
    const all = new Sessions({ seesNodesDie: true })
    const names = ["a", "b", "c", "d"] as const
    const [former, dead, owner, knower] = await Promise.all(names.map((name) => all.start(name)))
    await all.cluster.run(SPREAD)
    const id = ownedInTurn([former!, dead!, owner!, knower!])
    await all.until(knower!.sessions.ensure(id))
    await all.cluster.run(SPREAD)
    all.cluster.network.split(["c"])
    await all.until(former!.sessions.drain())
    await all.cluster.run(500)
    expect(running([dead!])).toEqual([id])
    former!.node.crash()
    dead!.node.crash()
    await all.cluster.run(50)
    all.cluster.network.heal()
    await all.cluster.run(ASKED)
    expect(owner!.sessions.whereis(id)?.node).toBe("a")
    owner!.node.crash()
    await all.cluster.run(RESTARTED)
    expect(running([knower!])).toEqual([id])
  })
})

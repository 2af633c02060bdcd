import { describe, expect, test } from "vitest"
import type { Instance } from "../../src/services/instance-row.ts"
import { LostProcesses } from "../../src/services/lost-processes.ts"
import { ownerOfId } from "../../src/services/placement-plan.ts"
import { where } from "../../src/services/routes.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import { Sessions, type Taking } from "./seeded-sessions.ts"

/** Time in which a change reaches all nodes, in virtual ms. */
const SPREAD = 3_000
/** Time in which the owner has answered who asks it, and does not count a silent node as down yet, in virtual ms. */
const ASKED = 2_500
/** Time in which what a node has confirmed is expected to be seen, in virtual ms. */
const EXPECTED = 12_000
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

/** Three nodes, of which the first runs a process. After its death the second owns it, then the third, which has asked for it. */
async function oneProcess() {
  const all = new Sessions({ seesNodesDie: true })
  const [dead, owner, other] = [await all.start("a"), await all.start("b"), await all.start("c")] as const
  await all.cluster.run(SPREAD)
  const id = ownedInTurn([dead, owner, other])
  await all.until(other.sessions.ensure(id))
  await all.cluster.run(SPREAD)
  return { all, dead, owner, other, id }
}

test("a process that ran again after the death of its node, and is stopped then, is not started once more", async () => {
  const { all, dead, owner, other, id } = await oneProcess()
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

describe("a process that a node has found, without having listed the node that runs it", () => {
  const instance = (id: string, run: string): Instance => ({
    id,
    node: id,
    since: 0,
    meta: { run },
    weight: 1,
    draining: false,
  })
  function found() {
    const { cluster } = new Sessions()
    const { timers, pubsub } = cluster.network.node("a")
    const listed: Instance[] = []
    const lost = new LostProcesses({ tracker: createTracker({ pubsub, timers }), timers, instances: () => listed })
    const isListed = lost.expect("ada", "b")
    return { cluster, lost, listed, isListed }
  }
  const notFound = (): boolean => false

  test("is lost if that node is not listed for some heartbeats", async () => {
    const { cluster, lost, isListed } = found()
    expect(isListed).toBe(false)
    await cluster.run(SPREAD)
    expect(lost.ids(notFound)).toEqual([])
    expect(lost.isWaiting).toBe(true)
    await cluster.run(EXPECTED)
    // Another one that is found does not push it aside.
    lost.expect("eve", "c")
    expect(lost.ids(notFound)).toEqual(["ada"])
  })

  test("is not lost when that node is listed, and is lost when it leaves again before the row has come", async () => {
    const { cluster, lost, listed } = found()
    listed.push(instance("b", "1"))
    await cluster.run(1_000)
    expect(lost.ids(notFound)).toEqual([])
    expect(lost.isWaiting).toBe(false)
    listed[0] = instance("b", "2")
    expect(lost.ids(notFound)).toEqual(["ada"])
  })

  test("is not lost when that node is listed for long: it had the time to send the row", async () => {
    const { cluster, lost, listed } = found()
    listed.push(instance("b", "1"))
    expect(lost.ids(notFound)).toEqual([])
    await cluster.run(EXPECTED)
    listed.length = 0
    expect(lost.ids(notFound)).toEqual([])
  })

  test("is not lost when it was stopped, or is seen", () => {
    for (const end of ["stop", "forget"] as const) {
      const { lost, listed } = found()
      listed.push(instance("b", "1"))
      lost.ids(notFound)
      lost[end]("ada")
      listed.length = 0
      expect(lost.ids(notFound)).toEqual([])
    }
  })

  test("runs again, if both that node and the one that had found it die", async () => {
    // The node that asks receives nothing of the others about the third one.
    const all = new Sessions({
      seesNodesDie: true,
      onMessage(message) {
        const { from, to, topic, sentAt } = message
        if (sentAt > SPREAD && to === "b" && from !== "b" && !topic.startsWith("services:")) message.lose()
      },
    })
    const [owner, asking] = [await all.start("a"), await all.start("b")] as const
    await all.cluster.run(SPREAD)
    const runner = await all.start("c")
    await all.cluster.run(1_000)
    expect(asking.services.list("place:session")).toHaveLength(2)
    const instances = runner.services.list("place:session")
    const id = Array.from({ length: 200 }, (_, n) => `id-${n}`).find(
      (id) =>
        ownerOfId(instances, id)?.node === "c" && ownerOfId(asking.services.list("place:session"), id)?.node === "a",
    )!
    await all.until(owner.sessions.ensure(id))
    expect(await all.until(asking.sessions.ensure(id))).toMatchObject({ node: "c", created: false })
    runner.node.crash()
    owner.node.crash()
    await all.cluster.run(RESTARTED)
    expect(running([asking])).toEqual([id])
  })
})

describe("a process of a dead node that is stopped before it runs again does not run again, although", () => {
  const never = (): never => {
    throw new Error("not now")
  }

  test("a third node remembers it, and asks its owner for it", async () => {
    const { all, dead, owner, other, id } = await oneProcess()
    dead.node.crash()
    for (let ms = 0; ms < SPREAD && owner.sessions.whereis(id) !== undefined; ms += 1) await all.cluster.run(1)
    await all.until(owner.sessions.stop(id), 1)
    await all.cluster.run(RESTARTED)
    expect(running([owner, other])).toEqual([])
  })

  test.for(["its owner closes", "its owner dies"] as const)("%s after that", async (end) => {
    const all = new Sessions({ seesNodesDie: true })
    const dead = await all.start("a")
    const owner = await all.start("b", {}, { start: never })
    const [other, caller] = [await all.start("c"), await all.start("d")] as const
    await all.cluster.run(SPREAD)
    const id = ownedInTurn([dead, owner, other])
    await all.until(other.sessions.ensure(id))
    await all.cluster.run(SPREAD)
    dead.node.crash()
    await all.cluster.run(SPREAD)
    expect(caller.sessions.whereis(id)).toBeUndefined()
    expect(await all.until(caller.sessions.stop(id), 1)).toBe(true)
    if (end === "its owner dies") owner.node.crash()
    else await all.until(owner.services.close())
    await all.cluster.run(RESTARTED)
    expect(running([other, caller])).toEqual([])
    // It is no loss for good: who asks for it gets another one.
    expect(await all.until(other.sessions.ensure(id))).toMatchObject({ created: true })
  })

  test("its own node dies as soon as it has answered", async () => {
    const { all, dead, owner, other, id } = await oneProcess()
    expect(await all.until(other.sessions.stop(id), 0.1)).toBe(true)
    dead.node.crash()
    await all.cluster.run(RESTARTED)
    expect(running([owner, other])).toEqual([])
  })

  test("its own node dies while the others see that it is being stopped", async () => {
    const all = new Sessions({ seesNodesDie: true })
    let stopped = (): void => undefined
    const stop = (): Promise<number> => new Promise((resolve) => (stopped = () => resolve(0)))
    const dead = await all.start("a", {}, { stop })
    const [owner, other] = [await all.start("b"), await all.start("c")] as const
    await all.cluster.run(SPREAD)
    const id = ownedInTurn([dead, owner, other])
    await all.until(other.sessions.ensure(id))
    await all.cluster.run(SPREAD)
    const stopping = other.sessions.stop(id)
    await all.cluster.run(500)
    stopped()
    expect(await all.until(stopping, 0.1)).toBe(true)
    dead.node.crash()
    await all.cluster.run(RESTARTED)
    expect(running([owner, other])).toEqual([])
  })
})

test.for([
  ["it", "b"],
  ["its owner", "a"],
] as const)("a process that %s stopped does not run again for a node that takes it for lost", async ([, stopper]) => {
  const all = new Sessions()
  const [owner, asking] = [await all.start("a"), await all.start("b")] as const
  await all.cluster.run(SPREAD)
  const id = ownedInTurn([owner, asking])
  await all.until(asking.sessions.ensure(id))
  await all.cluster.run(SPREAD)
  const stopping = stopper === "a" ? owner : asking
  expect(await all.until(stopping.sessions.stop(id))).toBe(true)
  const route = where(({ node }) => node === "a")
  const answer = asking.services.call("place:session", ["ensure"], { id, lost: true }, { route })
  expect(await all.until(answer)).toMatchObject({ instance: "", created: false })
  expect(running([owner, asking])).toEqual([])
  // It is no loss for good: who asks for it gets another one.
  expect(await all.until(asking.sessions.ensure(id))).toMatchObject({ node: "a", created: true })
})

test("a process that was stopped does not run again on a node that comes then, owns it and takes it for lost", async () => {
  const all = new Sessions()
  const [owner, other] = [await all.start("a"), await all.start("b")] as const
  await all.cluster.run(SPREAD)
  const owners = [
    ...owner.services.list("place:session"),
    { ...owner.services.list("place:session")[0]!, id: "place:session#1@c", node: "c" },
  ]
  const id = Array.from({ length: 200 }, (_, n) => `id-${n}`).find((id) => ownerOfId(owners, id)!.node === "c")!
  await all.until(other.sessions.ensure(id))
  await all.cluster.run(SPREAD)
  expect(await all.until(other.sessions.stop(id))).toBe(true)
  const comer = await all.start("c")
  await all.cluster.run(SPREAD)
  const route = where(({ node }) => node === "c")
  const answer = comer.services.call("place:session", ["ensure"], { id, lost: true }, { route })
  expect(await all.until(answer)).toMatchObject({ instance: "", created: false })
  expect(await all.until(other.sessions.ensure(id))).toMatchObject({ node: "c", created: true })
})

test("a process that was handed over before its node closed is not lost for a node that does not see the new one yet", async () => {
  const apart = new Set(["a", "b"])
  const all = new Sessions({
    seesNodesDie: true,
    onMessage(message) {
      if (apart.has(message.from) && apart.has(message.to) && message.from !== message.to) message.lose()
    },
  })
  let stopped = (): void => undefined
  const stop = (): Promise<number> => new Promise((resolve) => (stopped = () => resolve(0)))
  const [blind, taking, closing] = [await all.start("a"), await all.start("b"), await all.start("c", {}, { stop })]
  await all.cluster.run(SPREAD)
  const instances = closing.services.list("place:session")
  expect(blind.services.list("place:session")).toHaveLength(2)
  const id = Array.from({ length: 200 }, (_, n) => `id-${n}`).find((id) => {
    const left = instances.filter(({ node }) => node !== "c")
    return ownerOfId(instances, id)!.node === "c" && ownerOfId(left, id)!.node === "b"
  })!
  await all.until(closing.sessions.ensure(id))
  await all.cluster.run(SPREAD)
  const closed = closing.services.close().then(() => closing.tracker.close())
  await all.cluster.run(500)
  stopped()
  await all.until(closed, 1)
  await all.cluster.run(SPREAD)
  expect(running([taking])).toEqual([id])
  expect(running([blind])).toEqual([])
})

test("a process of a dead node runs again, although the row of its former place is still seen, and leaves later", async () => {
  let isCut = false
  let isMute = false
  const all = new Sessions({
    seesNodesDie: true,
    onMessage(message) {
      const { from, to, topic } = message
      // Node a does not receive what c says: first nothing of its rows, and to the end nothing of its requests.
      if (from === "c" && to === "a" && (topic.startsWith("services:") ? isMute : isCut)) message.lose()
    },
  })
  const [knower, dead, former] = [await all.start("a"), await all.start("b"), await all.start("c")] as const
  await all.cluster.run(SPREAD)
  const id = ownedInTurn([former, dead, knower])
  await all.until(knower.sessions.ensure(id))
  await all.cluster.run(SPREAD)
  isCut = true
  await all.until(former.sessions.drain())
  await all.cluster.run(500)
  expect(running([dead, former])).toEqual([id])
  isMute = true
  dead.node.crash()
  await all.cluster.run(500)
  isCut = false
  for (let ms = 0; ms < SPREAD && knower.sessions.whereis(id) !== undefined; ms += 20) await all.cluster.run(20)
  former.node.crash()
  await all.cluster.run(RESTARTED)
  expect(running([knower])).toEqual([id])
})

test("a process that comes to be seen while its stop waits for the others runs again after the death of its node", async () => {
  let isCut = false
  const all = new Sessions({
    seesNodesDie: true,
    onMessage(message) {
      if (isCut && message.from === "b") message.lose()
    },
  })
  const [owner, other] = [await all.start("b"), await all.start("c")] as const
  await all.cluster.run(SPREAD)
  const id = ownedInTurn([owner, other])
  isCut = true
  // The other node takes the owner for dead, and the owner sees the other one.
  for (let ms = 0; ms < RESTARTED && other.services.list("place:session").length > 1; ms += 100)
    await all.cluster.run(100)
  const stopping = owner.sessions.stop(id, { timeoutMs: 1_000 }).catch((error: unknown) => error)
  expect(await all.until(other.sessions.ensure(id))).toMatchObject({ node: "c", created: true })
  expect(await all.until(stopping)).toMatchObject({ code: "timeout" })
  await all.cluster.run(SPREAD)
  expect(owner.sessions.whereis(id)?.node).toBe("c")
  other.node.crash()
  await all.cluster.run(RESTARTED)
  expect(running([owner])).toEqual([id])
})

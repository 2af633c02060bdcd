import { afterEach, describe, expect, test } from "vitest"
import { startCluster } from "../support/cluster.ts"
import type { Cluster, ClusterNode, EngineName, Member } from "../support/cluster.ts"

// Three server processes on each engine, with real sockets. Periods are short, so that a down period is soon over.
const QUICK = { broadcastPeriodMs: 500, downPeriodMs: 1_500, permdownPeriodMs: 60_000 }
/** So long that nothing that is seen before can have come of it. */
const PATIENT = { broadcastPeriodMs: 1_500, downPeriodMs: 600_000, permdownPeriodMs: 1_200_000 }

let cluster: Cluster

afterEach(() => cluster?.close())

async function threeNodes(engine: EngineName, tracker: object): Promise<[ClusterNode, ClusterNode, ClusterNode]> {
  cluster = await startCluster(engine, tracker)
  return Promise.all([cluster.start("one"), cluster.start("two"), cluster.start("three")])
}

async function allSee(members: readonly Member[], names: readonly string[]): Promise<void> {
  for (const member of members) await expect.poll(member.sees, { timeout: 20_000, interval: 20 }).toEqual(names)
}

const eventsOf = (member: Member, key: string): string[] =>
  member.changes.filter((change) => change.key === key).map((change) => change.type)

describe.each(["ipc", "redis", "nats"] as const)("three processes on %s", (engine) => {
  test("agree on who is here, wherever they came in", async () => {
    const nodes = await threeNodes(engine, PATIENT)
    const members = await Promise.all(nodes.map((node, i) => cluster.join(node, `user${i}`)))
    await allSee(members, ["user0", "user1", "user2"])
    members[1]?.room.update({ on: "elsewhere" })
    for (const member of members) {
      await expect.poll(() => member.room.get("user1")?.metas[0].on).toBe("elsewhere")
    }
    members[2]?.connection.disconnect()
    await allSee(members.slice(0, 2), ["user0", "user1"])
  })

  test("a node that is killed loses its people once, and they come back once when they reconnect elsewhere", async () => {
    const [one, two, three] = await threeNodes(engine, QUICK)
    const ada = await cluster.join(one, "ada")
    const bob = await cluster.join(two, "bob")
    const cy = await cluster.join(three, "cy")
    await allSee([ada, bob, cy], ["ada", "bob", "cy"])
    await three.end("SIGKILL")
    cy.connection.disconnect()
    await allSee([ada, bob], ["ada", "bob"])
    const again = await cluster.join(one, "cy")
    await allSee([ada, bob, again], ["ada", "bob", "cy"])
    expect(eventsOf(ada, "cy")).toEqual(["join", "leave", "join"])
    expect(eventsOf(bob, "cy")).toEqual(["join", "leave", "join"])
  })

  test("a node that is told to end says goodbye: its people leave at once, without a down period", async () => {
    const [one, two] = await threeNodes(engine, PATIENT)
    const ada = await cluster.join(one, "ada")
    const bob = await cluster.join(two, "bob")
    await allSee([ada, bob], ["ada", "bob"])
    await two.end("SIGTERM")
    await allSee([ada], ["ada"])
  })

  test("a node that starts again shows the others' people to its own", async () => {
    const [one, two] = await threeNodes(engine, QUICK)
    const ada = await cluster.join(one, "ada")
    await two.end("SIGKILL")
    const second = await cluster.start("two")
    const bob = await cluster.join(second, "bob")
    await allSee([ada, bob], ["ada", "bob"])
    expect(eventsOf(ada, "ada")).toEqual(["join"])
  })

  test("a node that stood still for longer than the down period is taken back, with all its people and no ghosts", async () => {
    const [one, two, three] = await threeNodes(engine, QUICK)
    const ada = await cluster.join(one, "ada")
    const bob = await cluster.join(two, "bob")
    const cy = await cluster.join(three, "cy")
    await allSee([ada, bob, cy], ["ada", "bob", "cy"])
    two.signal("SIGSTOP")
    await allSee([ada, cy], ["ada", "cy"])
    cy.connection.disconnect()
    const dan = await cluster.join(three, "dan")
    await allSee([ada, dan], ["ada", "dan"])
    two.signal("SIGCONT")
    await allSee([ada, bob, dan], ["ada", "bob", "dan"])
    // The one who stood still never saw the others leave, since they did not.
    expect(eventsOf(bob, "ada")).toEqual(["join"].filter(() => bob.changes.some(({ key }) => key === "ada")))
  })
})

describe.each(["redis", "nats"] as const)("%s itself", (engine) => {
  test("is killed and started again while people come and go: all agree again", async () => {
    const [one, two, three] = await threeNodes(engine, QUICK)
    const ada = await cluster.join(one, "ada")
    const bob = await cluster.join(two, "bob")
    const cy = await cluster.join(three, "cy")
    await allSee([ada, bob, cy], ["ada", "bob", "cy"])
    await cluster.engine?.kill()
    bob.connection.disconnect()
    // A join waits for the bus to confirm its topic; in a room that its node has already, there is nothing to wait for.
    const dan = await cluster.join(one, "dan")
    await expect.poll(ada.sees).toContain("dan")
    await cluster.engine?.start()
    await allSee([ada, cy, dan], ["ada", "cy", "dan"])
  })
})

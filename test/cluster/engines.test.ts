import { afterEach, describe, expect, test } from "vitest"
import { startCluster } from "../support/cluster.ts"
import type { Cluster, ClusterNode, EngineName, Member } from "../support/cluster.ts"
import type { Engine } from "../support/engine.js"

// Three server processes on each engine, with real clients.
/** A down period that ends soon, and is long enough that no process counts as dead because the machine is busy. */
const SHORT_DOWN_PERIOD = { broadcastPeriodMs: 1_000, downPeriodMs: 5_000, permdownPeriodMs: 60_000 }
/** A down period that no test reaches, so that every leave that a test sees was sent by the leaving node. */
const NO_DOWN_PERIOD = { broadcastPeriodMs: 1_500, downPeriodMs: 600_000, permdownPeriodMs: 1_200_000 }

let cluster: Cluster

afterEach(() => cluster?.close())

async function threeNodes(engine: EngineName, tracker: object): Promise<[ClusterNode, ClusterNode, ClusterNode]> {
  cluster = await startCluster(engine, tracker)
  return Promise.all([cluster.start("one"), cluster.start("two"), cluster.start("three")])
}

async function allSee(members: readonly Member[], names: readonly string[]): Promise<void> {
  for (const member of members) await expect.poll(member.sees).toEqual(names)
}

/** The engine's own server process. */
function engineOf({ engine }: Cluster): Engine {
  if (engine === undefined) throw new Error("expected an engine with a server process, got ipc")
  return engine
}

const eventsOf = (member: Member, key: string): string[] =>
  member.changes.filter((change) => change.key === key).map((change) => change.type)

describe.each(["ipc", "redis", "nats"] as const)("three processes on %s", (engine) => {
  test("show all users, their updates and their leaves to the clients of every process", async () => {
    const nodes = await threeNodes(engine, NO_DOWN_PERIOD)
    const members = await Promise.all(nodes.map((node, i) => cluster.join(node, `user${i}`)))
    await allSee(members, ["user0", "user1", "user2"])
    void members[1]?.room.update({ on: "elsewhere" })
    for (const member of members) {
      await expect.poll(() => member.room.get("user1")?.metas[0].on).toBe("elsewhere")
    }
    members[2]?.connection.disconnect()
    await allSee(members.slice(0, 2), ["user0", "user1"])
  })

  test("show one leave for each user of a killed process, and one join when the user reconnects elsewhere", async () => {
    const [one, two, three] = await threeNodes(engine, SHORT_DOWN_PERIOD)
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

  test("show the leaves of a process that gets SIGTERM at once, without a down period", async () => {
    const [one, two] = await threeNodes(engine, NO_DOWN_PERIOD)
    const ada = await cluster.join(one, "ada")
    const bob = await cluster.join(two, "bob")
    await allSee([ada, bob], ["ada", "bob"])
    await two.end("SIGTERM")
    await allSee([ada], ["ada"])
  })

  test("show the users of the other processes to the clients of a process that has been restarted", async () => {
    const [one, two] = await threeNodes(engine, SHORT_DOWN_PERIOD)
    const ada = await cluster.join(one, "ada")
    await two.end("SIGKILL")
    const second = await cluster.start("two")
    const bob = await cluster.join(second, "bob")
    await allSee([ada, bob], ["ada", "bob"])
    expect(eventsOf(ada, "ada")).toEqual(["join"])
  })

  test("agree again after one was suspended for longer than the down period", async () => {
    const [one, two, three] = await threeNodes(engine, SHORT_DOWN_PERIOD)
    const ada = await cluster.join(one, "ada")
    const bob = await cluster.join(two, "bob")
    const cy = await cluster.join(three, "cy")
    await allSee([ada, bob, cy], ["ada", "bob", "cy"])
    two.signal("SIGSTOP")
    await allSee([ada, cy], ["ada", "cy"])
    cy.connection.disconnect()
    const dan = await cluster.join(three, "dan")
    await allSee([ada, dan], ["ada", "dan"])
    // Process two must be suspended for longer than the down period. At bob's leave, the period of the other processes is over,
    // but not necessarily that of process two. To suspend another process until its user leaves takes one more period.
    const four = await cluster.start("four")
    const eve = await cluster.join(four, "eve")
    await allSee([ada, dan, eve], ["ada", "dan", "eve"])
    four.signal("SIGSTOP")
    await allSee([ada, dan], ["ada", "dan"])
    two.signal("SIGCONT")
    await allSee([ada, bob, dan], ["ada", "bob", "dan"])
    // The suspended process received nothing, but it must not declare the others down: ada has been there all the time.
    expect(eventsOf(bob, "ada")).toEqual(["join"])
    expect(eventsOf(ada, "bob")).toEqual(["join", "leave", "join"])
    expect(eventsOf(bob, "cy")).toEqual(["join", "leave"])
    expect(eventsOf(bob, "dan")).toEqual(["join"])
  })
})

describe.each(["redis", "nats"] as const)("three processes on %s", (engine) => {
  test("agree again after the engine is killed and restarted, while users join and leave", async () => {
    const [one, two, three] = await threeNodes(engine, SHORT_DOWN_PERIOD)
    const ada = await cluster.join(one, "ada")
    const bob = await cluster.join(two, "bob")
    const cy = await cluster.join(three, "cy")
    await allSee([ada, bob, cy], ["ada", "bob", "cy"])
    await engineOf(cluster).kill()
    bob.connection.disconnect()
    // Only the first join of a topic on a node waits for the engine, and this node has the topic already.
    const dan = await cluster.join(one, "dan")
    await expect.poll(ada.sees).toContain("dan")
    await engineOf(cluster).start()
    await allSee([ada, cy, dan], ["ada", "cy", "dan"])
  })
})

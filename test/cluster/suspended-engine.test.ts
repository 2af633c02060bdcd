import { afterEach, describe, expect, test } from "vitest"
import { startCluster } from "../support/cluster.ts"
import type { Cluster, Member } from "../support/cluster.ts"

// The engine's process is suspended for less than the down period of the nodes, which nobody may notice.
const TRACKER = { broadcastPeriodMs: 500, downPeriodMs: 6_000, permdownPeriodMs: 1_200_000 }

let cluster: Cluster | undefined

afterEach(() => {
  cluster?.engine?.signal("SIGCONT")
  return cluster?.close()
})

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const eventsOf = ({ changes }: Member): string[] => changes.map(({ key, type }) => `${key} ${type}`).sort()

describe.each([
  ["redis", 5_000],
  ["redis", 2_500],
  ["nats", 5_000],
] as const)("two processes on a %s server that is suspended for %i ms", (engine, suspendedMs) => {
  test("show no leave and no further join, and agree on who joins and leaves afterwards", async () => {
    cluster = await startCluster(engine, TRACKER)
    const [one, two, three] = await Promise.all(["one", "two", "three"].map((name) => cluster!.start(name)))
    const ada = await cluster.join(one!, "ada")
    const bob = await cluster.join(two!, "bob")
    await cluster.join(three!, "dan")
    for (const member of [ada, bob]) await expect.poll(member.sees).toEqual(["ada", "bob", "dan"])
    cluster.engine!.signal("SIGSTOP")
    await pause(suspendedMs)
    cluster.engine!.signal("SIGCONT")
    // A process that dies now is declared down a whole down period later. If the suspension had counted, the living ones would
    // have been declared down before.
    await three!.end("SIGKILL")
    for (const member of [ada, bob]) await expect.poll(member.sees).toEqual(["ada", "bob"])
    const events = ["ada join", "bob join", "dan join", "dan leave"]
    expect([eventsOf(ada), eventsOf(bob)]).toEqual([events, events])
    const cy = await cluster.join(two!, "cy")
    for (const member of [ada, bob, cy]) await expect.poll(member.sees).toEqual(["ada", "bob", "cy"])
    bob.connection.disconnect()
    for (const member of [ada, cy]) await expect.poll(member.sees).toEqual(["ada", "cy"])
  })
})

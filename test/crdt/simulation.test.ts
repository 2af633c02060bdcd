import { describe, expect, it } from "vitest"
import { Cluster, type Profile } from "./cluster.ts"

const profiles: readonly Profile[] = [
  { name: "in order, nothing lost", loss: 0, repeat: 0, reorder: false },
  { name: "in order, 20 % lost", loss: 0.2, repeat: 0, reorder: false },
  { name: "nothing lost, repeated and reordered", loss: 0, repeat: 0.3, reorder: true },
  { name: "20 % lost, repeated and reordered", loss: 0.2, repeat: 0.3, reorder: true },
  { name: "50 % lost, repeated and reordered", loss: 0.5, repeat: 0.3, reorder: true },
  { name: "replicas down, removed and back", loss: 0.2, repeat: 0.2, reorder: true, churn: true },
  { name: "the same pids everywhere", loss: 0.2, repeat: 0.2, reorder: true, samePids: true },
  {
    name: "the same pids everywhere, replicas down",
    loss: 0.2,
    repeat: 0.2,
    reorder: true,
    samePids: true,
    churn: true,
  },
]

/** Seeds per profile; `SIMULATION_SEEDS` asks for more. */
const seeds = Number(process.env["SIMULATION_SEEDS"] ?? 80)

describe("replicas on a bad bus", () => {
  it.each(profiles)("agree in the end, and show at each step what they have heard: $name", (profile) => {
    const total = { joins: 0, leaves: 0, updates: 0, fromGenerations: 0, full: 0 }
    for (let seed = 1; seed <= seeds; seed++) {
      const cluster = new Cluster(seed, profile)
      try {
        for (let step = 0; step < 200; step++) cluster.step()
        cluster.heal()
        agree(cluster)
      } catch (error) {
        throw new Error(`seed ${seed} of "${profile.name}"`, { cause: error })
      }
      for (const what of Object.keys(total) as (keyof typeof total)[]) total[what] += cluster.seen[what]
    }
    // A run in which little happens proves little.
    for (const count of Object.values(total)) expect(count).toBeGreaterThan(seeds / 2)
  })
})

/** Catalogue 5 and 10: all show the union of what the owners hold, contexts are equal, and no dot is above a gap. */
function agree({ nodes }: Cluster): void {
  const [first] = nodes
  for (const node of nodes) {
    expect(node.online).toEqual(first!.online)
    expect(node.set.clocks()).toEqual(
      new Map([...first!.set.clocks()].map(([ref]) => [ref, node.set.clocks().get(ref)])),
    )
    expect([...node.set.clocks().values()].toString().length).toBeGreaterThan(0)
    const { parts } = node.set.extract("nobody", node.set.clocks())
    for (const [ref, { seen }] of parts)
      expect(seen).toEqual(node.set.clocks().get(ref) === 0 ? [] : [1, node.set.clocks().get(ref)])
    const owner = node.set.online().filter((row) => row.ref === node.set.ref)
    for (const other of nodes) {
      expect(other.set.clocks().get(node.set.ref)).toBe(node.set.clocks().get(node.set.ref))
      expect(other.set.online().filter((row) => row.ref === node.set.ref)).toHaveLength(owner.length)
    }
  }
}

import { describe, expect, it } from "vitest"
import { RandomCluster, type Profile } from "./random-cluster.ts"

const profiles: readonly Profile[] = [
  { name: "in order, no loss", loss: 0, repeat: 0, reorder: false },
  { name: "in order, 20 % lost", loss: 0.2, repeat: 0, reorder: false },
  { name: "no loss, repeated and reordered", loss: 0, repeat: 0.3, reorder: true },
  { name: "20 % lost, repeated and reordered", loss: 0.2, repeat: 0.3, reorder: true },
  { name: "50 % lost, repeated and reordered", loss: 0.5, repeat: 0.3, reorder: true },
  { name: "replicas go down, are removed and return", loss: 0.2, repeat: 0.2, reorder: true, churn: true },
  { name: "the same pids on all replicas", loss: 0.2, repeat: 0.2, reorder: true, samePids: true },
  {
    name: "the same pids on all replicas, which go down, are removed and return",
    loss: 0.2,
    repeat: 0.2,
    reorder: true,
    samePids: true,
    churn: true,
  },
]

/** The number of seeds per profile; the environment variable `SIMULATION_SEEDS` sets another one. */
const seeds = Number(process.env["SIMULATION_SEEDS"] ?? 80)

/** The work is bounded by seeds and steps. The timeout only ends a test on a machine that hangs. */
const LAST_RESORT_MS = 600_000

describe("replicas on an unreliable bus", () => {
  it.each(profiles)(
    "show what their models show at each step, and agree in the end: $name",
    (profile) => {
      const total = { joins: 0, leaves: 0, updates: 0, fromGenerations: 0, full: 0 }
      for (let seed = 1; seed <= seeds; seed++) {
        const cluster = new RandomCluster(seed, profile)
        try {
          for (let step = 0; step < 200; step++) cluster.step()
          cluster.heal()
          expectAgreement(cluster)
        } catch (error) {
          throw new Error(`seed ${seed} of "${profile.name}"`, { cause: error })
        }
        for (const what of Object.keys(total) as (keyof typeof total)[]) total[what] += cluster.counts[what]
      }
      // Checks that much has happened in the runs. Otherwise the checks above would prove little.
      for (const count of Object.values(total)) expect(count).toBeGreaterThan(seeds / 2)
    },
    LAST_RESORT_MS,
  )
})

/**
 * Expects that all nodes show the same rows, have seen all dots of each other without a gap, and hold exactly the rows
 * that the owners hold (laws 5 and 10).
 */
function expectAgreement({ nodes }: RandomCluster): void {
  const refs = nodes.map(({ set }) => set.ref)
  const clocks = new Map(nodes.map(({ set }) => [set.ref, set.clock]))
  for (const { set, online } of nodes) {
    expect(online).toEqual(nodes[0]!.online)
    expect(set.clocks()).toEqual(clocks)
    const { parts } = set.extract("requester", set.clocks())
    expect(new Set(parts.keys())).toEqual(new Set(refs))
    for (const owner of nodes) {
      const { ref, clock } = owner.set
      const truth = owner.set.extract("requester", new Map([[ref, 0]])).parts.get(ref)!
      expect(truth.seen).toEqual(clock === 0 ? [] : [1, clock])
      expect(parts.get(ref)).toEqual(truth)
    }
  }
}

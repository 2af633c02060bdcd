import { expect, test } from "vitest"
import { SeededCluster } from "./seeded-cluster.ts"

/** Networks on which a message of a third node often arrives before the one of the owner. */
const NETWORKS = [
  { name: "slow links", conditions: { delayMs: [1, 400] as const } },
  {
    name: "lost, doubled and reordered messages",
    conditions: { loss: 0.2, duplication: 0.2, reordering: 0.3, delayMs: [1, 100] as const },
  },
]
const SEEDS = [1, 2, 3, 4, 5]

const keysWith = (sign: string, diff: readonly string[]): string =>
  diff
    .filter((change) => change.startsWith(sign))
    .map((change) => change.slice(1))
    .sort()
    .join(" ")

test.each(NETWORKS)(
  "an update is one change at each node, never a leave and a later join: $name",
  async ({ conditions }) => {
    for (const seed of SEEDS) {
      // No node may count as down, since its rows would leave with it.
      const cluster = new SeededCluster({ downPeriodMs: 60_000 }, { seed })
      const nodes = ["a", "b", "c"].map((name) => cluster.start(name))
      for (const { tracker, node } of nodes) tracker.track("1", "room", node.name, { n: 0 })
      await cluster.run(5_000)
      for (const { diffs } of nodes) diffs.length = 0
      cluster.network.set(conditions)
      for (let n = 1; n <= 100; n += 1) {
        for (const { tracker, node } of nodes) {
          tracker.update("1", "room", node.name, { n })
          await cluster.run(40)
        }
      }
      const partial = nodes.flatMap(({ diffs }) => diffs).filter((diff) => keysWith("+", diff) !== keysWith("-", diff))
      expect(partial, `seed ${seed}`).toEqual([])
      cluster.network.set({ loss: 0 })
      await cluster.run(5_000)
      for (const { tracker } of nodes) {
        expect(
          tracker
            .list("room")
            .map(({ key, meta }) => `${key} ${String(meta["n"])}`)
            .sort(),
        ).toEqual(["a 100", "b 100", "c 100"])
      }
    }
  },
)

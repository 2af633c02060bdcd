import { expect, test } from "vitest"
import { seededPlacement } from "./seeded-placement.ts"

/** How many seeds are run, and the first one; SEEDS=50000 runs as many. */
const SEEDS = Number(process.env["SEEDS"] ?? 12)
const FIRST = Number(process.env["FIRST_SEED"] ?? 1)
const seeds = Array.from({ length: SEEDS }, (_, n) => FIRST + n)
/** Seeds that showed a mistake: a conflict that came while a process of a dead node was being started was never settled. */
const FAILED_ONCE = [1161]
/**
 * The same while no node dies. 28: a state came a second time, after the answer to its first hand-over had been lost. 32: a state
 * waited for the permission to start its process anew, until its node had closed. 2002: an update was seen as a leave.
 */
const FAILED_ONCE_LIVING = [28, 32, 2002]

/** Runs seeds, and checks that each thing of a list has happened in them. */
async function expectNoMistakes(
  seeds: readonly number[],
  options: { readonly isLiving?: boolean; readonly maxLoss?: number },
  events: readonly string[],
): Promise<void> {
  const all = new Map<string, number>()
  for (const seed of seeds) {
    const { mistakes, seen } = await seededPlacement(seed, options)
    expect(mistakes, `seed ${seed}`).toEqual([])
    for (const [what, count] of seen) all.set(what, (all.get(what) ?? 0) + count)
  }
  if (process.env["SEEDS"] !== undefined) console.log(SEEDS, all)
  for (const what of events) expect(all.get(what) ?? 0, what).toBeGreaterThan(0)
}

test("over a network that splits, loses and doubles, no call runs twice, no state and no process is lost, and one owner is left", async () => {
  const events = ["value", "moved", "conflict", "merge", "crash", "close", "restart"]
  await expectNoMistakes([...FAILED_ONCE, ...seeds], {}, events)
}, 86_400_000)

test("while nodes come and close and none dies, no process runs twice at a time, and no state is lost, if the network loses little", async () => {
  await expectNoMistakes(FAILED_ONCE_LIVING, { isLiving: true, maxLoss: 0.15 }, [])
  await expectNoMistakes(seeds, { isLiving: true }, ["value", "moved", "close"])
}, 86_400_000)

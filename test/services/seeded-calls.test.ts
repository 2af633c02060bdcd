import { expect, test } from "vitest"
import { seededCalls, type SeededCall } from "./seeded-calls.ts"

/** How many seeds are run; SEEDS=50000 runs as many. */
const SEEDS = Number(process.env["SEEDS"] ?? 30)
/** The first seed: a long run is made in parts. */
const FIRST_SEED = Number(process.env["FIRST_SEED"] ?? 1)
/** A call ends in a microtask after its deadline, and the network runs those at its next event. */
const SLACK_MS = 50

/** What is wrong with a call. */
function mistakes({ kind, runs, ends, items, id, due, endedAt }: SeededCall): string[] {
  const found: string[] = []
  if (ends.length !== 1) found.push(`ended ${ends.length} times: ${ends.join(", ")}`)
  if (kind !== "idempotent" && runs.length > 1) found.push(`ran on ${runs.join(", ")}`)
  if (new Set(runs).size !== runs.length && kind !== "idempotent") found.push(`ran twice on one of ${runs.join(", ")}`)
  if (ends[0] === `value ${id}` && runs.length === 0) found.push("was answered without running")
  if (ends[0]?.startsWith("value") === true && ends[0] !== `value ${id}`)
    found.push(`got the answer of another: ${ends[0]}`)
  if (endedAt > due + SLACK_MS) found.push(`ended ${endedAt - due} ms after its deadline`)
  if (items.some((item, n) => item !== n + 1)) found.push(`got the items ${items.join(", ")}`)
  return found.map((mistake) => `call ${id} (${kind}) ${mistake}`)
}

test(
  "over a network that splits, loses, doubles and reorders, no call runs twice, and each ends once, by its deadline",
  async () => {
    const outcomes = new Map<string, number>()
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
      const calls = await seededCalls(seed)
      expect(calls.flatMap(mistakes), `seed ${seed}`).toEqual([])
      for (const { ends } of calls) {
        const outcome = ends[0]!.split(" ")[0]!
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      }
    }
    if (process.env["SEEDS"] !== undefined) console.log(outcomes)
    // The runs have come to every kind of end.
    for (const outcome of ["value", "timeout", "instance_gone", "stream_gap", "killed"])
      expect(outcomes.get(outcome) ?? 0, outcome).toBeGreaterThan(0)
  },
  120_000 + 10_000 * SEEDS,
)

import { expect, test } from "vitest"
import { seededCalls } from "./seeded-calls.ts"
import type { Breach } from "./seeded-services.ts"

/** `npm run simulate:services` runs more of them. */
const SEEDS = 60
const seeds = Array.from({ length: SEEDS }, (_, n) => n + 1)

test("over a network that splits, loses, doubles and reorders, no call runs twice, and each ends once, by its deadline", async () => {
  const outcomes = new Map<string, number>()
  for (const seed of seeds) {
    const { mistakes, seen } = await seededCalls(seed)
    expect(mistakes, `seed ${seed}`).toEqual([])
    for (const [outcome, count] of seen) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count)
  }
  // The runs have come to every kind of end.
  for (const outcome of ["value", "timeout", "instance_gone", "stream_gap", "killed"])
    expect(outcomes.get(outcome) ?? 0, outcome).toBeGreaterThan(0)
})

test("the same seed gives the same calls", async () => {
  expect(await seededCalls(3)).toEqual(await seededCalls(3))
})

/** Gives each call a number of its own, also one that came twice. */
let copies = 1_000_000
// The simulation must be able to fail. Each breach breaks one rule, and a few seeds must find it.
test.for<[rule: string, breach: Breach, mistake: RegExp]>([
  [
    "a receiver does not recognize a call that comes twice",
    (message) => (message["kind"] === "call" ? { ...message, n: (copies += 1) } : message),
    /ran twice on one of|ran on/,
  ],
  [
    "items of a stream are numbered as if none was lost",
    (() => {
      const next = new Map<unknown, number>()
      return (message) => {
        if (message["kind"] !== "item") return message
        const q = (next.get(message["n"]) ?? 0) + 1
        next.set(message["n"], q)
        return { ...message, q }
      }
    })(),
    /got the items/,
  ],
  [
    "an answer goes to another call",
    (message) => (message["kind"] === "value" ? { ...message, n: Number(message["n"]) + 1 } : message),
    /got the answer of another/,
  ],
])("a few seeds find that %s", async ([, breach, mistake]) => {
  const found: string[] = []
  for (let seed = 1; seed <= 10 && !mistake.test(found.join("\n")); seed += 1)
    found.push(...(await seededCalls(seed, { breach })).mistakes)
  expect(found.join("\n")).toMatch(mistake)
})

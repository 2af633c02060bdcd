import { os } from "@orpc/server"
import { beforeAll, describe, expect, test } from "vitest"
import { leastBy, powerOfTwo, type Route } from "../../src/services/index.ts"
import { loadOrpc } from "../../src/services/orpc.ts"
import { SeededServices } from "./seeded-services.ts"

beforeAll(async () => void (await loadOrpc()))

const NODES = 8
/** How old loads become: each instance tells its load once a heartbeat. In virtual ms. */
const HEARTBEAT_MS = 1_500
const HEARTBEATS = 4
/** How often each node calls. */
const CALL_EVERY_MS = 25
/** How many seeds are run; SEEDS=200 runs as many. */
const SEEDS = Number(process.env["SEEDS"] ?? 2)

/** What is called. */
interface Load {
  readonly instances: number
  /** How long a call runs. */
  readonly runMs: number
  /** Jobs of an instance that are not from these callers. */
  readonly otherJobs: (n: number) => number
}

/**
 * Lets 8 nodes call instances whose metas are one heartbeat old. Returns, for the calls of each heartbeat, how many the
 * busiest instance got relative to the mean.
 */
async function busiest(route: Route, seed: number, { instances, runMs, otherJobs }: Load): Promise<number[]> {
  const cluster = new SeededServices({ seed })
  const callers = Array.from({ length: NODES }, (_, n) => cluster.start(`node-${n}`))
  const served = callers.slice(0, instances).map(({ services, node }, n) => {
    const state = { running: 0, calls: 0 }
    const run = os.handler(async () => {
      state.running += 1
      state.calls += 1
      await new Promise<void>((resolve) => node.timers.set(resolve, runMs))
      state.running -= 1
    })
    const instance = services.serve("game", { run }, { meta: { jobs: 0 } })
    return { state, tellLoad: () => instance.update({ jobs: state.running + otherJobs(n) }) }
  })
  await cluster.run(3_000)
  const ratios: number[] = []
  for (let heartbeat = 0; heartbeat < HEARTBEATS; heartbeat += 1) {
    for (const { state, tellLoad } of served) {
      tellLoad()
      state.calls = 0
    }
    for (let ms = 0; ms < HEARTBEAT_MS; ms += CALL_EVERY_MS) {
      for (const { services } of callers) void services.call("game", "run", undefined, { route })
      await cluster.run(CALL_EVERY_MS)
    }
    const calls = served.map(({ state }) => state.calls)
    ratios.push(Math.max(...calls) / (calls.reduce((sum, one) => sum + one, 0) / instances))
  }
  return ratios
}

/** Returns the busiest instance of the worst heartbeat of all seeds. */
async function worst(route: Route, load: Load): Promise<number> {
  const ratios: number[] = []
  for (let seed = 1; seed <= SEEDS; seed += 1) ratios.push(...(await busiest(route, seed, load)))
  const highest = Math.max(...ratios)
  if (process.env["FIGURES"] !== undefined) console.log(expect.getState().currentTestName, highest)
  return highest
}

const none = (): number => 0
const jobs = ({ meta }: { meta: { jobs: number } }): number => meta.jobs

describe.each([
  ["8 instances", { instances: 8, runMs: 200, otherJobs: none }],
  ["8 instances with short calls and jobs of others", { instances: 8, runMs: 2, otherJobs: (n) => 10 * n }],
  ["8 instances with calls longer than a heartbeat", { instances: 8, runMs: 2_000, otherJobs: none }],
  ["3 instances", { instances: 3, runMs: 200, otherJobs: none }],
  ["2 instances", { instances: 2, runMs: 200, otherJobs: none }],
] as [string, Load][])("of 8 callers and %s, in the worst heartbeat", (_, load) => {
  test("powerOfTwo gives the busiest instance at most 1.5 × the mean", async () => {
    expect(await worst(powerOfTwo(), load)).toBeLessThanOrEqual(1.5)
  })

  test("powerOfTwo of loads that are a heartbeat old gives the busiest instance at most 1.5 × the mean", async () => {
    expect(await worst(powerOfTwo(jobs), load)).toBeLessThanOrEqual(1.5)
  })

  test("leastBy of these loads gives nearly all calls to one instance", async () => {
    expect(await worst(leastBy(jobs), load)).toBeGreaterThan(load.instances * 0.8)
  })
})

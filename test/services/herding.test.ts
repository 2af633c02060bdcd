import { os } from "@orpc/server"
import { beforeAll, expect, test } from "vitest"
import { leastBy, powerOfTwo, type Route } from "../../src/services/index.ts"
import { loadOrpc } from "../../src/services/orpc.ts"
import { SeededServices } from "./seeded-services.ts"

beforeAll(async () => void (await loadOrpc()))

const NODES = 8
/** How old loads become: each instance tells its load once a heartbeat. In virtual ms. */
const HEARTBEAT_MS = 1_500
const HEARTBEATS = 6
/** Each node calls so often, and a call runs so long. */
const CALL_EVERY_MS = 25
const RUN_MS = 200

/**
 * Lets 8 nodes call 8 instances whose metas are one heartbeat old. Returns, for the calls of each heartbeat, how many the
 * busiest instance got relative to the mean.
 */
async function busiest(route: Route): Promise<number[]> {
  const cluster = new SeededServices({ seed: 7 })
  const nodes = Array.from({ length: NODES }, (_, n) => {
    const { services, node } = cluster.start(`node-${n}`)
    const state = { running: 0, calls: 0 }
    const served = services.serve(
      "game",
      {
        run: os.handler(async () => {
          state.running += 1
          state.calls += 1
          await new Promise<void>((resolve) => node.timers.set(resolve, RUN_MS))
          state.running -= 1
        }),
      },
      { meta: { jobs: 0 } },
    )
    return { services, served, state }
  })
  await cluster.run(3_000)
  const ratios: number[] = []
  for (let heartbeat = 0; heartbeat < HEARTBEATS; heartbeat += 1) {
    for (const { served, state } of nodes) {
      served.update({ jobs: state.running })
      state.calls = 0
    }
    for (let ms = 0; ms < HEARTBEAT_MS; ms += CALL_EVERY_MS) {
      for (const { services } of nodes) void services.call("game", "run", undefined, { route })
      await cluster.run(CALL_EVERY_MS)
    }
    const calls = nodes.map(({ state }) => state.calls)
    ratios.push(Math.max(...calls) / (calls.reduce((sum, one) => sum + one, 0) / NODES))
  }
  return ratios
}

const mean = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0) / numbers.length

test("powerOfTwo gives no instance more than 1.5 × the mean of a heartbeat; leastBy gives nearly all calls to one", async () => {
  const own = await busiest(powerOfTwo())
  const withLoads = await busiest(powerOfTwo<{ jobs: number }>(({ meta }) => meta.jobs))
  const herding = await busiest(leastBy<{ jobs: number }>(({ meta }) => meta.jobs))
  if (process.env["FIGURES"] !== undefined) console.log({ own, withLoads, herding })
  expect(Math.max(...own)).toBeLessThanOrEqual(1.5)
  // Old loads are followed in part, so this is an average: in a single heartbeat it may be a little more.
  expect(mean(withLoads)).toBeLessThanOrEqual(1.5)
  expect(mean(herding)).toBeGreaterThan(3)
})

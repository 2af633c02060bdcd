import { medianRound, withSides } from "../contest.js"

/**
 * Measures the cost of broadcasts over two workers and their primary, next to one process in the same run.
 *
 * With one broadcast in flight, both write each message by itself, so the difference is the relay between the workers. With 16
 * in flight, one process gathers nearly all of them into one write per client, and each of two workers only half as many. That
 * difference comes from the pattern of the load, so it is reported without a target.
 */
export async function workers({ quick }) {
  const rows = []
  for (const subscribers of quick ? [1000] : [1000, 10_000]) {
    await withSides(["rollcall"], {}, ([one]) =>
      withSides(["rollcall"], { workers: 2 }, async ([several]) => {
        for (const side of [one, several]) await side.run("connect", { count: subscribers })
        for (const outstanding of [1, 16]) {
          const options = { outstanding, seconds: quick ? 1 : 3, bytes: 100 }
          /** @type {{ one: any[], several: any[] }} */
          const rounds = { one: [], several: [] }
          for (let round = 0; round < (quick ? 3 : 5); round += 1) {
            rounds.one.push(await one.run("fanOut", options))
            rounds.several.push(await several.run("fanOut", options))
          }
          const oneProcess = medianRound(rounds.one, ({ cost }) => cost.perCpuSecond)
          const { perSecond, cost } = medianRound(rounds.several, ({ cost }) => cost.perCpuSecond)
          const value = cost.perCpuSecond / oneProcess.cost.perCpuSecond
          const inFlight = outstanding === 1 ? "one broadcast" : `${outstanding} broadcasts`
          const title = `fan-out to ${subscribers} over two workers, ${inFlight} in flight: messages/server CPU-s`
          const figures = { rollcall: { value, perSecond, cost, oneProcess } }
          rows.push({ title, unit: "× one process", figures, ...(outstanding === 1 && { leastValue: 0.8 }) })
        }
      }),
    )
  }
  return rows
}

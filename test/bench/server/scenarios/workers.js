import { middle, withSides } from "../contest.js"

/**
 * What messages cost that go out over two workers and the primary between them, beside one process in the same run.
 *
 * With one shout under way both write each message by itself, so that what differs is the way between the workers. With
 * 16 under way one process gathers nearly all of them into one write to a client, and each of two workers half as many:
 * that is the pattern's doing, and is shown without being judged.
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
          const oneProcess = middle(rounds.one, ({ cost }) => cost.perCpuSecond)
          const { perSecond, cost } = middle(rounds.several, ({ cost }) => cost.perCpuSecond)
          const value = cost.perCpuSecond / oneProcess.cost.perCpuSecond
          const underWay = outstanding === 1 ? "one shout" : `${outstanding} shouts`
          const title = `fan-out to ${subscribers} over two workers, ${underWay} under way: messages/server CPU-s`
          const figures = { rollcall: { value, perSecond, cost, oneProcess } }
          rows.push({ title, unit: "× one process", figures, ...(outstanding === 1 && { leastValue: 0.8 }) })
        }
      }),
    )
  }
  return rows
}

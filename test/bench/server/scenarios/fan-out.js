import { interleaved, medianRound, SERVERS, withSides } from "../contest.js"

/** Measures broadcasts to a room: messages delivered per second, with one broadcast in flight and with 16. */
export async function fanOut({ quick }) {
  const rows = []
  for (const subscribers of quick ? [1000] : [1000, 10_000]) {
    await withSides(SERVERS, {}, async (sides) => {
      for (const side of sides) await side.run("connect", { count: subscribers })
      for (const outstanding of [1, 16]) {
        const options = { outstanding, seconds: quick ? 1 : 3, bytes: 100 }
        const results = await interleaved(sides, quick ? 3 : 5, (side) => side.run("fanOut", options))
        const figures = {}
        for (const [name, rounds] of Object.entries(results)) {
          const { perSecond, ...rest } = medianRound(rounds, (round) => round.perSecond)
          figures[name] = { value: perSecond, ...rest }
        }
        const title = `fan-out to ${subscribers}, ${outstanding === 1 ? "one broadcast" : `${outstanding} broadcasts`} in flight`
        rows.push({ title, unit: "messages/s", figures, least: 0.95 })
      }
    })
  }
  return rows
}

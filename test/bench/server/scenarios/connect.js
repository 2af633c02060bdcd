import { medianRound, SERVERS, withSides } from "../contest.js"

/** Measures the time from the first connection until the last client has joined; for ws, until its first echo. In seconds. */
export async function connect({ quick }) {
  const count = quick ? 2000 : 10_000
  /** @type {Record<string, any[]>} */
  const rounds = Object.fromEntries(SERVERS.map((name) => [name, []]))
  for (let round = 0; round < 3; round += 1) {
    for (const name of SERVERS) {
      const result = await withSides([name], {}, ([side]) => side.run("connect", { count, rooms: 100, inFlight: 128 }))
      rounds[name].push(result)
    }
  }
  const figures = {}
  for (const name of SERVERS) {
    const { seconds, ...rest } = medianRound(rounds[name], (round) => round.seconds)
    figures[name] = { value: seconds, ...rest }
  }
  return [{ title: `${count} connect and join`, unit: "s", figures, mostRatio: 1.3 }]
}

import { middle, SERVERS, withSides } from "../contest.js"

/** From the first connection to the last one's joined room, in seconds; on the floor to its first answered message. */
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
    const { seconds, ...rest } = middle(rounds[name], (round) => round.seconds)
    figures[name] = { value: seconds, ...rest }
  }
  return [{ title: `${count} connect and join`, unit: "s", figures, mostRatio: 1.3 }]
}

import { medianRound, SERVERS, withSides } from "../contest.js"

/**
 * Measures the time from the first connection until the last client has joined; for ws, until its first echo. In seconds.
 *
 * A new process compiles its code while the first thousands of clients connect, and we have more of it. So there are two rows: the
 * first clients of a new process, and as many again.
 */
export async function connect({ quick }) {
  const count = quick ? 2000 : 5000
  const phases = ["a new server", "after as many others"]
  const rounds = phases.map(() => Object.fromEntries(SERVERS.map((name) => [name, /** @type {any[]} */ ([])])))
  for (let round = 0; round < 5; round += 1) {
    for (const name of SERVERS) {
      await withSides([name], {}, async ([side]) => {
        for (const phase of rounds) phase[name].push(await side.run("connect", { count, rooms: 100, inFlight: 128 }))
      })
    }
  }
  return phases.flatMap((phase, index) => {
    const median = (figure) =>
      Object.fromEntries(SERVERS.map((name) => [name, medianRound(rounds[index][name], figure)]))
    const seconds = Object.entries(median((round) => round.seconds)).map(([name, { seconds, ...rest }]) => {
      return [name, { value: seconds, ...rest }]
    })
    const processor = Object.entries(median((round) => round.cost.server)).map(([name, { cost }]) => {
      return [name, { value: (cost.server / count) * 1e6, cost }]
    })
    return [
      { title: `${count} connect and join: ${phase}`, unit: "s", figures: Object.fromEntries(seconds), mostRatio: 1.3 },
      { title: `the same, CPU of the server for each`, unit: "µs", figures: Object.fromEntries(processor) },
    ]
  })
}

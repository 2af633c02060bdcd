import { inTurns, middle, SERVERS, withSides } from "../contest.js"

/** A message and its answer: how many in a second when 50 clients do nothing else, and how long one takes when there is time. */
export async function echo({ quick }) {
  return withSides(SERVERS, {}, async (sides) => {
    for (const side of sides) await side.run("connect", { count: 50 })
    const rounds = quick ? 3 : 5
    const rates = await inTurns(sides, rounds, (side) => side.run("echo", { seconds: quick ? 1 : 3 }))
    const paces = await inTurns(sides, rounds, (side) => side.run("pace", { rate: 200, seconds: quick ? 2 : 5 }))
    const busy = {}
    const calm = {}
    for (const name of SERVERS) {
      const { perSecond, ...rest } = middle(rates[name], (round) => round.perSecond)
      busy[name] = { value: perSecond, ...rest }
      const { p99, ...others } = middle(paces[name], (round) => round.p99)
      calm[name] = { value: p99, ...others }
    }
    return [
      { title: "echo, 50 connections, closed loop", unit: "echoes/s", figures: busy, least: 0.8 },
      { title: "echo, 200 a second over 50 connections, p99", unit: "ms", figures: calm, mostRatio: 1.5 },
    ]
  })
}

import { interleaved, medianRound, SERVERS, withSides } from "../contest.js"

/**
 * Measures echoes: how many per second 50 clients can get in a closed loop, the CPU time of the server for each, and the latency at a
 * low rate. Before, each server has answered for a while, so that its code is compiled.
 */
export async function echo({ quick }) {
  return withSides(SERVERS, {}, async (sides) => {
    for (const side of sides) {
      await side.run("connect", { count: 50 })
      await side.run("echo", { seconds: 2 })
    }
    const rounds = quick ? 3 : 5
    const rates = await interleaved(sides, rounds, (side) => side.run("echo", { seconds: quick ? 1 : 3 }))
    const paces = await interleaved(sides, rounds, (side) => side.run("pace", { rate: 200, seconds: quick ? 2 : 5 }))
    const throughput = {}
    const processor = {}
    const latency = {}
    for (const name of SERVERS) {
      const { perSecond, ...rest } = medianRound(rates[name], (round) => round.perSecond)
      throughput[name] = { value: perSecond, ...rest }
      const { cost } = medianRound(rates[name], (round) => round.cost.perCpuSecond)
      processor[name] = { value: 1e6 / cost.perCpuSecond, cost }
      const { p99, ...others } = medianRound(paces[name], (round) => round.p99)
      latency[name] = { value: p99, ...others }
    }
    return [
      { title: "echo, 50 connections, closed loop", unit: "echoes/s", figures: throughput, least: 0.9 },
      { title: "echo, CPU of the server", unit: "µs", figures: processor, mostRatio: 1.2 },
      { title: "echo, 200 a second over 50 connections, p99", unit: "ms", figures: latency, mostRatio: 1.3 },
    ]
  })
}

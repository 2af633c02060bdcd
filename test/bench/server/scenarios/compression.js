import { medianRound, withSides } from "../contest.js"

/**
 * A join storm into one room, and echo, without and with the option `compression`: the CPU seconds of the server, and what it sent. The
 * clients of the storm are those of `ws`, which offer to compress. Those of the echo send a frame that was compressed before: if
 * they compressed each one, the server would get fewer of them, and pay for a wake-up for each.
 */
export async function compression({ quick }) {
  const people = quick ? 500 : 2000
  const rows = []
  for (const isOn of [false, true]) {
    const name = isOn ? "compressed" : "as it is"
    await withSides(["rollcall"], { compression: isOn }, async ([side]) => {
      await side.run("offering", { count: people })
      const before = await side.serve("counters")
      const { cost } = await side.run("offeredStorm")
      const after = await side.serve("counters")
      const megabytes = (after.bytes_out - (before.bytes_out ?? 0)) / 1e6
      rows.push(
        {
          title: `join storm of ${people}, ${name}: sent`,
          unit: "MB",
          figures: { rollcall: { value: megabytes, cost } },
        },
        {
          title: `join storm of ${people}, ${name}`,
          unit: "CPU-s",
          figures: { rollcall: { value: cost.server, cost } },
        },
      )
    })
  }
  return [...rows, ...(await echoes(quick)), ...(await idle(quick))]
}

/** Measures the memory of idle connections that have joined one of 100 rooms, over TCP and TLS. */
async function idle(quick) {
  const rows = []
  for (const isSecure of [false, true]) {
    for (const compression of [false, true]) {
      await withSides(["rollcall"], { compression, isSecure }, async ([side]) => {
        const count = quick || isSecure ? 2000 : 10_000
        const before = await side.memory()
        const { cost } = await side.run("connect", { count, rooms: 100, offers: compression, isSecure })
        const after = await side.memory()
        const title = `idle, ${isSecure ? "TLS" : "TCP"}, ${compression ? "compressing" : "as it is"}: ${count} connections`
        const value = (after.rss - before.rss) / count / 1000
        rows.push({ title, unit: "kB RSS each", figures: { rollcall: { value, cost } } })
      })
    }
  }
  return rows
}

/** Measures echoes in a closed loop, without and with the option. */
async function echoes(quick) {
  const costs = []
  for (const isCompressed of [false, true]) {
    costs.push(
      await withSides(["rollcall"], { compression: isCompressed }, async ([side]) => {
        await side.run("connect", { count: 50, offers: isCompressed })
        const rounds = []
        for (let round = 0; round < (quick ? 3 : 5); round += 1)
          rounds.push(await side.run("echo", { seconds: quick ? 1 : 3, isCompressed }))
        return medianRound(rounds, ({ cost }) => 1 / cost.perCpuSecond)
      }),
    )
  }
  return costs.map(({ cost, messages }, i) => ({
    title: `echo, ${i === 0 ? "as it is" : "compressed by the client"}: server CPU for a message`,
    unit: "µs",
    figures: { rollcall: { value: 1e6 / cost.perCpuSecond, messages, cost } },
  }))
}

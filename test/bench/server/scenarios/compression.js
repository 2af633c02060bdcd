import { withSides } from "../contest.js"

/**
 * A join storm into one room, and echo, without and with the option `compression`: the CPU seconds of the server, and what it sent. The
 * clients are those of `ws`, which offer to compress.
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
    await withSides(["rollcall"], { compression: isOn }, async ([side]) => {
      await side.run("offering", { count: 50 })
      const { cost, messages } = await side.run("offeredEcho", { seconds: quick ? 2 : 5 })
      const value = (cost.server / messages) * 1e6
      const title = `echo, ${name}: server CPU for a message`
      rows.push({ title, unit: "µs", figures: { rollcall: { value, messages, cost } } })
    })
  }
  return rows
}

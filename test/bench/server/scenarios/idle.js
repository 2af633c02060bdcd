import { SERVERS, withSides } from "../contest.js"

/**
 * Measures the server's memory for each idle connection that has joined one of 100 rooms. It includes memory that a server
 * allocates once. So the figure is close to the cost of one connection only if there are many.
 */
export async function idle({ quick }) {
  const count = quick ? 4000 : 18_000
  const rows = []
  /** @type {[title: string, prefix: string, target: number, names: string[]][]} */
  const kinds = [
    ["idle, joined", "room:", 10, SERVERS],
    ["idle, with a presence", "people:", 14, ["rollcall"]],
  ]
  for (const [title, prefix, target, names] of kinds) {
    const figures = {}
    for (const name of names) {
      await withSides([name], {}, async ([side]) => {
        const before = await side.memory()
        const { cost } = await side.run("connect", { count, prefix, rooms: 100 })
        const after = await side.memory()
        const each = (part) => (after[part] - before[part]) / count / 1000
        figures[name] = { value: each("rss"), heap: each("heap"), external: each("external"), cost }
      })
    }
    rows.push({
      title: `${title}: ${count} connections`,
      unit: "kB RSS each",
      figures,
      ...(quick ? {} : { most: target }),
    })
  }
  return rows
}

/** Holds connections to six servers at once for a minute, with heartbeats. Each server has a load process of its own. */
export async function hold() {
  const each = 16_667
  return withSides(
    Array.from({ length: 6 }, () => "rollcall"),
    {},
    async (sides) => {
      const before = await Promise.all(sides.map((side) => side.memory()))
      await Promise.all(sides.map((side) => side.run("connect", { count: each, rooms: 100, inFlight: 16 })))
      const held = await Promise.all(sides.map((side) => side.run("hold", { seconds: 60, everyMs: 30_000 })))
      const after = await Promise.all(sides.map((side) => side.memory()))
      const grown = after.reduce((sum, { rss }, index) => sum + rss - before[index].rss, 0)
      const answered = held.reduce((sum, { messages }) => sum + messages, 0)
      const expected = each * 6 * 2
      const title = `six servers, ${each * 6} connections held 60 s, ${answered} of ${expected} heartbeats answered`
      const cost = held.map((result) => result.cost).reduce(added)
      return [
        { title, unit: "kB RSS each", figures: { rollcall: { value: grown / (each * 6) / 1000, cost } }, most: 10 },
      ]
    },
  )
}

const added = (a, b) => ({
  seconds: Math.max(a.seconds, b.seconds),
  server: a.server + b.server,
  generator: a.generator + b.generator,
  perCpuSecond: (a.perCpuSecond * a.server + b.perCpuSecond * b.server) / (a.server + b.server),
})

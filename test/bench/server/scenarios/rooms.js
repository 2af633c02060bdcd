import { withSides } from "../contest.js"

const RATE = 20
const SECONDS = 20

/**
 * One room with many users, of whom 20 join and 20 leave in a second: the cores that the server uses, with windows of one second, with
 * `growingWindow()`, and when all clients ask for counts. Those who join get the state of the whole room.
 */
export async function bigRoom({ quick }) {
  const people = quick ? 3000 : 18_000
  const moving = 200
  const rows = []
  for (const [title, options, counts, most] of [
    ["window of 1 s", { presenceWindowMs: 1000 }, false, undefined],
    ["growingWindow()", { isGrowing: true }, false, 1],
    ["counts", { isGrowing: true }, true, 0.1],
  ]) {
    await withSides(["rollcall"], options, async ([side]) => {
      const topic = "big:0"
      await side.serve("fill", { topic, count: people })
      await side.run("connect", { count: people + moving, rooms: 0, query: "&client=rollcall/1" })
      await side.run("watch", { topic, watchers: people, counts })
      const { cost, ...result } = await side.run("move", {
        topic,
        watchers: people,
        counts,
        rate: RATE,
        seconds: SECONDS,
      })
      const cores = cost.server / cost.seconds
      const name = `room of ${people}, ${RATE} joins and leaves a second, ${title}: cores`
      rows.push({ title: name, unit: "cores", figures: { rollcall: { value: cores, ...result, cost } }, most })
    })
  }
  return rows
}

/** Many rooms of five users: the server's CPU for one join and one leave, and the time until another client sees the join. */
export async function smallRooms({ quick }) {
  const rooms = quick ? 2000 : 20_000
  const [rate, seconds] = [200, 10]
  return withSides(["rollcall"], {}, async ([side]) => {
    await side.serve("fillRooms", { rooms })
    await side.run("connect", { count: 1000, rooms: 0 })
    const { p50, cost, ...result } = await side.run("visit", { rate, seconds })
    const title = `${rooms} rooms of 5`
    return [
      {
        title: `${title}: server CPU for a join and a leave`,
        unit: "ms",
        figures: { rollcall: { value: (cost.server * 1000) / (rate * seconds), ...result, cost } },
      },
      {
        title: `${title}: until a join is seen, p50`,
        unit: "ms",
        figures: { rollcall: { value: p50, ...result, cost } },
      },
    ]
  })
}

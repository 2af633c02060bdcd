import { withSides } from "../contest.js"

/** All clients are connected and join at once: the time until the last one has the whole of its room, in seconds. */
export async function storm({ quick }) {
  const storms = [
    { people: 1000, rooms: 1, most: 1 },
    { people: 2000, rooms: 1, most: 3 },
    { people: 5000, rooms: 1, most: 15 },
    { people: 10_000, rooms: 100, most: 5 },
  ]
  const rows = []
  for (const { people, rooms, most } of quick ? storms.slice(0, 2) : storms) {
    await withSides(["rollcall"], {}, async ([side]) => {
      await side.run("connect", { count: people, rooms: 0 })
      const { complete, failed, ...result } = await side.run("storm", { rooms, timeoutMs: 60_000 })
      if (complete < people || failed > 0) {
        throw new Error(
          `join storm: expected ${people} clients to get their whole room, got ${complete}, and ${failed} failures`,
        )
      }
      const title = `join storm: ${people} people, ${rooms === 1 ? "one room" : `${rooms} rooms`}`
      rows.push({ title, unit: "s", figures: { rollcall: { value: result.seconds, ...result } }, most })
    })
  }
  return rows
}

import { withSides } from "../contest.js"

/**
 * A thousand people in a room, of whom a thousand a second change what they show: how long until the others see it. Fails
 * when somebody has not seen a change.
 */
export async function updates({ quick }) {
  const [people, rate] = quick ? [300, 300] : [1000, 1000]
  const rows = []
  for (const presenceWindowMs of [0, 50]) {
    await withSides(["rollcall"], { presenceWindowMs }, async ([side]) => {
      await side.run("connect", { count: people, prefix: "people:" })
      const { p99, ...result } = await side.run("updates", { rate, seconds: quick ? 3 : 10 })
      const title = `${rate} presence updates a second seen by ${people}, window ${presenceWindowMs} ms, p99`
      const wanted = rate * (quick ? 3 : 10) * people
      if (result.count < wanted) {
        throw new Error(`updates, window ${presenceWindowMs} ms: ${result.count} of ${wanted} changes were seen`)
      }
      rows.push({ title, unit: "ms", figures: { rollcall: { value: p99, ...result } } })
    })
  }
  return rows
}

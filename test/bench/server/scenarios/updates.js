import { withSides } from "../contest.js"

/**
 * Lets a thousand clients in one room make a thousand presence updates per second, and measures the time until the others
 * receive them. Fails if a client has missed an update.
 */
export async function updates({ quick }) {
  const [clients, rate] = quick ? [300, 300] : [1000, 1000]
  const rows = []
  for (const presenceWindowMs of [0, 50]) {
    await withSides(["rollcall"], { presenceWindowMs }, async ([side]) => {
      await side.run("connect", { count: clients, prefix: "people:" })
      const { p99, ...result } = await side.run("updates", { rate, seconds: quick ? 3 : 10 })
      const title = `${rate} presence updates a second received by ${clients}, window ${presenceWindowMs} ms, p99`
      const expected = rate * (quick ? 3 : 10) * clients
      if (result.count < expected) {
        throw new Error(
          `updates, window ${presenceWindowMs} ms: expected ${expected} received updates, got ${result.count}`,
        )
      }
      rows.push({ title, unit: "ms", figures: { rollcall: { value: p99, ...result } } })
    })
  }
  return rows
}

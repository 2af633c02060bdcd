import { expect, test } from "vitest"
import { farewell } from "../../src/services/farewell.ts"
import type { Instance } from "../../src/services/instance-row.ts"
import { SeededNetwork } from "../../src/testing/seeded-network.ts"

const others = ["b", "c"].map((id): Instance => ({ id, node: id, since: 0, meta: {}, weight: 1, draining: false }))

/** Starts a farewell, and returns what shows when it is over. */
function leaving(leave: (instance: string) => Promise<unknown>, isThere: (instance: Instance) => boolean = () => true) {
  const network = new SeededNetwork({ seed: 1 })
  const state = { isOver: false }
  void farewell({ timers: network.node("a").timers, others, isThere, leave }).then(() => (state.isOver = true))
  return { network, state }
}

test("a node leaves once all others need it no more", async () => {
  let left = 3
  const { network, state } = leaving(async (name) => name === "b" || (left -= 1) < 0)
  await network.run(50)
  expect(state.isOver).toBe(false)
  await network.run(20)
  expect(state.isOver).toBe(true)
})

test("it does not wait for a node that is gone, and for one that never agrees 2 s at most", async () => {
  const gone = leaving(
    () => Promise.reject(new Error("gone")),
    () => false,
  )
  await gone.network.run(0)
  expect(gone.state.isOver).toBe(true)
  const { network, state } = leaving(async () => false)
  await network.run(1_990)
  expect(state.isOver).toBe(false)
  await network.run(50)
  expect(state.isOver).toBe(true)
})

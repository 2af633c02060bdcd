import { expect, test } from "vitest"
import { farewell } from "../../src/services/farewell.ts"
import type { Instance } from "../../src/services/instance-row.ts"
import { SeededNetwork } from "../../src/testing/seeded-network.ts"

const instance = (id: string, run = 1): Instance => ({
  id,
  node: id,
  since: 0,
  meta: { run },
  weight: 1,
  draining: false,
})

/** Starts a farewell, and returns what shows when it is over. */
function leaving(
  leave: (instance: string) => Promise<unknown>,
  others: () => readonly Instance[] = () => ["b", "c"].map((id) => instance(id)),
) {
  const network = new SeededNetwork({ seed: 1 })
  const state = { isOver: false }
  void farewell({ timers: network.node("a").timers, others, leave }).then(() => (state.isOver = true))
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

test("it also asks nodes that come or are restarted meanwhile", async () => {
  const nodes = [instance("b"), instance("c")]
  const asked: string[] = []
  const { network, state } = leaving(
    async (name) => {
      asked.push(name)
      if (asked.length === 2) nodes.splice(0, 2, instance("b", 2), instance("c"), instance("d"))
      return true
    },
    () => nodes,
  )
  await network.run(100)
  expect(state.isOver).toBe(true)
  expect(asked).toEqual(["b", "c", "b", "d"])
})

test("it does not wait for a node that is gone, and for one that never agrees 2 s at most", async () => {
  const names = ["b", "c"]
  const gone = leaving(
    async (name) => {
      names.splice(names.indexOf(name), 1)
      throw new Error("gone")
    },
    () => names.map((name) => instance(name)),
  )
  await gone.network.run(0)
  expect(gone.state.isOver).toBe(true)
  const { network, state } = leaving(async () => false)
  await network.run(1_990)
  expect(state.isOver).toBe(false)
  await network.run(50)
  expect(state.isOver).toBe(true)
})

import { expect, test } from "vitest"
import { HeldCalls } from "../../src/services/held-calls.ts"
import type { Instance } from "../../src/services/instance-row.ts"
import { PlacedCalls } from "../../src/services/placed-calls.ts"
import { SeededNetwork } from "../../src/testing/seeded-network.ts"

const instance = (id: string): Instance => ({ id, node: id, since: 0, meta: {}, weight: 1, draining: false })

test("a call does not go to an instance that has been told that it is needed no more, although the owner still names it", async () => {
  const network = new SeededNetwork({ seed: 1 })
  const { timers } = network.node("a")
  const members = ["leaving", "owner"].map(instance)
  const requests: string[] = []
  let answers = 0
  const calls = new PlacedCalls({
    kind: "session",
    self: "caller",
    timers,
    random: () => 0.5,
    held: new HeldCalls(timers, 10),
    instances: () => members,
    find: () => undefined,
    async call(request, input, { route }) {
      const to = route?.(members, { random: () => 0.5 } as never) as Instance
      requests.push(`${request} at ${to.id}`)
      if (request !== "ensure") return "answer"
      // The owner learns of the move between its two answers.
      const id = (answers += 1) === 1 ? "leaving" : "owner"
      return { ...input, node: id, instance: id, created: false }
    },
    hasLeft: (id) => id === "leaving",
    located: () => undefined,
    stopped: () => undefined,
  })
  const result = calls.call("ada", "add", 1)
  await network.run(1_000)
  expect(await result).toBe("answer")
  expect(requests.map((request) => request.split(" at ")[0])).toEqual(["ensure", "ensure", "invoke"])
  expect(requests.at(-1)).toBe("invoke at owner")
})

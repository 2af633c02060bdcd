import { expect, test } from "vitest"
import { Membership } from "../../src/tracker/membership.ts"

const TIMEOUTS = { downPeriodMs: 100, permdownPeriodMs: 10_000 }
const ref = (node: string): string => `${node}0123456789`

/** Returns a membership of at most three nodes, with heartbeats of "a" at 0, "b" at 10 and "c" at 20. */
function full(): Membership {
  const membership = new Membership(TIMEOUTS, 3)
  for (const [i, node] of ["a", "b", "c"].entries()) membership.heartbeat(ref(node), i * 10)
  return membership
}

test("a new node is refused if the maximum number of nodes are up", () => {
  const membership = full()
  expect(membership.heartbeat(ref("d"), 30)).toEqual({ effect: "crowded", changes: [] })
  expect(membership.heartbeat(ref("a"), 30)).toEqual({ effect: "known", changes: [] })
})

test("a new node takes the place of the node that has been down for longest, whose ref is then stale", () => {
  const membership = full()
  membership.checkTimeouts(115)
  expect(membership.nodes(115).map(({ node, status }) => `${node} ${status}`)).toEqual(["a down", "b down", "c up"])
  expect(membership.heartbeat(ref("d"), 115)).toEqual({
    effect: "appeared",
    changes: [
      { ref: ref("a"), to: "permdown" },
      { ref: ref("d"), to: "up" },
    ],
  })
  expect(membership.heartbeat(ref("a"), 116).effect).toBe("stale")
  expect(membership.nodes(116).map(({ node }) => node)).toEqual(["b", "c", "d"])
})

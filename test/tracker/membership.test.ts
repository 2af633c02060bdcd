import { expect, test } from "vitest"
import { Membership } from "../../src/tracker/membership.ts"

const TIMEOUTS = { downPeriodMs: 100, permdownPeriodMs: 10_000 }
const ref = (node: string): string => `${node}0123456789`

/** A membership of at most three, which has heard of "a" at 0, "b" at 10 and "c" at 20. */
function full(): Membership {
  const membership = new Membership(TIMEOUTS, 3)
  for (const [i, node] of ["a", "b", "c"].entries()) membership.heartbeat(ref(node), i * 10)
  return membership
}

test("where all places are held by nodes that are up, a new one is refused", () => {
  const membership = full()
  expect(membership.heartbeat(ref("d"), 30)).toEqual({ effect: "crowded", changes: [] })
  expect(membership.heartbeat(ref("a"), 30)).toEqual({ effect: "known", changes: [] })
})

test("where some are held by nodes that are down, the longest silent of them makes room, and is over", () => {
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

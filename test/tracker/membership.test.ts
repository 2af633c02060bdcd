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

test("a node that restarts again and again keeps the rows of its latest refs only", () => {
  const membership = new Membership(TIMEOUTS, 3)
  const refs = Array.from({ length: 8 }, (_, i) => `a000000000${i}`)
  const dropped = refs.flatMap((ref, i) => membership.heartbeat(ref, i, undefined, 5).changes)
  expect(dropped.filter(({ to }) => to === "permdown").map(({ ref }) => ref)).toEqual(refs.slice(0, 3))
  expect(membership.replicasInSet().map(({ ref }) => ref)).toEqual([refs[7], ...refs.slice(3, 7)])
  expect(membership.stateArrived((ref) => (ref === refs[7] ? 5 : undefined)).map(({ ref }) => ref)).toEqual(
    refs.slice(3, 7),
  )
})

test("the rows of a replaced ref are dropped at once when the bus reports the end of the node, and by a goodbye of either ref", () => {
  const [old, current] = ["a0000000000", "a0000000001"]
  const replaced = (): Membership => {
    const membership = new Membership(TIMEOUTS)
    membership.heartbeat(old, 0)
    expect(membership.heartbeat(current, 1, old, 5).changes).toEqual([{ ref: current, to: "up" }])
    return membership
  }
  const down = { ref: current, to: "down" }
  const [oldEnds, currentEnds] = [old, current].map((ref) => ({ ref, to: "permdown" }))
  expect(replaced().nodeDown("a")).toEqual([down, oldEnds])
  expect(replaced().goodbye(old, 2)).toEqual([oldEnds])
  expect(replaced().goodbye(current, 2)).toEqual([currentEnds, oldEnds])
  expect(replaced().checkTimeouts(100)).toEqual([])
  expect(replaced().nextDeadline()).toBe(101)
  expect(replaced().checkTimeouts(101)).toEqual([oldEnds, down])
})

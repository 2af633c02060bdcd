import { beforeEach, describe, expect, it } from "vitest"
import { Incarnation } from "../../src/tracker/incarnation.ts"

const DOWN_PERIOD_MS = 100

let own: { ref: string; clock: number }
let restarts: number
let errors: unknown[]
let counts: string[]
let incarnation: Incarnation

beforeEach(() => {
  own = { ref: "a-ref-000000", clock: 3 }
  restarts = 0
  errors = []
  counts = []
  incarnation = new Incarnation({
    node: "a",
    own,
    downPeriodMs: DOWN_PERIOD_MS,
    count: (name) => void counts.push(name),
    onError: (error) => void errors.push(error),
    restart: () => {
      restarts += 1
      own.ref = `a-ref-${String(restarts).padStart(6, "0")}`
    },
  })
})

/** Delivers a notice that the current ref is stale. */
function notice(now: number, currentRef?: string): void {
  incarnation.receivedStaleRefNotice(
    { type: "staleRefNotice", ref: "b0000000000", shards: 1, staleRef: own.ref, currentRef },
    now,
  )
}

describe("a stale-ref notice", () => {
  it("causes a restart, after which the stale ref is the previous one", () => {
    expect(incarnation.previousRef).toBeUndefined()
    notice(0)
    expect([restarts, own.ref, incarnation.previousRef]).toEqual([1, "a-ref-000001", "a-ref-000000"])
  })

  it("about another ref than the current one is ignored", () => {
    const sender = { ref: "b0000000000", shards: 1 }
    const late = { type: "staleRefNotice", ...sender, staleRef: "a-ref-999999", currentRef: undefined } as const
    incarnation.receivedStaleRefNotice(late, 0)
    expect(restarts).toBe(0)
  })

  it("that keeps naming another current ref for a down period is a name conflict, and causes no more restarts", () => {
    for (let now = 0; now <= DOWN_PERIOD_MS; now += 50) notice(now, "a-other-0000")
    expect([restarts, errors]).toEqual([3, []])
    for (let now = 150; now <= 400; now += 50) notice(now, "a-other-0000")
    expect(restarts).toBe(3)
    expect(errors).toMatchObject([{ code: "name_conflict", message: expect.stringContaining('got two named "a"') }])
    expect(counts).toEqual(["tracker_name_conflicts"])
  })

  it("causes a restart again after a pause of more than a down period", () => {
    for (let now = 0; now <= 200; now += 50) notice(now, "a-other-0000")
    expect([restarts, errors.length]).toEqual([3, 1])
    notice(200 + DOWN_PERIOD_MS + 1, "a-other-0000")
    expect(restarts).toBe(4)
  })
})

describe("the clocks of another node", () => {
  it("cause a restart only if they are ahead of the own clock", () => {
    incarnation.receivedClocks(new Map([[own.ref, 3]]), 0)
    incarnation.receivedClocks(new Map([["b0000000000", 99]]), 0)
    expect([restarts, counts]).toEqual([0, []])
    incarnation.receivedClocks(new Map([[own.ref, 4]]), 0)
    expect([restarts, counts]).toEqual([1, ["tracker_overtaken"]])
  })

  it("that stay ahead cause one restart per down period at most", () => {
    for (let now = 0; now <= DOWN_PERIOD_MS; now += 10) incarnation.receivedClocks(new Map([[own.ref, 99]]), now)
    expect(restarts).toBe(1)
    incarnation.receivedClocks(new Map([[own.ref, 99]]), DOWN_PERIOD_MS + 1)
    expect(restarts).toBe(2)
    expect(counts).toHaveLength(12)
  })
})

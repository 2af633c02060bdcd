import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { ChosenInstances } from "../../src/services/chosen-instances.ts"
import {
  byKey,
  compare,
  createServices,
  leastBy,
  node,
  powerOfTwo,
  preferLocal,
  random,
  roundRobin,
  where,
  zone,
  type Instance,
  type Route,
  type RouteContext,
} from "../../src/services/index.ts"
import { Registry } from "../../src/services/registry.ts"
import { mulberry32 } from "../../src/testing/prng.ts"
import { createTracker } from "../../src/tracker/tracker.ts"

const instance = (id: string, more: Partial<Instance> = {}): Instance => ({
  id,
  node: id.split("@")[1] ?? "a",
  since: 0,
  meta: {},
  weight: 1,
  draining: false,
  ...more,
})
const instances = (count: number, more: (n: number) => Partial<Instance> = () => ({})): Instance[] =>
  Array.from({ length: count }, (_, n) => instance(`game#${n}@node-${n}`, more(n)))

/** A node that calls: it counts calls in flight, and remembers when it called an instance last. */
function caller(seed = 1, more: Partial<RouteContext> = {}) {
  const inFlight = new Map<string, number>()
  const lastCalled = new Map<string, number>()
  let calls = 0
  const context: RouteContext = {
    service: "game",
    method: "spawn",
    input: undefined,
    node: "a",
    random: mulberry32(seed),
    inFlight: ({ id }) => inFlight.get(id) ?? 0,
    lastCalled: ({ id }) => lastCalled.get(id) ?? 0,
    ...more,
  }
  const call = (route: Route, list: readonly Instance[]): Instance => {
    const chosen = route(list, context)
    lastCalled.set(chosen.id, (calls += 1))
    return chosen
  }
  return { context, inFlight, call }
}

/** How often each instance is chosen for `count` calls. */
function tally(count: number, choose: (n: number) => Instance): Map<string, number> {
  const counts = new Map<string, number>()
  for (let n = 0; n < count; n += 1) {
    const { id } = choose(n)
    counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  return counts
}

const KEYS = 100_000
const ids = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 2, maxLength: 20 })
const weights = fc.double({ min: 0.1, max: 10, noNaN: true })

describe("byKey", () => {
  test("chooses the same owner on every node, in whatever order it has the list", () => {
    fc.assert(
      fc.property(
        ids,
        fc.array(weights, { minLength: 20, maxLength: 20 }),
        fc.string(),
        fc.nat(),
        (ids, w, key, seed) => {
          const list = ids.map((id, n) => instance(id, { weight: w[n]! }))
          const order = mulberry32(seed)
          const shuffled = list.map((one) => [order(), { ...one }] as const).sort(([one], [other]) => one - other)
          const [here, there] = [list, shuffled.map(([, one]) => one)].map((list) => byKey(key)(list, caller().context))
          expect(there).toEqual(here)
        },
      ),
    )
  })

  test("moves only the keys of an instance that leaves, and gives only a newcomer keys of the others", () => {
    fc.assert(
      fc.property(ids, fc.nat(), fc.array(fc.string(), { minLength: 50, maxLength: 50 }), (ids, leaver, keys) => {
        const list = ids.map((id, n) => instance(id, { weight: 1 + (n % 3) }))
        const gone = list[leaver % list.length]!
        const rest = list.filter((one) => one !== gone)
        for (const key of keys) {
          const before = byKey(key)(list, caller().context)
          if (before !== gone) expect(byKey(key)(rest, caller().context)).toBe(before)
        }
      }),
    )
  })

  test("moves one n-th of the keys when one of n equal instances leaves", () => {
    const list = instances(10)
    const owned = tally(KEYS, (n) => byKey(`user-${n}`)(list, caller().context))
    for (const count of owned.values()) expect(Math.abs(count / (KEYS / 10) - 1)).toBeLessThan(0.02)
  })

  test("honours weights within 2 %", () => {
    const shares = [1, 2, 3, 4]
    const list = instances(4, (n) => ({ weight: shares[n]! }))
    const owned = tally(4 * KEYS, (n) => byKey(`user-${n}`)(list, caller().context))
    for (const [n, { id }] of list.entries()) {
      expect(Math.abs(owned.get(id)! / ((4 * KEYS * shares[n]!) / 10) - 1)).toBeLessThan(0.02)
    }
  })

  test("computes the key of a call from its input", () => {
    const list = instances(5)
    const context = caller(1, { input: { uid: "ada" } }).context
    const route = byKey((input: { uid: string }) => input.uid)
    expect(route(list, context)).toBe(byKey("ada")(list, context))
  })

  test("rejects a key that is no text, since it would send all such calls to one instance", () => {
    for (const key of [undefined, 7, {}]) {
      expect(() => byKey(() => key as never)(instances(2), caller().context)).toThrow(/expected byKey to get a string/)
    }
  })
})

describe("compare", () => {
  test("finds a minimum of any list, by any numbers", () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1, maxLength: 30 }), (loads) => {
        const list = instances(loads.length, (n) => ({ meta: { load: loads[n] } }))
        const chosen = compare((one, other) => one.meta["load"] - other.meta["load"])(list, caller().context)
        expect(chosen.meta["load"]).toBe(Math.min(...loads))
      }),
    )
  })

  test("takes equal instances in turn, the one first that was not called for the longest time", () => {
    const { call } = caller()
    const list = instances(4, (n) => ({ meta: { load: n === 3 ? 9 : 5 } }))
    const chosen = Array.from(
      { length: 6 },
      () =>
        call(
          compare((one, other) => one.meta["load"] - other.meta["load"]),
          list,
        ).id,
    )
    expect(chosen).toEqual([0, 1, 2, 0, 1, 2].map((n) => list[n]!.id))
  })
})

test("leastBy finds the lowest load", () => {
  const list = instances(5, (n) => ({ meta: { jobs: (n + 3) % 5 } }))
  expect(leastBy(({ meta }) => meta["jobs"])(list, caller().context)).toBe(list[2])
})

test.each([
  ["compare", compare(() => NaN)],
  ["compare", compare(() => true as unknown as number)],
  ["leastBy", leastBy(() => NaN)],
  ["powerOfTwo", powerOfTwo(({ meta }) => meta["jobs"])],
])("%s rejects what is no number", (_, route) => {
  expect(() => route(instances(2), caller().context)).toThrow(/to (return|be) a number, got/)
})

test("roundRobin takes each instance in turn, also when it is made anew for each call", () => {
  const { call } = caller()
  const list = instances(3)
  expect(Array.from({ length: 6 }, () => call(roundRobin(), list).id)).toEqual(
    [0, 1, 2, 0, 1, 2].map((n) => list[n]!.id),
  )
})

describe("random and powerOfTwo", () => {
  test.each([
    ["random", random()],
    ["powerOfTwo", powerOfTwo()],
  ])("%s chooses idle instances by weight, within 2 %%", (_, route) => {
    const { context } = caller()
    const list = instances(4, (n) => ({ weight: n + 1 }))
    const chosen = tally(4 * KEYS, () => route(list, context))
    for (const [n, { id }] of list.entries()) {
      expect(Math.abs(chosen.get(id)! / ((4 * KEYS * (n + 1)) / 10) - 1)).toBeLessThan(0.02)
    }
  })

  test("powerOfTwo never chooses the instance with the most own calls in flight", () => {
    const { context, inFlight } = caller()
    const list = instances(3)
    inFlight.set(list[0]!.id, 10)
    expect(tally(1000, () => powerOfTwo()(list, context)).has(list[0]!.id)).toBe(false)
  })

  const CALLS = 12_000

  /** The share of each instance of the calls of one node, relative to its weight. Instances get their numbers as loads. */
  function shares(weightsOfList: readonly number[], route = powerOfTwo(({ meta }) => meta["jobs"])): number[] {
    const { call } = caller()
    const list = weightsOfList.map((weight, n) => instance(`game#${n}@a`, { weight, meta: { jobs: 10 * n * weight } }))
    const chosen = tally(CALLS, () => call(route, list))
    const sum = weightsOfList.reduce((one, other) => one + other)
    return list.map(({ id, weight }) => (chosen.get(id) ?? 0) / ((CALLS * weight) / sum))
  }

  test("powerOfTwo prefers lower loads, but gives none more than 4/3 of its share for it, since loads are old", () => {
    for (const count of [4, 8, 16, 40]) {
      const given = shares(Array.from({ length: count }, () => 1))
      for (let n = 1; n < count; n += 1) expect(given[n]).toBeLessThan(given[n - 1]! + 0.03)
      expect(given[0]).toBeGreaterThan(1.15)
      expect(given[0]).toBeLessThan(1.34)
      expect(given.at(-1)).toBeLessThan(0.01)
    }
    expect(Math.max(...shares([2, 1, 1, 2, 1, 1, 2, 1]))).toBeLessThan(1.34)
  })

  test("powerOfTwo gives the less loaded one of two instances 3/4 of the calls, and those of three turns", () => {
    expect(shares([1, 1])).toEqual([1.5, 0.5])
    expect(shares([1, 1, 1]).map((share) => Number(share.toFixed(2)))).toEqual([1.5, 1.5, 0])
  })

  test("powerOfTwo keeps to the weights where loads are equal", () => {
    for (const share of shares(
      [1, 2, 3, 4],
      powerOfTwo(({ weight }) => 5 * weight),
    ))
      expect(Math.abs(share - 1)).toBeLessThan(0.1)
  })

  test("powerOfTwo gives 20 calls each to 8 idle instances within a half, since equally busy ones get turns", () => {
    for (let seed = 1; seed <= 200; seed += 1) {
      const { call } = caller(seed)
      const list = instances(8)
      const chosen = tally(160, () => call(powerOfTwo(), list))
      expect(Math.max(...chosen.values())).toBeLessThanOrEqual(30)
    }
  })

  test("powerOfTwo does not begin with the same instances on all nodes", () => {
    const list = instances(8)
    const begun = new Set(
      Array.from(
        { length: 100 },
        (_, seed) =>
          caller(seed).call(
            powerOfTwo(({ meta }) => meta["jobs"] ?? 0),
            list,
          ).id,
      ),
    )
    expect(begun.size).toBe(8)
  })

  test("powerOfTwo follows its own calls in flight where the load agrees", () => {
    const { context, inFlight } = caller()
    const list = instances(2, (n) => ({ meta: { jobs: n } }))
    inFlight.set(list[1]!.id, 1)
    for (let n = 0; n < 100; n += 1) expect(powerOfTwo(({ meta }) => meta["jobs"])(list, context)).toBe(list[0])
  })

  test("powerOfTwo expects an instance of twice the weight to do twice as much", () => {
    const { context, inFlight } = caller()
    const list = instances(2, (n) => ({ weight: n + 1 }))
    inFlight.set(list[0]!.id, 2).set(list[1]!.id, 3)
    for (let n = 0; n < 100; n += 1) expect(powerOfTwo()(list, context)).toBe(list[1])
  })
})

describe("routes that accept some instances", () => {
  const list = [instance("1@a", { zone: "east" }), instance("2@b", { zone: "west" }), instance("3@b")]

  test("preferLocal chooses among those of the calling node, and among all if it has none", () => {
    expect(preferLocal()(list, caller().context).id).toBe("1@a")
    expect(preferLocal(roundRobin())(list, caller(1, { node: "c" }).context).id).toBe("1@a")
    expect(
      preferLocal(({ length, 0: first }) => (length === 2 ? first! : list[0]!))(list, caller(1, { node: "b" }).context)
        .id,
    ).toBe("2@b")
  })

  test("zone chooses among those of a zone, and among all if it has none", () => {
    expect(zone("west")(list, caller().context).id).toBe("2@b")
    expect(zone("north", roundRobin())(list, caller().context).id).toBe("1@a")
  })

  test("node and where choose among those that they accept, and fail with no_instance if there are none", () => {
    expect(node("a")(list, caller().context).id).toBe("1@a")
    expect(where(({ zone }) => zone === undefined)(list, caller().context).id).toBe("3@b")
    for (const route of [node("c"), where(() => false)]) {
      expect(() => route(list, caller().context)).toThrow(expect.objectContaining({ code: "no_instance" }))
    }
  })

  test("a route calls `next` with the accepted instances and the same context", () => {
    const { context } = caller()
    const seen: unknown[] = []
    const next: Route = (instances, context) => {
      seen.push(instances, context)
      return instances[0]!
    }
    zone(
      "west",
      where(({ node }) => node === "b", next),
    )(list, context)
    expect(seen).toEqual([[list[1]], context])
  })
})

describe("a node's choice", () => {
  function choice(count: number) {
    const tracker = createTracker()
    const services = createServices({ tracker })
    const handles = Array.from({ length: count }, () => services.announce("game"))
    const registry = new Registry({ tracker, wallClock: () => 0, failed: () => undefined })
    const chosen = new ChosenInstances({ registry, node: "local", random: mulberry32(1), canCall: () => true })
    const choose = (route: Route, tried: string[] = []) =>
      chosen.choose({ service: "game", method: "spawn", input: {}, route, tried }).instance
    return { services, handles, chosen, choose }
  }

  test.each<[string, Route]>([
    ["throws", () => expect.fail("the route failed")],
    ["returns nothing", () => undefined as never],
    ["returns an instance that it made up", () => instance("game#1@elsewhere")],
    ["returns a copy", ([first]) => ({ ...first! })],
    ["returns a promise", (async ([first]: readonly Instance[]) => first) as never],
    ["was not called itself, but its maker", roundRobin as never],
    ["computes with what is no number", leastBy(({ meta }) => meta["absent"].jobs)],
    [
      "returns an instance of a former list",
      (() => {
        let kept: Instance | undefined
        return ([first]: readonly Instance[]) => (kept ??= { ...first! })
      })(),
    ],
  ])("is a bad_route error when the route %s", (_, route) => {
    expect(() => choice(2).choose(route)).toThrow(expect.objectContaining({ code: "bad_route" }))
  })

  test("says what came from a bad route, and keeps what it threw as the cause", () => {
    const { choose } = choice(2)
    const thrown = new Error("no shard map")
    const failing: Route = () => {
      throw thrown
    }
    expect(() => choose(failing)).toThrow(
      expect.objectContaining({ cause: thrown, message: expect.stringContaining("no shard map") }),
    )
    expect(() => choose(roundRobin as never)).toThrow(/got a function; call the route's maker, as in roundRobin\(\)/)
  })

  test("offers a route nothing that is draining, and fails with no_instance when all are", async () => {
    const { handles, choose } = choice(2)
    await handles[0]!.drain()
    for (let n = 0; n < 20; n += 1) expect(choose(random()).id).toBe(handles[1]!.id)
    await handles[1]!.drain()
    expect(() => choose(random())).toThrow(
      expect.objectContaining({ code: "no_instance", message: expect.stringContaining("2 that are draining") }),
    )
  })

  test("offers a retry the instances that have not failed it, then those that did not fail it last", () => {
    const { handles, choose } = choice(3)
    const [a, b, c] = handles.map(({ id }) => id)
    const incarnation = (id: string | undefined): string => ` ${id}`
    const offered = (tried: string[]): string[] => {
      const seen: string[] = []
      choose((instances) => {
        seen.push(...instances.map(({ id }) => id))
        return instances[0]!
      }, tried.map(incarnation))
      return seen
    }
    expect(offered([])).toEqual([a, b, c])
    expect(offered([a!])).toEqual([b, c])
    expect(offered([a!, b!, c!])).toEqual([a, b])
    expect(() => choice(1).choose(random(), [incarnation(a)])).toThrow(expect.objectContaining({ code: "no_instance" }))
  })

  test("shows a route how many own calls each instance has in flight", () => {
    const { handles, chosen, choose } = choice(2)
    const ended = chosen.called("game", handles[0]!.id)
    chosen.called("game", handles[0]!.id)
    const seen = (): number[] => {
      const counts: number[] = []
      choose((instances, { inFlight }) => {
        counts.push(...instances.map(inFlight))
        return instances[0]!
      })
      return counts
    }
    expect(seen()).toEqual([2, 0])
    ended()
    ended()
    expect(seen()).toEqual([1, 0])
  })
})

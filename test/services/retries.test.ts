import { os } from "@orpc/server"
import { beforeAll, describe, expect, test } from "vitest"
import { byKey, node, where, type CallOptions, type ServicesOptions } from "../../src/services/index.ts"
import { loadOrpc } from "../../src/services/orpc.ts"
import { backoffMs, RetryBudgets } from "../../src/services/retry.ts"
import { mulberry32 } from "../../src/testing/prng.ts"
import { SeededServices, type ServiceNode } from "./seeded-services.ts"

const base = os.$meta<{ idempotent?: boolean }>({})

// In virtual time nothing may wait for the disk.
beforeAll(async () => void (await loadOrpc()))

/** A caller and hosts whose handlers run `handle`, in virtual time. */
async function cluster(
  hosts: string[],
  handle: (host: ServiceNode, name: string, signal: AbortSignal) => unknown,
  options: Partial<ServicesOptions> = {},
) {
  const cluster = new SeededServices({ seesNodesDie: true })
  const counts: Record<string, number> = {}
  const caller = cluster.start("caller", { count: (name) => void (counts[name] = (counts[name] ?? 0) + 1), ...options })
  const runs: string[] = []
  const nodes = new Map<string, ServiceNode>()
  const start = (name: string): void => {
    const host = cluster.start(name)
    nodes.set(name, host)
    const handler = ({ signal }: { signal?: AbortSignal | undefined }): unknown => {
      runs.push(name)
      return handle(host, name, signal!)
    }
    host.services.serve("game", {
      plain: base.handler(handler),
      marked: base.meta({ idempotent: true }).handler(handler),
      deep: { marked: base.meta({ idempotent: true }).handler(handler) },
    })
  }
  for (const name of hosts) start(name)
  await cluster.run(3_000)
  /** Calls, and returns the value or the code of the error, after so much virtual time. */
  const call = async (method: string, callOptions: CallOptions = {}, ms = 10_000): Promise<unknown> => {
    const result = caller.services
      .call("game", method, "key", callOptions)
      .catch((error: { code: string }) => error.code)
    await cluster.run(ms)
    return result
  }
  return { cluster, caller, nodes, runs, counts, call, start }
}

const never = (): Promise<never> => new Promise(() => undefined)
/** The first host in the order of ids dies in the call; the others answer. */
const firstDies = (host: ServiceNode, name: string): unknown => {
  if (name !== "a") return name
  host.node.crash()
  return never()
}
const inOrder: CallOptions = { route: ([first]) => first! }

describe("a call whose instance dies", () => {
  test("fails with instance_gone if its method is not marked idempotent, however many retries are allowed", async () => {
    const { call, runs } = await cluster(["a", "b"], firstDies)
    expect(await call("plain", { ...inOrder, retries: 5 })).toBe("instance_gone")
    expect(runs).toEqual(["a"])
  })

  test("goes to another instance if its procedure is marked, also deep in the router, or if the call says so", async () => {
    for (const [method, options] of [
      ["marked", {}],
      ["deep.marked", {}],
      ["plain", { idempotent: true }],
    ] as const) {
      const { call, runs } = await cluster(["a", "b"], firstDies)
      expect(await call(method, { ...inOrder, ...options })).toBe("b")
      expect(runs).toEqual(["a", "b"])
    }
  })

  test("is not repeated if the call says that it is not idempotent, or allows no retry", async () => {
    for (const options of [{ idempotent: false }, { retries: 0 }]) {
      const { call } = await cluster(["a", "b"], firstDies)
      expect(await call("marked", { ...inOrder, ...options })).toBe("instance_gone")
    }
  })

  test("fails with the first error if there is no other instance", async () => {
    const { call } = await cluster(["a"], firstDies)
    expect(await call("marked")).toBe("instance_gone")
  })

  test("waits for the restarted instance, if there is no other", async () => {
    let deaths = 0
    const {
      cluster: network,
      caller,
      start,
      runs,
    } = await cluster(["a"], (host) => {
      if ((deaths += 1) > 1) return "restarted"
      host.node.crash()
      return never()
    })
    const calling = caller.services.call("game", "marked", 1, { retries: 8, timeoutMs: 60_000 })
    await network.run(50)
    start("a")
    await network.run(20_000)
    expect(await calling).toBe("restarted")
    expect(runs).toEqual(["a", "a"])
  })

  test("goes to the next owner of its key, and only to instances that the route accepts", async () => {
    const order = ["a", "b", "c"]
    const dying = { key: 0 }
    const { call, runs } = await cluster(order, (host, name) => {
      if ((dying.key += 1) > 1) return name
      host.node.crash()
      return never()
    })
    const first = await call("marked", { route: byKey("key") })
    expect(runs).toHaveLength(2)
    expect(first).toBe(runs[1])

    const pinned = await cluster(["a", "b"], firstDies)
    expect(await pinned.call("marked", { route: node("a") })).toBe("instance_gone")
    expect(pinned.runs).toEqual(["a"])
  })
})

test("an instance that does not answer gets its share of the time only, and others get the rest", async () => {
  const aborts: string[] = []
  const { call, runs } = await cluster(["a", "b", "c"], (_, name, signal) => {
    if (name === "c") return "c"
    signal.addEventListener("abort", () => aborts.push(name))
    return never()
  })
  expect(await call("marked", { ...inOrder, timeoutMs: 3_000 })).toBe("c")
  expect(runs).toEqual(["a", "b", "c"])
  expect(aborts).toEqual(["a", "b"])
})

test("retries never go beyond the deadline of the call", async () => {
  const { cluster: network, caller } = await cluster(["a", "b", "c"], never)
  let endedAt: number | undefined
  const startedAt = network.network.now
  const calling = caller.services
    .call("game", "marked", 1, { timeoutMs: 2_000, retries: 9 })
    .catch((error: { code: string }) => {
      endedAt = network.network.now
      return error.code
    })
  await network.run(10_000)
  expect(await calling).toBe("timeout")
  expect(endedAt! - startedAt).toSatisfy((ms: number) => ms >= 2_000 && ms < 2_050)
})

test("an error of the handler is not retried", async () => {
  const { call, runs } = await cluster(["a", "b"], () => {
    throw new Error("the handler failed")
  })
  expect(await call("marked")).toBe("remote_error")
  expect(runs).toHaveLength(1)
})

test("a call that a draining instance refuses runs on another one, without being marked, since it has not run", async () => {
  const { cluster: network, caller, nodes, runs } = await cluster(["a", "b"], (_, name) => name)
  const draining = nodes.get("a")!
  const closing = draining.services.close()
  // The caller does not know it yet: nothing has been replicated in this moment.
  const calls = [0, 1, 2].map(() => caller.services.call("game", "plain", 1, inOrder))
  await network.run(5_000)
  expect(await Promise.all(calls)).toEqual(["b", "b", "b"])
  expect(runs).toEqual(["b", "b", "b"])
  await closing
  expect(caller.services.list("game")).toHaveLength(1)
})

test("retries stop while the budget is used up, and are counted", async () => {
  const { call, counts } = await cluster(["a", "b"], never, { limits: { retryShare: 0 } })
  for (let n = 0; n < 12; n += 1) expect(await call("marked", { timeoutMs: 100, retries: 1 }, 500)).toBe("timeout")
  expect(counts).toMatchObject({ services_retries: 10, services_retries_refused: 2, services_calls: 22 })
})

test("a service has retries for a share of its calls, and saves up a limited number", () => {
  const budgets = new RetryBudgets(0.5)
  const take = (): number => {
    let taken = 0
    while (budgets.take("game")) taken += 1
    return taken
  }
  expect(take()).toBe(10)
  for (let n = 0; n < 100; n += 1) budgets.called("game")
  expect(take()).toBe(50)
  for (let n = 0; n < 1_000_000; n += 1) budgets.called("game")
  expect(take()).toBe(1_000)
  expect(budgets.take("other")).toBe(true)
})

test("waits longer before each retry, at random, and at most a second", () => {
  const random = mulberry32(1)
  for (const [retry, most] of [
    [1, 50],
    [2, 100],
    [3, 200],
    [20, 1_000],
  ] as const) {
    const waits = Array.from({ length: 1_000 }, () => backoffMs(retry, random))
    expect(Math.max(...waits)).toSatisfy((ms: number) => ms <= most && ms > most * 0.95)
    expect(Math.min(...waits)).toBeLessThan(most * 0.05)
  }
})

test.each<[string, CallOptions]>([
  ["a timeout of 0", { timeoutMs: 0 }],
  ["a timeout without end", { timeoutMs: Infinity }],
  ["a negative number of retries", { retries: -1 }],
  ["a route that is no function", { route: "random" as never }],
])("%s is a ConfigError of the call", async (_, options) => {
  const { caller } = await cluster([], never)
  await expect(caller.services.call("game", "plain", 1, options)).rejects.toMatchObject({ code: "config" })
})

test("a call that finds no instance says why", async () => {
  const { caller, cluster: network } = await cluster(["a"], never)
  await expect(caller.services.call("absent", "plain")).rejects.toThrow(
    /an instance of "absent" that takes calls, got none at all/,
  )
  await expect(caller.services.call("game", "plain", 1, { route: where(() => false) })).rejects.toMatchObject({
    code: "no_instance",
  })
  caller.services.announce("listed")
  await network.run(1_000)
  await expect(caller.services.call("listed", "plain")).rejects.toThrow(/got 1 without handlers/)
})

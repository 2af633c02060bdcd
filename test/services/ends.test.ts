import { os } from "@orpc/server"
import { afterEach, describe, expect, test, vi } from "vitest"
import { asTheyCome, type Answer } from "../../src/services/answer.ts"
import { cancellation } from "../../src/services/cancellation.ts"
import type { Instance } from "../../src/services/index.ts"
import { systemTimers } from "../../src/timers.ts"
import { until } from "../support/until.ts"
import { callerAndHost, nodes } from "./two-nodes.ts"

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** A router whose method `hang` never answers, and ignores its signal. */
function hanging() {
  const inputs: unknown[] = []
  const router = {
    echo: os.handler(({ input }) => input),
    hang: os.handler(({ input }) => {
      inputs.push(input)
      return new Promise(() => {})
    }),
  }
  return { inputs, router }
}

/** Where calls are made: at another node, or at the same one. */
const callers = ["caller", "host"] as const

async function started() {
  const { inputs, router } = hanging()
  const given = await callerAndHost(router)
  closing.push(given.close)
  return { ...given, inputs, router }
}

describe.each(callers)("a call that is made at the %s", (at) => {
  test("and given up in the same turn fails with the reason", async () => {
    const { [at]: node, inputs } = await started()
    const controller = new AbortController()
    const call = node.services.call("game", "hang", 1, { signal: controller.signal })
    controller.abort("changed my mind")
    await expect(call).rejects.toBe("changed my mind")
    expect(node.services.stats().inFlight).toBe(0)
    if (at === "caller") expect(inputs).toEqual([])
  })

  test("as a cast that was given up before does not run, and says so", async () => {
    const { [at]: node, inputs } = await started()
    node.services.cast("game", "hang", "given up", { signal: AbortSignal.abort("no") })
    await until(() => node.errors.length > 0)
    expect(node.errors).toEqual(["no"])
    // A later message on the same way has arrived.
    node.services.cast("game", "hang", "meant")
    await until(() => inputs.includes("meant"))
    expect(inputs).toEqual(["meant"])
  })

  test("of all instances, and left before the first answer, is given up", async () => {
    const { [at]: node } = await started()
    for (const isStarted of [true, false]) {
      const answers = node.services.callAll("game", "hang", 1, { timeoutMs: 1_000_000 })
      if (isStarted) void answers.next()
      await answers.return?.()
      await until(() => node.services.stats().inFlight === 0)
      expect(await answers.next()).toMatchObject({ done: true })
    }
  })
})

test("answers of thousands of calls are each awaited once", async () => {
  const count = 2_000
  const subscriptions: { readonly mock: { readonly calls: readonly unknown[] } }[] = []
  const calls = Array.from({ length: count }, (_, value) => {
    const answer = Promise.resolve<Answer>({ instance: { id: String(value) } as Instance, value })
    // Promise.race subscribes anew to each promise that it gets.
    subscriptions.push(vi.spyOn(answer, "then"))
    const overall = cancellation({ timers: systemTimers, ms: 1_000_000, expired: () => undefined })
    overall.end()
    return { answer, overall }
  })
  const values = []
  for await (const { value } of asTheyCome(calls)) values.push(value)
  expect(values).toHaveLength(count)
  expect(subscriptions.filter(({ mock }) => mock.calls.length !== 1)).toEqual([])
})

test.each([true, false])(
  "a function may change the meta that it gets, if it was listed before: %s",
  async (isListed) => {
    const { start, close } = nodes()
    closing.push(close)
    const { services } = start("only")
    const instance = services.announce("crawler", { meta: { jobs: { open: 1 } } })
    const before = isListed ? services.list("crawler")[0]!.meta : undefined
    instance.update((meta) => {
      meta.jobs.open += 1
      return meta
    })
    expect(services.list("crawler")[0]!.meta).toEqual({ jobs: { open: 2 } })
    if (isListed) expect(before).toEqual({ jobs: { open: 1 } })
  },
)

describe("an instance that ends", () => {
  test("ends its drain, also when a handler ignores its signal", async () => {
    const { host, served, inputs } = await started()
    const call = host.services.call("game", "hang", 1)
    await until(() => inputs.length === 1)
    const drained = served.drain({ timeoutMs: 1_000_000 })
    served.end()
    await expect(call).rejects.toMatchObject({ code: "instance_gone" })
    expect(await drained).toBe(false)
    expect(await served.drain()).toBe(true)
  })

  test("takes no place of the calls to others, also when a handler ignores its signal", async () => {
    const { start, close } = nodes()
    closing.push(close)
    const { services } = start("only", { limits: { maxRunningCalls: 1 } })
    const { inputs, router } = hanging()
    const served = services.serve("game", router)
    const call = services.call("game", "hang", 1)
    await until(() => inputs.length === 1)
    served.end()
    await expect(call).rejects.toMatchObject({ code: "instance_gone" })
    expect(services.stats().running).toBe(0)
    services.serve("game", router)
    expect(await services.call("game", "echo", 7)).toBe(7)
    expect(services.stats().running).toBe(0)
  })

  test("while the route chooses it did not run the call, which goes to another one", async () => {
    const { host, served, router } = await started()
    const other = host.services.serve("game", router)
    const route = (instances: readonly Instance[]): Instance => {
      served.end()
      return instances.find(({ id }) => id === served.id) ?? instances[0]!
    }
    expect(await host.services.call("game", "echo", 7, { route, timeoutMs: 1_000_000 })).toBe(7)
    other.end()
  })

  test("while the route chooses it ends the call with instance_gone if it was the only one, also without a bus", async () => {
    const { start, close } = nodes()
    closing.push(close)
    for (const pubsub of [undefined, "its own"] as const) {
      const { services } = start(`node-${pubsub}`, pubsub === undefined ? { pubsub } : {})
      const served = services.serve("game", hanging().router)
      const route = (instances: readonly Instance[]): Instance => {
        served.end()
        return instances[0]!
      }
      await expect(services.call("game", "echo", 7, { route, timeoutMs: 1_000_000 })).rejects.toMatchObject({
        code: "instance_gone",
      })
    }
  })
})

test("services that close before the engine has confirmed their subscription leave no promise open", async () => {
  const { start, close } = nodes()
  closing.push(close)
  const never = new Promise<never>(() => {})
  const { services } = start("slow", {}, (pubsub) => ({
    ...pubsub,
    node: "slow",
    status: "connected",
    send: (...message) => pubsub.send(...message),
    onStatus: (listener) => pubsub.onStatus(listener),
    subscribe: () => never,
  }))
  const served = services.serve("game", hanging().router)
  await services.close({ drainMs: 0 })
  await served.ready
})

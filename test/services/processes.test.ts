import { afterEach, describe, expect, test } from "vitest"
import { serviceProcesses, type ServiceProcess } from "../support/service-processes.ts"

let cluster: Awaited<ReturnType<typeof serviceProcesses>>
afterEach(() => cluster?.close())

/** A down period that no test reaches: what is noticed before was told by the bus. */
const NO_DOWN_PERIOD = { broadcastPeriodMs: 1_500, downPeriodMs: 600_000, permdownPeriodMs: 1_200_000 }

describe.each(["ipc", "redis", "nats"] as const)("four processes on %s", (engine) => {
  test("a call and a stream end with instance_gone when kill -9 ends the process that handles them", async () => {
    cluster = await serviceProcesses(engine)
    const timing = engine === "ipc" ? { timing: NO_DOWN_PERIOD } : {}
    const caller = await cluster.start("caller", { serves: false, ...timing })
    for (const [command, argument] of [
      ["call", { method: "hang", options: { timeoutMs: 600_000, retries: 5 } }],
      ["stream", undefined],
    ] as const) {
      const host = await cluster.start("host", timing)
      await caller.run("sees", 1)
      const hanging = host.heard((message) => message === "hanging")
      const result = caller.run(command, argument)
      await hanging
      await host.kill()
      expect(await result).toMatchObject({ code: "instance_gone" })
      expect(await caller.run("call", { method: "double" })).toEqual({ code: "no_instance" })
    }
  })

  test("10 000 idempotent calls are all answered, while processes are killed and started again", async () => {
    cluster = await serviceProcesses(engine)
    const { start } = cluster
    const timing = engine === "ipc" ? { timing: NO_DOWN_PERIOD } : {}
    const caller = await start("caller", { serves: false, ...timing })
    const hosts = await Promise.all(["a", "b", "c", "d"].map((name) => start(name, timing)))
    await caller.run("sees", 4)
    // An attempt gets a share of this time, one of eleven at first. A machine that stands still must not end attempts.
    const options = { timeoutMs: 300_000, retries: 10 }
    for (let batch = 0; batch < 5; batch += 1) {
      const isOnItsWay = caller.heard(({ made }: { made?: number }) => made !== undefined)
      const many = caller.run("many", { count: 2_000, atATime: 100, options })
      await isOnItsWay
      const victim = hosts.shift() as ServiceProcess
      await victim.kill()
      hosts.push(await start(victim.name, timing))
      expect(await many).toEqual([])
    }
  }, 400_000)

  test("placed processes survive the end of a node with their state, and kill -9 without it; each runs once", async () => {
    cluster = await serviceProcesses(engine)
    const timing = engine === "ipc" ? { timing: NO_DOWN_PERIOD } : {}
    const hosts = await Promise.all(["a", "b", "c", "d"].map((name) => cluster.start(name, timing)))
    const ids = Array.from({ length: 40 }, (_, n) => `counter-${n}`)
    const [one, two, three, four] = hosts as [ServiceProcess, ServiceProcess, ServiceProcess, ServiceProcess]
    for (const host of hosts) await host.run("places", 4)
    for (const host of hosts) await host.run("add", { ids, by: 1 })
    // Calls go on while a node hands its processes over.
    const adding = three.run("add", { ids, by: 10 })
    // The process ends before it can answer.
    await expect(two.run("close")).rejects.toThrow("has ended")
    expect((await adding).map(({ code }: { code?: string }) => code)).toEqual(ids.map(() => undefined))
    await three.run("places", 3)
    const values = (await three.run("add", { ids, by: 0 })).map(({ value }: { value: number }) => value)
    expect(values).toEqual(ids.map(() => 14))

    const lost = (await four.run("placed", ids)) as string[]
    expect(lost.length).toBeGreaterThan(0)
    await four.kill()
    await three.run("places", 2)
    await one.run("places", 2)
    const after = (await three.run("add", { ids, by: 0 })).map(({ value }: { value: number }) => value)
    expect(after).toEqual(ids.map((id) => (lost.includes(id) ? 0 : 14)))
    const running = [...(await one.run("placed", ids)), ...(await three.run("placed", ids))]
    expect(running.sort()).toEqual([...ids].sort())
  }, 400_000)
})

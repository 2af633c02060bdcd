import { os } from "@orpc/server"
import { describe, expect, test } from "vitest"
import { createServices } from "../../src/services/index.ts"
import type { PlaceOptions } from "../../src/services/index.ts"
import { systemTimers } from "../../src/timers.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import { until } from "../support/until.ts"
import { Sessions, type Counter } from "./seeded-sessions.ts"

/** Time in which a change reaches all nodes, in virtual ms. */
const SPREAD = 3_000

const never = (): Promise<never> => new Promise<never>(() => undefined)

const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: unknown) => (error as { code?: string }).code ?? error,
  )

describe("a start that does not end", () => {
  test("ensure, call and stop of its id fail at their deadline, on its own node and on another one", async () => {
    const all = new Sessions()
    const a = await all.start("a", {}, { start: never })
    const b = await all.start("b", { weight: 1e-9 }, { start: never })
    await all.cluster.run(SPREAD)
    for (const { sessions } of [a, b]) {
      const before = all.cluster.network.now
      expect(await all.until(outcome(sessions.ensure("ada", { timeoutMs: 700 })))).toBe("timeout")
      expect(await all.until(outcome(sessions.call("ada", "add", 1, { timeoutMs: 700 })))).toBe("timeout")
      expect(await all.until(outcome(sessions.stop("ada", { timeoutMs: 700 })))).toBe("timeout")
      expect(all.cluster.network.now - before).toBeLessThan(2_500)
    }
  })

  test("an ensure on its own node fails with the reason of its signal", async () => {
    const all = new Sessions()
    const { sessions } = await all.start("a", { aloneAfterMs: 0 }, { start: never })
    const controller = new AbortController()
    const starting = outcome(sessions.ensure("ada", { signal: controller.signal }))
    await all.cluster.run(100)
    controller.abort({ code: "enough" })
    expect(await all.until(starting)).toBe("enough")
  })

  test("does not keep the services from closing, and is reported", async () => {
    const all = new Sessions()
    const { services, sessions, errors } = await all.start("a", { aloneAfterMs: 0 }, { start: never })
    void outcome(sessions.ensure("ada"))
    await all.cluster.run(100)
    await all.until(services.close())
    expect(errors).toMatchObject([{ code: "timeout" }])
    expect(String(errors[0])).toContain('"ada"')
  })

  test("is stopped if it ends after the close, and is never listed", async () => {
    const all = new Sessions()
    let started: (process: Counter) => void = () => undefined
    const start = (): Promise<Counter> => new Promise((resolve) => (started = resolve))
    const a = await all.start("a", { aloneAfterMs: 0 }, { start })
    void outcome(a.sessions.ensure("ada"))
    await all.cluster.run(100)
    await all.until(a.services.close())
    started({ count: 7 })
    await all.cluster.run(SPREAD)
    expect(a.seen).toEqual(["-ada closed 7"])
    expect(a.sessions.whereis("ada")).toBeUndefined()
  })
})

describe("a stop that does not end", () => {
  test("stop fails at its deadline, on its own node and on another one", async () => {
    const all = new Sessions()
    const a = await all.start("a", {}, { stop: never })
    const b = await all.start("b", { weight: 1e-9 })
    await all.cluster.run(SPREAD)
    for (const [n, { sessions }] of [a, b].entries()) {
      await all.until(sessions.ensure(`session-${n}`))
      expect(await all.until(outcome(sessions.stop(`session-${n}`, { timeoutMs: 700 })))).toMatch(/^(timeout|moving)$/)
    }
  })

  test("does not keep the services from closing, and is reported; the other processes are stopped", async () => {
    const all = new Sessions()
    const stopped: string[] = []
    const stop = (id: string): undefined | Promise<never> => (id === "ada" ? never() : void stopped.push(id))
    const { services, sessions, errors } = await all.start("a", { aloneAfterMs: 0 }, { stop })
    for (const id of ["ada", "bob", "cid"]) await all.until(sessions.ensure(id))
    await all.until(services.close())
    expect(stopped).toEqual(["bob", "cid"])
    expect(errors).toMatchObject([{ code: "timeout" }])
  })
})

test("a process whose state cannot be sent stays; one of the same id that is started later moves again", async () => {
  const all = new Sessions()
  const circle: Record<string, unknown> = {}
  circle["self"] = circle
  let state: unknown = circle
  const a = await all.start("a", {}, { stop: () => state as number })
  await all.until(a.sessions.ensure("ada"))
  const b = await all.start("b", { weight: 1e9 })
  await all.cluster.run(10_000)
  expect([a, b].map(({ sessions }) => sessions.local())).toEqual([["ada"], []])
  await all.until(b.services.close())
  await all.until(a.sessions.stop("ada"))
  state = 5
  await all.until(a.sessions.ensure("ada"))
  const c = await all.start("c", { weight: 1e9 })
  await all.cluster.run(10_000)
  expect([a, c].map(({ sessions }) => sessions.local())).toEqual([[], ["ada"]])
  expect(c.seen).toEqual(["+ada 5"])
})

test("an invalid method rejects, and does not throw", async () => {
  const all = new Sessions()
  const { sessions } = await all.start("a")
  for (const method of ["", "a..b", 5, undefined, [""]]) {
    expect(await outcome(sessions.call("ada", method as string))).toBe("config")
  }
})

test.each<PlaceOptions>([
  { handOverMs: Infinity },
  { handOverMs: 2 ** 31 },
  { aloneAfterMs: Infinity },
  { aloneAfterMs: NaN },
  { maxHeldCalls: NaN },
])("a time that no timer can wait is refused: %o", async (options) => {
  const [name] = Object.keys(options)
  await expect(new Sessions().start("a", options)).rejects.toThrow(`expected ${name} to be`)
})

test("services drain for as long as their calls run if there is no limit", async () => {
  const delays: number[] = []
  const timers = { ...systemTimers, set: (run: () => void, ms: number) => (delays.push(ms), systemTimers.set(run, ms)) }
  const services = createServices({ tracker: createTracker(), timers })
  let finish: (() => void) | undefined
  const slow = os.handler(() => new Promise<void>((resolve) => (finish = resolve)))
  const served = services.serve("slow", { slow })
  const call = services.call("slow", "slow")
  await until(() => finish !== undefined)
  const drained = served.drain({ timeoutMs: Infinity })
  finish?.()
  expect(await drained).toBe(true)
  await call
  // The platform would take a longer one for 1 ms.
  expect(Math.max(...delays)).toBe(2 ** 31 - 1)
  await services.close()
})

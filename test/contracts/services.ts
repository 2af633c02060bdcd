import { safe } from "@orpc/client"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import type { PubSub } from "../../src/pubsub/pubsub.ts"
import {
  createServices,
  type CallContext,
  type CallOptions,
  type Services,
  type ServicesOptions,
} from "../../src/services/index.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import { gameRouter, newState } from "../support/service-router.js"
import { skippingTimers } from "../support/skipping-timers.ts"
import { until } from "../support/until.ts"

/** What a bus's test file provides. */
export interface ServicesBus {
  start?(): Promise<void>
  stop?(): Promise<void>
  /** Returns a node on the bus. */
  join(node: string): Promise<PubSub>
  /** Whether the caller and the service are on one node. Then nothing crosses a bus. */
  isOneNode?: boolean
}

interface Peer {
  readonly services: Services
  readonly errors: unknown[]
  readonly counts: Map<string, number>
}

const code = (value: string) => expect.objectContaining({ code: value })

/** The behaviour of calls that is the same on every bus, and on one node. */
export function servicesContract(name: string, bus: ServicesBus): void {
  describe(`calls ${name}`, () => {
    const closing: (() => Promise<unknown>)[] = []
    beforeAll(() => bus.start?.())
    afterAll(() => bus.stop?.())
    afterEach(async () => {
      for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close()
    })

    async function peer(node: string, options: Partial<ServicesOptions> = {}): Promise<Peer> {
      const pubsub = await bus.join(node)
      const tracker = createTracker({ pubsub })
      const errors: unknown[] = []
      const counts = new Map<string, number>()
      const services = createServices({
        tracker,
        pubsub,
        onError: (error) => void errors.push(error),
        count: (counter) => void counts.set(counter, (counts.get(counter) ?? 0) + 1),
        ...options,
      })
      closing.push(async () => {
        await services.close({ drainMs: 0 })
        await tracker.close()
        await pubsub.close()
      })
      return { services, errors, counts }
    }

    /** A caller and an instance of the service "game" that it can call. */
    async function game(options: Partial<ServicesOptions> = {}) {
      const caller = await peer("caller", options)
      const host = bus.isOneNode === true ? caller : await peer("host", options)
      const state = newState()
      const served = host.services.serve("game", gameRouter(state), { context: { db: "the database" } })
      await served.ready
      await callable(caller.services, 1)
      state.runs.length = 0
      closing.push(async () => state.release())
      const call = <Output>(method: string | string[], input?: unknown, options?: CallOptions): Promise<Output> =>
        caller.services.call<Output>("game", method, input, options)
      return { caller, host, state, served, call }
    }

    /** Waits until a node can call so many instances. */
    const callable = (services: Services, count: number): Promise<void> =>
      until(async () => {
        let answered = 0
        for await (const answer of services.callAll("game", "nested.deep.ping"))
          answered += answer.error === undefined ? 1 : 0
        return answered === count
      })

    test("returns what the handler returns, with dates, maps, sets, big integers and bytes", async () => {
      const { call } = await game()
      const values: unknown[] = [
        undefined,
        null,
        "ä🙂\ud83d",
        { deep: [1, { x: undefined }] },
        new Date(5),
        new Map([["a", new Set([1n])]]),
        new Uint8Array([0, 255, 7]),
        { constructor: "y" },
      ]
      for (const value of values) expect(await call("echo", value)).toEqual(value)
    })

    test("calls typed by the router: the input is validated, and errors that the contract defines stay what they are", async () => {
      const { caller } = await game()
      const client = caller.services.client<ReturnType<typeof gameRouter>>("game")
      expect(await client.spawn({ uid: "ada" })).toEqual({ uid: "ada", at: new Date(0) })
      expect(await client.nested.deep.ping()).toBe("pong")
      const { error, isDefined } = await safe(client.spawn({ uid: "taken" }))
      expect(isDefined).toBe(true)
      expect(error).toMatchObject({ code: "TAKEN", message: "taken", data: { by: "ada" }, defined: true })
      await expect(client.spawn({ uid: 7 as never })).rejects.toMatchObject({
        code: "remote_error",
        reason: { code: "BAD_REQUEST", data: { issues: [{ path: ["uid"] }] } },
      })
    })

    test("tells the caller the code and the message of an ORPCError, and of any other error nothing", async () => {
      const { call, host } = await game()
      const secret = await call("failing.secretly").catch((error: unknown) => error)
      expect(secret).toMatchObject({ code: "remote_error", reason: { code: "INTERNAL_SERVER_ERROR" } })
      const open = await call("failing.openly").catch((error: unknown) => error)
      expect(open).toMatchObject({
        code: "remote_error",
        reason: { code: "NOT_FOUND", message: "no such game", data: { id: 7 } },
      })
      const bad = await call("failing.badly").catch((error: unknown) => error)
      expect(bad).toMatchObject({ code: "remote_error", reason: { code: "INTERNAL_SERVER_ERROR" } })
      for (const error of [secret, open, bad] as any[]) {
        const shown = [error.message, JSON.stringify(error.reason), String(error.cause), error.stack].join()
        expect(shown).not.toMatch(/hunter2|E_SECRET|service-router/)
      }
      expect(host.errors.map((error) => (error as Error).message)).toEqual([
        "password=hunter2",
        "Output validation failed",
      ])
      expect(host.counts.get("services_handler_errors")).toBe(2)
    })

    test("answers a method that does not exist with NOT_FOUND, also for the names of every object", async () => {
      const { call } = await game()
      for (const method of ["absent", "nested", "nested.deep.ping.more", "constructor", "__proto__.x", ["a.b"]]) {
        await expect(call(method)).rejects.toMatchObject({ code: "remote_error", reason: { code: "NOT_FOUND" } })
      }
    })

    test("gives handlers the node that calls, the trace, the time that is left, and the fields of serve", async () => {
      const { call, served } = await game()
      const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
      const context = await call<CallContext & { more: string[] }>("context", {}, { traceparent, timeoutMs: 60_000 })
      expect(context).toMatchObject({
        caller: { node: "caller" },
        service: "game",
        instance: served.id,
        method: "context",
        traceparent,
      })
      expect(context.remainingMs).toSatisfy((ms: number) => ms > 0 && ms <= 60_000)
      expect(context.more).toEqual(expect.arrayContaining(["db", "remainingMs"]))
      expect((await call<{ traceparent?: string }>("context")).traceparent).toBeUndefined()
    })

    test("fails with timeout when no answer comes in time, and aborts the handler", async () => {
      const timers = skippingTimers()
      const { call, state } = await game({ timers })
      for (const [at, method] of ["hang", "stubborn"].entries()) {
        const failing = expect(call(method, 1, { timeoutMs: 60_000 })).rejects.toEqual(code("timeout"))
        await until(() => state.runs.length === at + 1)
        timers.skip(60_000)
        await failing
        await until(() => state.aborts.length === at + 1)
      }
    })

    test("fails with the signal's reason when the caller aborts, and aborts the handler", async () => {
      const { call, state } = await game()
      const controller = new AbortController()
      const calling = call("hang", 1, { signal: controller.signal })
      await until(() => state.runs.length === 1)
      const reason = new Error("changed my mind")
      controller.abort(reason)
      await expect(calling).rejects.toBe(reason)
      await until(() => state.aborts.length === 1)
      await expect(call("echo", 2, { signal: controller.signal })).rejects.toBe(reason)
      expect(state.runs).toEqual([1])
    })

    test("fails with instance_gone at once when the instance ends in mid-call, and with no_instance afterwards", async () => {
      const { call, served, state } = await game()
      const calling = call("hang", 1, { timeoutMs: 60_000 })
      await until(() => state.runs.length === 1)
      served.end()
      await expect(calling).rejects.toEqual(code("instance_gone"))
      await until(() => state.aborts.length === 1)
      await until(() =>
        call("echo", 1).then(
          () => false,
          ({ code }) => code === "no_instance",
        ),
      )
    })

    test("drains: no new call runs, the running ones end, and then drain resolves", async () => {
      const { call, served, state, caller } = await game()
      const calling = call("slow", 1)
      await until(() => state.runs.length === 1)
      expect(await served.drain({ timeoutMs: 20 })).toBe(false)
      const drained = served.drain()
      await expect(call("echo", 2)).rejects.toThrow(
        expect.objectContaining({ code: expect.stringMatching(/draining|no_instance/) }),
      )
      expect(caller.services.list("game")).toHaveLength(1)
      state.release()
      expect(await drained).toBe(true)
      await expect(calling).resolves.toBe(1)
      expect(state.runs).toEqual([1])
    })

    test("sends a cast without waiting, and reports what prevents one", async () => {
      const { caller, host, state } = await game()
      expect(caller.services.cast("game", "echo", "cast")).toBeUndefined()
      await until(() => state.runs.length === 1)
      caller.services.cast("game", "failing.secretly")
      await until(() => host.errors.length > 0)
      caller.services.cast("absent", "echo")
      await until(() => caller.errors.some((error) => (error as { code?: string }).code === "no_instance"))
    })

    test("calls all instances, and gives each answer as it comes", async () => {
      const timers = skippingTimers()
      const { caller, host, served, state } = await game({ timers })
      const other = host.services.serve("game", gameRouter(newState()))
      await callable(caller.services, 2)
      state.release()
      const answers: unknown[] = []
      for await (const { instance, value, error } of caller.services.callAll("game", "slow", 1, {
        timeoutMs: 60_000,
      })) {
        answers.push([instance.id, value, (error as { code?: string } | undefined)?.code])
        // Only the other instance has not answered.
        timers.skip(60_000)
      }
      expect(answers).toEqual([
        [served.id, 1, undefined],
        [other.id, undefined, "timeout"],
      ])
    })

    test("aborts the other calls when the loop over the answers is left", async () => {
      const { caller, host, state } = await game()
      const second = newState()
      host.services.serve("game", gameRouter(second))
      await callable(caller.services, 2)
      state.release()
      // The first instance answers as it has been released.
      for await (const { error } of caller.services.callAll("game", "stubborn", 1, { timeoutMs: 600_000 })) {
        expect(error).toBeUndefined()
        break
      }
      await until(() => second.aborts.length === 1)
    })

    describe("streams", () => {
      test("give every item once, in order, and the value that the handler returned", async () => {
        const { call } = await game({ limits: { streamWindow: 4 } })
        const stream = await call<AsyncIterator<number>>("count", 1000)
        const items: unknown[] = []
        for (;;) {
          const { done, value } = await stream.next()
          if (done === true) {
            expect(value).toBe("end")
            break
          }
          items.push(value)
        }
        expect(items).toEqual(Array.from({ length: 1000 }, (_, n) => n + 1))
        expect(await stream.next()).toEqual({ done: true, value: undefined })
      })

      test("make no more items than the window allows, and end when the caller leaves the loop", async () => {
        const { call, state } = await game({ limits: { streamWindow: 8 } })
        const stream = await call<AsyncIterableIterator<number>>("endless")
        expect(await stream.next()).toEqual({ done: false, value: 1 })
        // While the consumer takes nothing, nothing more is made, however long that lasts.
        for (let n = 0; n < 50; n += 1) await call("nested.deep.ping")
        expect(state.made).toBeLessThanOrEqual(1 + 8)
        for await (const item of stream) if (item === 20) break
        await until(() => state.returned === 1)
        expect(state.made).toBeLessThanOrEqual(20 + 8 + 8)
      })

      test("outlast the timeout of the call, and end with the caller's signal", async () => {
        const timers = skippingTimers()
        const { call, state } = await game({ timers })
        const controller = new AbortController()
        const { signal } = controller
        // Its time is shorter than that after which a stream whose other end is silent is given up.
        const stream = await call<AsyncIterator<string>>("silent", 1, { timeoutMs: 8_000, signal })
        expect(await stream.next()).toEqual({ done: false, value: "open" })
        let settled = false
        const next = stream.next().finally(() => (settled = true))
        // A call with the same timeout that began later has timed out, so the time of the stream's call is over.
        const failing = expect(call("hang", 1, { timeoutMs: 8_000 })).rejects.toEqual(code("timeout"))
        await until(() => state.runs.length === 1)
        timers.skip(8_000)
        await failing
        expect(settled).toBe(false)
        const reason = new Error("enough")
        controller.abort(reason)
        await expect(next).rejects.toBe(reason)
        await until(() => state.returned === 1)
      })

      test("fail with instance_gone when the instance ends", async () => {
        const { call, served, state } = await game()
        const stream = await call<AsyncIterator<string>>("silent")
        await stream.next()
        const next = stream.next()
        served.end()
        await expect(next).rejects.toEqual(code("instance_gone"))
        await until(() => state.returned === 1)
      })

      test("fail with the handler's error, after the items before it, and tell no secret", async () => {
        const { call } = await game()
        for (const [input, error] of [
          ["openly", { code: "NOT_FOUND", message: "no such game" }],
          ["secretly", { code: "INTERNAL_SERVER_ERROR", message: "Internal Server Error" }],
        ] as const) {
          const stream = await call<AsyncIterator<number>>("breaking", input)
          expect(await stream.next()).toEqual({ done: false, value: 1 })
          await expect(stream.next()).rejects.toMatchObject({ code: "remote_error", reason: error })
        }
      })

      test("count as running until they end: drain waits for them", async () => {
        const { call, served } = await game()
        const stream = await call<AsyncIterator<string>>("silent")
        await stream.next()
        expect(await served.drain({ timeoutMs: 20 })).toBe(false)
        const drained = served.drain()
        await stream.return!()
        expect(await drained).toBe(true)
      })
    })

    test("refuses calls beyond maxRunningCalls with overloaded, and takes them again later", async () => {
      const { call, state } = await game({ limits: { maxRunningCalls: 2 } })
      const calls = [call("slow", 1), call("slow", 2)]
      await until(() => state.runs.length === 2)
      await expect(call("echo", 3)).rejects.toEqual(code("overloaded"))
      state.release()
      await Promise.all(calls)
      await expect(call("echo", 4)).resolves.toBe(4)
    })

    test("refuses calls beyond maxCallsInFlight with overloaded, and takes them again later", async () => {
      const { call, state } = await game({ limits: { maxCallsInFlight: 2 } })
      const calls = [call("slow", 1), call("slow", 2)]
      await expect(call("echo", 3)).rejects.toEqual(code("overloaded"))
      state.release()
      await Promise.all(calls)
      await expect(call("echo", 4)).resolves.toBe(4)
    })

    test("answers every one of 500 calls at once with its own answer", async () => {
      const { call, state } = await game()
      const outputs = await Promise.all(Array.from({ length: 500 }, (_, n) => call("echo", n, { timeoutMs: 110_000 })))
      expect(outputs).toEqual(Array.from({ length: 500 }, (_, n) => n))
      expect(state.runs).toHaveLength(500)
    })

    test("fails all calls with closed once the services are closed", async () => {
      const { call, caller, state } = await game()
      const calling = call("hang", 1, { timeoutMs: 60_000 }).catch((error: unknown) => error)
      await until(() => state.runs.length === 1)
      await caller.services.close({ drainMs: 0 })
      expect(await calling).toEqual(expect.objectContaining({ code: expect.stringMatching(/closed|instance_gone/) }))
      await expect(call("echo", 1)).rejects.toEqual(code("closed"))
    })

    if (bus.isOneNode === true) return

    test("refuses payloads beyond maxPayloadBytes, of inputs and of answers, before they are sent", async () => {
      const { call, state } = await game({ limits: { maxPayloadBytes: 10_000 } })
      await expect(call("echo", "x".repeat(10_000))).rejects.toEqual(code("payload_too_large"))
      expect(state.runs).toEqual([])
      await expect(call("large", 10_000)).rejects.toEqual(code("payload_too_large"))
      await expect(call("large", 9_900)).resolves.toHaveLength(9_900)
    })

    test("refuses what JSON cannot carry, to the caller or as the handler's mistake", async () => {
      const { call } = await game()
      const circle: { self?: object } = {}
      circle.self = circle
      await expect(call("echo", circle)).rejects.toEqual(code("config"))
      await expect(call("echo", new Blob(["x"]))).rejects.toEqual(code("config"))
      await expect(call("echo", new ReadableStream())).rejects.toEqual(code("config"))
      await expect(call("echo", (async function* () {})())).rejects.toEqual(code("config"))
      await expect(call("unwritable")).rejects.toEqual(code("remote_error"))
    })
  })
}

import { os } from "@orpc/server"
import { afterEach, describe, expect, test } from "vitest"
import { local, LocalBus } from "../../src/pubsub/index.ts"
import { createServer, type ServerOptions } from "../../src/server/index.ts"
import { createServices, type CallContext } from "../../src/services/index.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import { until } from "../support/until.ts"

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close()
})

const quiet = { warn: () => undefined, error: () => undefined }

function serverOn(bus: LocalBus, node: string, options: ServerOptions = {}) {
  const server = createServer({ pubsub: local({ bus, node }), logger: quiet, ...options })
  closing.push(() => server.close())
  return server
}

describe("the services of a server", () => {
  test("are those of its tracker and its bus, and always the same object", async () => {
    const bus = new LocalBus()
    const [a, b] = [serverOn(bus, "a"), serverOn(bus, "b")]
    expect(a.services).toBe(a.services)
    a.services.serve("game", { ping: os.$context<CallContext>().handler(({ context: { caller } }) => ({ caller })) })
    await until(() => b.services.list("game").length === 1)
    await until(() =>
      b.services.call("game", "ping").then(
        (context) => (context as { caller: { node: string } }).caller.node === "b",
        () => false,
      ),
    )
  })

  test("work on a server without a bus", async () => {
    const server = createServer({ logger: quiet })
    closing.push(() => server.close())
    server.services.serve("game", { ping: os.handler(() => "pong") })
    expect(await server.services.call("game", "ping")).toBe("pong")
    expect(server.services.list("game")).toMatchObject([{ id: "game#1@local", node: "local" }])
  })

  test("take the secret and the limits of the server's options", async () => {
    const bus = new LocalBus()
    const server = serverOn(bus, "a", { services: { limits: { maxRunningCalls: 1 } } })
    const hang = os.handler(
      ({ signal }) => new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason))),
    )
    server.services.serve("game", { hang })
    // Ended by hand: a short timeout might end it before the second call has come.
    const hanging = new AbortController()
    void server.services.call("game", "hang", 1, { signal: hanging.signal }).catch(() => undefined)
    await expect(server.services.call("game", "hang")).rejects.toMatchObject({ code: "overloaded" })
    hanging.abort()
  })

  test("refuse an invalid secret or limit when the server is created, not at their first use", () => {
    for (const services of [{ secret: "short" }, { limits: { maxRunningCalls: 0 } }]) {
      expect(() => serverOn(new LocalBus(), "b", { services })).toThrow(expect.objectContaining({ code: "config" }))
    }
  })

  test("are counted among the server's counters, and their errors are logged", async () => {
    const errors: unknown[] = []
    const server = createServer({
      logger: {
        ...quiet,
        error: (_, details) => void errors.push((details as { error?: unknown } | undefined)?.error),
      },
    })
    closing.push(() => server.close())
    const failure = new Error("the handler failed")
    server.services.serve("game", {
      fail: os.handler(() => {
        throw failure
      }),
    })
    await expect(server.services.call("game", "fail")).rejects.toMatchObject({ code: "remote_error" })
    expect(server.stats().counters).toMatchObject({ services_calls: 1, services_handler_errors: 1 })
    expect(errors).toEqual([failure])
  })

  test("end when the server closes: running calls are answered first, and no other node lists them afterwards", async () => {
    const bus = new LocalBus()
    const [a, b] = [serverOn(bus, "a"), serverOn(bus, "b")]
    let release = (): void => undefined
    let isRunning = false
    a.services.serve("game", {
      ping: os.handler(() => "pong"),
      slow: os.handler(() => {
        isRunning = true
        return new Promise((resolve) => (release = () => resolve("answered")))
      }),
    })
    await until(() =>
      b.services.call("game", "ping").then(
        () => true,
        () => false,
      ),
    )
    const calling = b.services.call("game", "slow", 1, { timeoutMs: 60_000 })
    await until(() => isRunning)
    const closed = a.close()
    release()
    await expect(calling).resolves.toBe("answered")
    await closed
    await until(() => b.services.list("game").length === 0)
  })

  test("can be called through another services object on the same tracker", async () => {
    const pubsub = local({ bus: new LocalBus(), node: "a" })
    const tracker = createTracker({ pubsub })
    const server = serverOn(new LocalBus(), "unused", { pubsub, tracker })
    const own = createServices({ tracker, pubsub })
    server.services.serve("game", { ping: os.handler(() => "pong") })
    expect(await own.call("game", "ping")).toBe("pong")
    await own.close()
    expect(await server.services.call("game", "ping")).toBe("pong")
  })

  test("keep nothing open when they were not used", async () => {
    const server = createServer({ logger: quiet })
    await server.close()
    expect(server.stats().status).toBe("closing")
  })
})

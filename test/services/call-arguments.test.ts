import { os } from "@orpc/server"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { CallOptions } from "../../src/services/index.ts"
import { callerAndHost } from "./two-nodes.ts"

let nodes: Awaited<ReturnType<typeof callerAndHost>>
beforeAll(async () => {
  const router = {
    echo: os.handler(({ input }) => input),
    trace: os.handler(({ context }) => (context as { traceparent?: string }).traceparent ?? "none"),
  }
  nodes = await callerAndHost(router)
})
afterAll(() => nodes.close())

const any = (value: unknown): never => value as never

describe("an argument that is wrong is a config error at once, which says what came", () => {
  const names: readonly (readonly [string, unknown, string])[] = [
    ["empty", "", "an empty one"],
    ["a number", 5, "a number"],
    ["missing", undefined, "nothing"],
    ["null", null, "null"],
    ["a symbol", Symbol("game"), "a symbol"],
  ]
  test.each(names)("a name of a service that is %s", async (_, name, got) => {
    const { services } = nodes.caller
    const wrong = { code: "config", message: expect.stringContaining(`name of a service to be a text, got ${got}`) }
    await expect(services.call(any(name), "echo")).rejects.toMatchObject(wrong)
    await expect(services.client<{ echo: () => never }>(any(name)).echo()).rejects.toMatchObject(wrong)
    for (const use of [
      () => services.cast(any(name), "echo"),
      () => services.callAll(any(name), "echo"),
      () => services.list(any(name)),
      () => services.watch(any(name), () => undefined),
      () => services.announce(any(name)),
      () => services.place(any(name)),
    ]) {
      expect(use).toThrow(expect.objectContaining(wrong))
    }
  })

  test.each<[string, unknown, string]>([
    ["is empty", "", `got ""`],
    ["has an empty part", "rooms..create", `got "rooms..create"`],
    ["has no parts", [], "got an array of 0"],
    ["has an empty part in a list", ["rooms", ""], "got an array of 2"],
    ["is missing", undefined, "got nothing"],
  ])("a method that %s", async (_, method, got) => {
    const wrong = { code: "config", message: expect.stringContaining(got) }
    await expect(nodes.caller.services.call("game", any(method))).rejects.toMatchObject(wrong)
  })

  test.each<[string, object, string]>([
    ["signal", { signal: null }, "got null"],
    ["signal", { signal: "abort" }, "got a string"],
    ["signal", { signal: {} }, "got an object"],
    ["idempotent", { idempotent: "no" }, "got a string"],
    ["idempotent", { idempotent: null }, "got null"],
    ["traceparent", { traceparent: 5 }, "got a number"],
    ["timeoutMs", { timeoutMs: "500" }, "got a string"],
    ["timeoutMs", { timeoutMs: 2 ** 31 }, "got 2147483648"],
    ["timeoutMs", { timeoutMs: Number.NaN }, "got NaN"],
    ["retries", { retries: "2" }, "got a string"],
    ["route", { route: null }, "got null"],
  ])("the option %s of a call: %j", async (name, options, got) => {
    const { services } = nodes.caller
    const wrong = { code: "config", message: expect.stringMatching(new RegExp(`${name} .*${got}`)) }
    await expect(services.call("game", "echo", 1, options as CallOptions)).rejects.toMatchObject(wrong)
    expect(() => services.cast("game", "echo", 1, options as CallOptions)).toThrow(expect.objectContaining(wrong))
  })

  test.each([[null], [5], ["fast"], [[]]])("options that are no object: %j", async (options) => {
    const { services } = nodes.caller
    const wrong = { code: "config", message: expect.stringContaining("to be an object, got") }
    await expect(services.call("game", "echo", 1, any(options))).rejects.toMatchObject(wrong)
    expect(() => services.announce("game", any(options))).toThrow(expect.objectContaining(wrong))
    expect(() => services.serve("game", { echo: os.handler(() => 1) }, any(options))).toThrow(
      expect.objectContaining(wrong),
    )
    expect(() => services.place("session", undefined, any(options))).toThrow(expect.objectContaining(wrong))
  })

  test("a listener that is no function", () => {
    const wrong = { code: "config", message: expect.stringContaining("expected a listener, got nothing") }
    expect(() => nodes.caller.services.watch("game", any(undefined))).toThrow(expect.objectContaining(wrong))
  })

  test.each([
    [Number.MAX_VALUE, "got 1.79"],
    ["2", "got a string"],
    [0, "got 0"],
  ])("a weight of %j", (weight, got) => {
    const { services } = nodes.caller
    expect(() => services.announce("game", { weight: any(weight) })).toThrow(
      expect.objectContaining({ code: "config", message: expect.stringContaining(got) }),
    )
  })

  test("a route that is async", async () => {
    const wrong = { code: "bad_route", message: expect.stringContaining("got a promise; a route must return") }
    const route = async (instances: readonly unknown[]) => instances[0]
    await expect(nodes.caller.services.call("game", "echo", 1, { route: any(route) })).rejects.toMatchObject(wrong)
  })
})

test("a traceparent that is malformed, as any client can send one, is as none", async () => {
  const { services } = nodes.caller
  const traceOf = (traceparent: string) => services.call("game", "trace", 1, { traceparent })
  expect(await traceOf("garbage")).toBe("none")
  // A receiver would drop a message of this size.
  expect(await traceOf("0".repeat(2_000_000))).toBe("none")
  const valid = `00-${"1".repeat(32)}-${"2".repeat(16)}-01`
  expect(await traceOf(valid)).toBe(valid)
})

test.each([
  ["long", "m".repeat(20_000)],
  ["with a line break", "spawn\n\u001B[2JERROR all is lost"],
])("the error of a method that is %s is one short line", async (_, method) => {
  const error = await nodes.caller.services.call("game", method).catch((thrown: unknown) => thrown as Error)
  expect(error).toMatchObject({ code: "remote_error" })
  expect((error as Error).message.length).toBeLessThan(400)
  expect((error as Error).message).not.toContain("\n")
  expect((error as Error).message).not.toContain("\u001B")
})

test.each(["__proto__", "constructor", "a@b", "a#1@b", "x".repeat(10_000), "\uD800", "ü:é\n"])(
  "a service can have any name: %j",
  async (name) => {
    const { caller, host } = nodes
    const served = host.services.serve(name, { echo: os.handler(({ input }) => input) })
    await served.ready
    const seen = new Promise<void>((resolve) => {
      const found = (): void => {
        if (caller.services.list(name).length > 0) resolve()
      }
      caller.services.watch(name, found)
      found()
    })
    await seen
    expect(caller.services.list(name)).toMatchObject([{ id: served.id, node: "host" }])
    expect(await caller.services.call(name, "echo", "hello")).toBe("hello")
    served.end()
  },
)

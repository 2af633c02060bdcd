import { describe, expect, it } from "vitest"
import { createServer } from "../../src/server/index.ts"
import type { ServerOptions } from "../../src/server/index.ts"
import { linked } from "../support/linked.ts"

describe("createServer", () => {
  // With such a time, a timer would fire at once. With such a number, a comparison would never be true.
  it.each<[keyof ServerOptions, unknown, string]>([
    ["maxChannels", 0, "expected maxChannels to be a number above 0, got 0"],
    ["maxChannels", "10", 'expected maxChannels to be a number above 0, got "10"'],
    ["maxFrameBytes", NaN, "expected maxFrameBytes to be a number above 0, got NaN"],
    ["maxUpdatesPerSecond", 0.5, "expected maxUpdatesPerSecond to be 1 or more, got 0.5"],
    ["handlerTimeoutMs", Infinity, "expected handlerTimeoutMs to be at most 2147483647 ms, got Infinity"],
    ["idleTimeoutMs", 2 ** 31, "expected idleTimeoutMs to be at most 2147483647 ms, got 2147483648"],
    ["presenceWindowMs", NaN, "expected presenceWindowMs to be false or a time of 0 to 2147483647 ms, got NaN"],
    ["presenceWindowMs", -5, "expected presenceWindowMs to be false or a time of 0 to 2147483647 ms, got -5"],
    ["presenceWindowMs", "5", 'expected presenceWindowMs to be false or a time of 0 to 2147483647 ms, got "5"'],
    ["trustProxy", -1, "expected trustProxy to be true, false or a number of proxies, got -1"],
    ["trustProxy", 1.5, "expected trustProxy to be true, false or a number of proxies, got 1.5"],
  ])("refuses the option %s: %j", (name, value, message) => {
    expect(() => createServer({ [name]: value })).toThrow(
      expect.objectContaining({ code: "config", message: linked(message) }),
    )
  })

  it("refuses a secret shorter than 32 bytes, such as the empty text of an unset environment variable", () => {
    const message = "expected a secret of at least 32 bytes, got"
    expect(() => createServer({ secret: "" })).toThrow(`${message} 0`)
    expect(() => createServer({ secret: "x".repeat(31) })).toThrow(`${message} 31`)
    expect(() => createServer({ secret: "é".repeat(16) })).not.toThrow()
  })

  it("accepts Infinity for a limit that is not a time, and false for presenceWindowMs", () => {
    expect(() => createServer({ maxFramesPerSecond: Infinity, presenceWindowMs: false })).not.toThrow()
  })
})

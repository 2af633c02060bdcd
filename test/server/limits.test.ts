import { describe, expect, it } from "vitest"
import { createServer } from "../../src/server/index.ts"
import type { ServerOptions } from "../../src/server/index.ts"

describe("a limit", () => {
  it.each<[keyof ServerOptions, unknown, string]>([
    ["maxChannels", 0, "expected maxChannels to be a number above 0, got 0"],
    ["maxChannels", "10", 'expected maxChannels to be a number above 0, got "10"'],
    ["maxFrameBytes", NaN, "expected maxFrameBytes to be a number above 0, got NaN"],
    ["handlerTimeoutMs", Infinity, "expected handlerTimeoutMs to be at most 2147483647 ms, got Infinity"],
    ["idleTimeoutMs", 2 ** 31, "expected idleTimeoutMs to be at most 2147483647 ms, got 2147483648"],
    ["presenceWindowMs", NaN, "expected presenceWindowMs to be false or a time of 0 to 2147483647 ms, got NaN"],
    ["presenceWindowMs", -5, "expected presenceWindowMs to be false or a time of 0 to 2147483647 ms, got -5"],
  ])(
    "%s is not to be %j: a timer of such a length would fire at once, a comparison never hold",
    (name, value, message) => {
      expect(() => createServer({ [name]: value })).toThrow(message)
    },
  )

  it("of a secret is 32 bytes at least: what is not set in the environment is no secret", () => {
    const message = "expected a secret of at least 32 bytes, got"
    expect(() => createServer({ secret: "" })).toThrow(`${message} 0`)
    expect(() => createServer({ secret: "x".repeat(31) })).toThrow(`${message} 31`)
    expect(() => createServer({ secret: "é".repeat(16) })).not.toThrow()
  })

  it("that is no time may be none", () => {
    expect(() => createServer({ maxFramesPerSecond: Infinity, presenceWindowMs: false })).not.toThrow()
  })
})

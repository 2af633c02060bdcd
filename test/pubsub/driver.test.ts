import { expect, test } from "vitest"
import { loadDriver, unreachable } from "../../src/pubsub/engine-unreachable.ts"
import { ConfigError, RollcallError } from "../../src/error.ts"

test("a driver that is not installed is named, with the command that installs it", async () => {
  const attempt = loadDriver("redis", () => import("no-such-package" as string))
  await expect(attempt).rejects.toBeInstanceOf(ConfigError)
  await expect(attempt).rejects.toThrow("npm install redis")
})

test("an engine that cannot be reached says what it answered instead, whatever was thrown", () => {
  expect(unreachable("Redis", new Error("refused"))).toBeInstanceOf(RollcallError)
  expect(unreachable("Redis", new Error("refused")).message).toContain("refused")
  expect(unreachable("NATS", "no").message).toContain("no")
})

import { expect, test } from "vitest"
import { RollcallError } from "../../src/error.ts"
import { unreachable } from "../../src/pubsub/engine-unreachable.ts"

test("an unreachable engine is reported with what came instead of an answer, whatever was thrown", () => {
  expect(unreachable("Redis", new Error("refused"))).toBeInstanceOf(RollcallError)
  expect(unreachable("Redis", new Error("refused")).message).toContain("refused")
  expect(unreachable("NATS", "no").message).toContain("no")
})

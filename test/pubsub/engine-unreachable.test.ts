import { expect, test } from "vitest"
import { RollcallError } from "../../src/error.ts"
import { engineUnreachable } from "../../src/pubsub/engine-unreachable.ts"

test("an unreachable engine is reported with what came instead of an answer, whatever was thrown", () => {
  expect(engineUnreachable("Redis", new Error("refused"))).toBeInstanceOf(RollcallError)
  expect(engineUnreachable("Redis", new Error("refused")).message).toContain("refused")
  expect(engineUnreachable("NATS", "no").message).toContain("no")
})

import { expect, test } from "vitest"
import { RollcallError } from "../../src/error.ts"
import { engineUnreachable } from "../../src/pubsub/engine-unreachable.ts"

test("the error of an unreachable engine contains the reason, whatever type was thrown", () => {
  expect(engineUnreachable("Redis", new Error("refused"))).toBeInstanceOf(RollcallError)
  expect(engineUnreachable("Redis", new Error("refused")).message).toContain("refused")
  expect(engineUnreachable("NATS", "no").message).toContain("no")
})

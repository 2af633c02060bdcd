/** The errors of the client: their messages carry the server's reason. */
import { expect, it } from "vitest"
import { JoinRejected } from "../../src/client/index.ts"

it.each([
  [{ reason: "unauthorized" }, /join of rooms:1: unauthorized \(see/],
  [{ reason: "banned", until: 2030 }, /: banned \(see/],
  [{}, /: {} \(see/],
  ["full", /: "full" \(see/],
  [null, /: null \(see/],
  [undefined, /: undefined \(see/],
])("JoinRejected has the server's reason in its message: %j", (reason, message) => {
  const error = new JoinRejected("rooms:1", reason)
  expect(error.message).toMatch(message)
  expect(error).toMatchObject({ code: "join_rejected", reason })
})

it("JoinRejected accepts a reason that JSON cannot write, such as a BigInt of another serializer", () => {
  const reason = { reason: 1n }
  expect(new JoinRejected("rooms:1", reason).reason).toBe(reason)
})

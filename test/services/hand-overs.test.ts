import { expect, test } from "vitest"
import { HandOvers } from "../../src/services/hand-overs.ts"
import { LocalProcesses } from "../../src/services/local-processes.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import { clock } from "../support/clock.ts"

/** The processes of one node, and its side of hand-overs. */
function taking() {
  const seen: string[] = []
  const timers = clock()
  const errors: unknown[] = []
  const onError = (error: unknown): void => void errors.push(error)
  let failures = 0
  const locals = new LocalProcesses({
    kind: "session",
    definition: {
      start(id, state) {
        if (failures-- > 0) throw new Error("start fails")
        seen.push(`start ${id} ${String(state)}`)
        return {}
      },
      stop: () => undefined,
      merge: (id, state) => void seen.push(`merge ${id} ${String(state)}`),
    },
    tracker: createTracker(),
    timers,
    topic: "t",
    instance: "p@local",
    pid: "p",
    run: "r",
    handOverMs: 0,
    onError,
  })
  const handOvers = new HandOvers({
    kind: "session",
    self: "p@local",
    locals,
    timers,
    random: () => 0.5,
    reason: () => undefined,
    target: () => undefined,
    isThere: () => true,
    give: () => Promise.resolve(),
    given: () => undefined,
    newMove: () => "m",
    count: () => undefined,
    onError,
  })
  const fail = (times: number): void => void (failures = times)
  return { handOvers, seen, errors, fail }
}

test("a move that comes twice is taken once, also while the first one is still being taken", async () => {
  const { handOvers, seen } = taking()
  const request = { id: "ada", state: 5, move: "m1", ended: "r" }
  await Promise.all([handOvers.take(request, true), handOvers.take(request, true)])
  await handOvers.take(request, true)
  expect(seen).toEqual(["start ada 5"])
})

test("another move to a process that runs is merged into it", async () => {
  const { handOvers, seen } = taking()
  await handOvers.take({ id: "ada", state: 5, move: "m1", ended: "r" }, true)
  await handOvers.take({ id: "ada", state: 6, move: "m2", ended: "r" }, true)
  await handOvers.take({ id: "ada", state: undefined, move: "m3", ended: "r" }, true)
  expect(seen).toEqual(["start ada 5", "merge ada 6"])
})

test("a move whose start failed may come again", async () => {
  const { handOvers, seen, errors, fail } = taking()
  fail(1)
  const request = { id: "ada", state: 5, move: "m1", ended: "r" }
  await expect(handOvers.take(request, true)).rejects.toMatchObject({ code: "remote_error" })
  expect(errors).toMatchObject([{ message: "start fails" }])
  await handOvers.take(request, true)
  expect(seen).toEqual(["start ada 5"])
})

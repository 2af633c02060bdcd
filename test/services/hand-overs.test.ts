import { expect, test } from "vitest"
import { timedOut } from "../../src/services/errors.ts"
import { HandOvers, type MoveRequest } from "../../src/services/hand-overs.ts"
import type { Instance } from "../../src/services/instance-row.ts"
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
  let isLeaving = false
  let isDeaf = false
  const given: MoveRequest[] = []
  const other: Instance = { id: "p@other", node: "other", since: 0, meta: {}, weight: 1, draining: false }
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
    tracker: createTracker({ name: "local" }),
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
    reason: () => (isLeaving ? "moved" : undefined),
    target: () => other,
    isThere: () => true,
    async give(_instance, request) {
      given.push(request)
      if (isDeaf) throw timedOut("give", 1_000)
    },
    given: () => undefined,
    newMove: () => "m",
    count: () => undefined,
    onError,
  })
  const fail = (times: number): void => void (failures = times)
  const leave = async (id: string): Promise<void> => {
    isLeaving = true
    await handOvers.handOver(id)
  }
  const loseAnswers = (): void => void (isDeaf = true)
  const refOf = (id: string): string => locals.refOf(id)
  return { handOvers, seen, errors, fail, given, leave, refOf, loseAnswers, timers }
}

test("a move that comes twice is taken once, also while the first one is still being taken", async () => {
  const { handOvers, seen } = taking()
  const request = { id: "ada", state: 5, move: "m1", ended: "r", replaced: [] }
  await Promise.all([handOvers.take(request, true), handOvers.take(request, true)])
  await handOvers.take(request, true)
  expect(seen).toEqual(["start ada 5"])
})

test("another move to a process that runs is merged into it", async () => {
  const { handOvers, seen } = taking()
  await handOvers.take({ id: "ada", state: 5, move: "m1", ended: "r", replaced: [] }, true)
  await handOvers.take({ id: "ada", state: 6, move: "m2", ended: "s", replaced: [] }, true)
  await handOvers.take({ id: "ada", state: undefined, move: "m3", ended: "t", replaced: [] }, true)
  expect(seen).toEqual(["start ada 5", "merge ada 6"])
})

test("a state that has come already by way of other nodes is not merged a second time", async () => {
  const { handOvers, seen } = taking()
  // Node 1 gave it to node 2, which got no answer through, and gave it on to this one. Then node 1 tries this one as well.
  await handOvers.take({ id: "ada", state: 7, move: "2 to 3", ended: "second", replaced: ["first"] }, true)
  await handOvers.take({ id: "ada", state: 5, move: "1 to 3", ended: "first", replaced: [] }, true)
  expect(seen).toEqual(["start ada 7"])
})

test("a state that is handed on names the processes that it is from", async () => {
  const { handOvers, given, leave, refOf } = taking()
  await handOvers.take({ id: "ada", state: 7, move: "m1", ended: "second", replaced: ["first"] }, true)
  const ended = refOf("ada")
  await leave("ada")
  expect(given).toMatchObject([{ id: "ada", ended, replaced: ["first", "second", given[0]!.replaced[2]] }])
  // Its row has another `phx_ref` since its stop began.
  expect(given[0]!.replaced[2]).not.toBe(ended)
})

test("a state comes back, although the answer to its first hand-over was lost, and is not handed over again", async () => {
  const { handOvers, given, leave, seen, loseAnswers, timers } = taking()
  await handOvers.take({ id: "ada", state: 7, move: "m1", ended: "first", replaced: [] }, true)
  loseAnswers()
  const leaving = leave("ada")
  await expect.poll(() => given).toHaveLength(1)
  const [{ ended }] = given as [MoveRequest]
  const unrelated = { id: "ada", state: 9, move: "m2", ended: "other", replaced: [] }
  await expect(handOvers.take(unrelated, true)).rejects.toMatchObject({ code: "moving" })
  await handOvers.take({ id: "ada", state: 8, move: "m3", ended: "third", replaced: ["first", ended] }, true)
  timers.advance(60_000)
  await leaving
  expect(given).toHaveLength(1)
  expect(seen).toEqual(["start ada 7", "start ada 8"])
})

test("a move whose start failed may come again", async () => {
  const { handOvers, seen, errors, fail } = taking()
  fail(1)
  const request = { id: "ada", state: 5, move: "m1", ended: "r", replaced: [] }
  await expect(handOvers.take(request, true)).rejects.toMatchObject({ code: "remote_error" })
  expect(errors).toMatchObject([{ message: "start fails" }])
  await handOvers.take(request, true)
  expect(seen).toEqual(["start ada 5"])
})

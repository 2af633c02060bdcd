import { expect, test } from "vitest"
import { ConfigError, RollcallError } from "../../src/error.ts"
import type { Timers } from "../../src/timers.ts"
import { createTracker, type Diff, type Row, type Tracker } from "../../src/tracker/tracker.ts"
import { keysOf } from "./seeded-cluster.ts"

const codeOf = (run: () => unknown): unknown => {
  try {
    run()
  } catch (error) {
    return error instanceof RollcallError ? error.code : error
  }
  return undefined
}

function fail(): never {
  throw new Error("from the callback")
}

function diffsOf(tracker: Tracker): Diff[] {
  const diffs: Diff[] = []
  tracker.onDiff((diff) => void diffs.push(diff))
  return diffs
}

test("a tracker without a bus sets no timer", async () => {
  const timers: Timers = {
    now: () => 0,
    set: () => expect.unreachable("a timer was set"),
    clear: () => {},
    soon: () => expect.unreachable("a callback was scheduled"),
  }
  const tracker = createTracker({ timers })
  tracker.track("1", "room", "ada", {})
  tracker.update("1", "room", "ada", {})
  tracker.untrack("1")
  await tracker.close()
})

test("track adds a meta with a phx_ref, and refuses the same pid, topic and key again (T36)", () => {
  const tracker = createTracker()
  const ref = tracker.track("1", "room", "ada", { name: "Ada", phx_ref: "mine", phx_ref_prev: "too" })
  const rows: readonly Row[] = tracker.list("room")
  expect(rows).toMatchObject([{ topic: "room", pid: "1@local", key: "ada" }])
  expect(rows[0]?.meta).toEqual({ name: "Ada", phx_ref: ref })
  expect(codeOf(() => tracker.track("1", "room", "ada", {}))).toBe("already_tracked")
  tracker.track("2", "room", "ada", {})
  tracker.track("1", "room", "bob", {})
  tracker.track("1", "hall", "ada", {})
  expect(tracker.getByKey("room", "ada").map((row) => row.pid)).toEqual(["1@local", "2@local"])
})

test("size is the number of presences in all topics and shards", () => {
  const tracker = createTracker({ poolSize: 3 })
  for (const topic of ["a", "b", "c", "d"]) for (const key of ["ada", "bob"]) tracker.track("1", topic, key, {})
  tracker.update("1", "a", "ada", {})
  expect(tracker.size).toBe(8)
  tracker.untrack("1", "a")
  expect(tracker.size).toBe(6)
  tracker.untrack("1")
  expect(tracker.size).toBe(0)
})

test("update sets a new phx_ref and names the old one, in one diff; it refuses an untracked presence (T37)", () => {
  const tracker = createTracker()
  const old = tracker.track("1", "room", "ada", { n: 1 })
  const diffs = diffsOf(tracker)
  const next = tracker.update("1", "room", "ada", ({ n }) => ({ n: Number(n) + 1 }))
  expect(tracker.list("room")[0]?.meta).toEqual({ n: 2, phx_ref: next, phx_ref_prev: old })
  expect(diffs.map(keysOf)).toEqual([["+ada", "-ada"]])
  expect(diffs[0]?.get("room")?.joins[0]?.meta.phx_ref_prev).toBe(old)
  expect(codeOf(() => tracker.update("2", "room", "ada", {}))).toBe("not_tracked")
})

test("untrack removes one presence, all of a pid in a topic, or all of a pid, in one diff each (T37)", () => {
  const tracker = createTracker({ poolSize: 3 })
  for (const topic of ["room", "hall"]) {
    for (const key of ["ada", "bob"]) tracker.track("1", topic, key, {})
    tracker.track("2", topic, "eve", {})
  }
  const diffs = diffsOf(tracker)
  tracker.untrack("1", "room", "ada")
  tracker.untrack("1", "room", "absent")
  tracker.untrack("1", "hall")
  tracker.untrack("1")
  tracker.untrack("1")
  expect(diffs.map(keysOf)).toEqual([["-ada"], ["-ada", "-bob"], ["-bob"]])
  expect([...tracker.list("room"), ...tracker.list("hall")].map((row) => row.key)).toEqual(["eve", "eve"])
})

test("an update keeps its position, and getByPid returns the presences of a pid, oldest first", () => {
  const tracker = createTracker()
  for (const key of ["ada", "bob", "eve"]) tracker.track("1", "room", key, {})
  tracker.update("1", "room", "ada", {})
  expect(tracker.list("room").map((row) => row.key)).toEqual(["ada", "bob", "eve"])
  expect(tracker.getByPid("1", "room").map((row) => row.key)).toEqual(["ada", "bob", "eve"])
  expect(tracker.getByPid("2", "room")).toEqual([])
})

test("topics, keys and pids can have the names of inherited properties", () => {
  const tracker = createTracker()
  for (const name of ["__proto__", "constructor", "toString"]) {
    expect(tracker.list(name)).toEqual([])
    tracker.track(name, name, name, JSON.parse('{"__proto__":{"x":1}}') as object)
    expect(tracker.getByKey(name, name)).toHaveLength(1)
    expect(Object.hasOwn(tracker.list(name)[0]?.meta ?? {}, "__proto__")).toBe(true)
    tracker.untrack(name)
    expect(tracker.list(name)).toEqual([])
  }
})

test("track and update throw for a meta that is not a JSON object", () => {
  const tracker = createTracker()
  const circular: Record<string, unknown> = {}
  circular["self"] = circular
  for (const meta of [null, 1, "x", [], circular, { n: 1n }] as object[]) {
    expect(() => tracker.track("1", "room", "ada", meta)).toThrow(ConfigError)
  }
  expect(tracker.list("room")).toEqual([])
  tracker.track("1", "room", "ada", { n: 1 })
  expect(() => tracker.update("1", "room", "ada", circular)).toThrow(ConfigError)
  expect(tracker.list("room")[0]?.meta["n"]).toBe(1)
})

test("track and update throw for a pid, a topic or a key that is not a string, and name it", () => {
  const tracker = createTracker()
  tracker.track("1", "room", "ada", { n: 1 })
  for (const [name, pid, topic, key] of [
    ["pid", 1, "room", "ada"],
    ["topic", "1", 7, "ada"],
    ["key", "1", "room", 7],
    ["key", "1", "room", undefined],
  ]) {
    const names = [pid, topic, key] as [string, string, string]
    const expected = expect.objectContaining({
      name: "ConfigError",
      message: expect.stringContaining(`expected ${name} to be a string, got `) as string,
    })
    expect(() => tracker.track(...names, {})).toThrow(expected)
    expect(() => tracker.update(...names, {})).toThrow(expected)
  }
  expect(tracker.size).toBe(1)
})

test("a meta is a JSON copy: later changes to the object have no effect", () => {
  const tracker = createTracker()
  const meta = { tags: ["a"], at: new Date(0), gone: undefined }
  const ref = tracker.track("1", "room", "ada", meta)
  meta.tags.push("b")
  const shown = { tags: ["a"], at: "1970-01-01T00:00:00.000Z", phx_ref: ref }
  expect(tracker.list("room")[0]?.meta).toStrictEqual(shown)
})

test("an update whose function untracks the presence is refused, and the presence stays untracked", () => {
  const tracker = createTracker()
  tracker.track("1", "room", "ada", {})
  const diffs = diffsOf(tracker)
  const change = (): object => {
    tracker.untrack("1")
    return { back: true }
  }
  expect(codeOf(() => tracker.update("1", "room", "ada", change))).toBe("not_tracked")
  expect(tracker.list("room")).toEqual([])
  expect(diffs.map(keysOf)).toEqual([["-ada"]])
})

test("an update whose function updates the same presence replaces that update", () => {
  const tracker = createTracker()
  tracker.track("1", "room", "ada", { n: 0 })
  let between: string | undefined
  const last = tracker.update("1", "room", "ada", () => {
    between = tracker.update("1", "room", "ada", { n: 1 })
    return { n: 2 }
  })
  expect(tracker.list("room")[0]?.meta).toEqual({ n: 2, phx_ref: last, phx_ref_prev: between })
})

test("a listener gets the changes after it was added, and none from before", () => {
  const tracker = createTracker()
  const received: string[][] = []
  let shown: string[] | undefined
  tracker.onDiff(() => {
    if (shown !== undefined) return
    tracker.track("2", "room", "bob", {})
    shown = tracker.list("room").map((row) => row.key)
    tracker.onDiff((diff) => void received.push(keysOf(diff)))
  })
  tracker.track("1", "room", "ada", {})
  tracker.track("3", "room", "eve", {})
  expect([shown, received]).toEqual([["ada", "bob"], [["+eve"]]])
})

test("a listener that another one removes during a notification does not get that diff", () => {
  const tracker = createTracker()
  const received: string[][] = []
  tracker.onDiff(() => undo())
  const undo = tracker.onDiff((diff) => void received.push(keysOf(diff)))
  tracker.track("1", "room", "ada", {})
  expect(received).toEqual([])
})

test("a listener that is added twice is called twice, and each undo removes one of the two", () => {
  const tracker = createTracker()
  let calls = 0
  const listener = (): void => void (calls += 1)
  const undos = [tracker.onDiff(listener), tracker.onDiff(listener)]
  tracker.track("1", "room", "ada", {})
  expect(calls).toBe(2)
  undos[0]!()
  undos[0]!()
  tracker.track("2", "room", "bob", {})
  expect(calls).toBe(3)
})

test("listeners are called after the change, and a diff that a listener causes follows the current one (D13)", () => {
  const tracker = createTracker()
  const seen: string[] = []
  tracker.onDiff((diff) => {
    seen.push(`first ${keysOf(diff).join()} of ${tracker.list("room").length}`)
    if (tracker.list("room").length < 3) tracker.track(`${tracker.list("room").length}`, "room", "more", {})
  })
  tracker.onDiff((diff) => void seen.push(`second ${keysOf(diff).join()}`))
  tracker.track("0", "room", "ada", {})
  expect(seen).toEqual([
    "first +ada of 1",
    "second +ada",
    "first +more of 2",
    "second +more",
    "first +more of 3",
    "second +more",
  ])
})

test("an exception of a listener is reported, and neither stops the others nor the operation", () => {
  const errors: unknown[] = []
  const tracker = createTracker({ onError: (error) => void errors.push(error) })
  const failure = new Error("from the listener")
  tracker.onDiff(() => {
    throw failure
  })
  const diffs = diffsOf(tracker)
  tracker.track("1", "room", "ada", {})
  tracker.track("2", "room", "bob", {})
  expect(diffs).toHaveLength(2)
  expect(errors).toEqual([failure, failure])
})

test("exceptions of onError and count are ignored", () => {
  const tracker = createTracker({ onError: fail, count: fail })
  tracker.onDiff(fail)
  tracker.track("1", "room", "ada", {})
  expect(tracker.list("room")).toHaveLength(1)
})

test("a listener gets no diffs after its undo, nor after close", async () => {
  const tracker = createTracker()
  const [first, second]: Diff[][] = [[], []]
  const undo = tracker.onDiff((diff) => void first!.push(diff))
  tracker.onDiff((diff) => void second!.push(diff))
  undo()
  undo()
  tracker.track("1", "room", "ada", {})
  await tracker.close()
  await tracker.close()
  tracker.track("2", "room", "bob", {})
  expect([first!.length, second!.length]).toEqual([0, 1])
})

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
  throw new Error("mine")
}

function told(tracker: Tracker): Diff[] {
  const diffs: Diff[] = []
  tracker.onDiff((diff) => void diffs.push(diff))
  return diffs
}

test("a tracker alone sets no timer and needs nothing to be started", async () => {
  const timers: Timers = {
    now: () => 0,
    set: () => expect.unreachable("a timer was set"),
    clear: () => {},
    soon: () => expect.unreachable("something was put off"),
  }
  const tracker = createTracker({ timers })
  tracker.track("1", "room", "ada", {})
  tracker.update("1", "room", "ada", {})
  tracker.untrack("1")
  await tracker.close()
})

test("track adds a meta with a reference, and refuses the same pid, topic and key (T36)", () => {
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

test("a tracker's size is how many presences it has, in all topics and shards", () => {
  const tracker = createTracker({ poolSize: 3 })
  for (const topic of ["a", "b", "c", "d"]) for (const key of ["ada", "bob"]) tracker.track("1", topic, key, {})
  tracker.update("1", "a", "ada", {})
  expect(tracker.size).toBe(8)
  tracker.untrack("1", "a")
  expect(tracker.size).toBe(6)
  tracker.untrack("1")
  expect(tracker.size).toBe(0)
})

test("update gives a new reference and names the old one, in one diff; it refuses what is not there (T37)", () => {
  const tracker = createTracker()
  const old = tracker.track("1", "room", "ada", { n: 1 })
  const diffs = told(tracker)
  const next = tracker.update("1", "room", "ada", ({ n }) => ({ n: Number(n) + 1 }))
  expect(tracker.list("room")[0]?.meta).toEqual({ n: 2, phx_ref: next, phx_ref_prev: old })
  expect(diffs.map(keysOf)).toEqual([["+ada", "-ada"]])
  expect(diffs[0]?.get("room")?.joins[0]?.meta.phx_ref_prev).toBe(old)
  expect(codeOf(() => tracker.update("2", "room", "ada", {}))).toBe("not_tracked")
})

test("untrack takes out a presence, a pid's in a topic, or all of a pid's, in one diff (T37)", () => {
  const tracker = createTracker({ poolSize: 3 })
  for (const topic of ["room", "hall"]) {
    for (const key of ["ada", "bob"]) tracker.track("1", topic, key, {})
    tracker.track("2", topic, "eve", {})
  }
  const diffs = told(tracker)
  tracker.untrack("1", "room", "ada")
  tracker.untrack("1", "room", "nobody")
  tracker.untrack("1", "hall")
  tracker.untrack("1")
  tracker.untrack("1")
  expect(diffs.map(keysOf)).toEqual([["-ada"], ["-ada", "-bob"], ["-bob"]])
  expect([...tracker.list("room"), ...tracker.list("hall")].map((row) => row.key)).toEqual(["eve", "eve"])
})

test("an update keeps its place, and getByPid tells what a pid holds, oldest first", () => {
  const tracker = createTracker()
  for (const key of ["ada", "bob", "eve"]) tracker.track("1", "room", key, {})
  tracker.update("1", "room", "ada", {})
  expect(tracker.list("room").map((row) => row.key)).toEqual(["ada", "bob", "eve"])
  expect(tracker.getByPid("1", "room").map((row) => row.key)).toEqual(["ada", "bob", "eve"])
  expect(tracker.getByPid("2", "room")).toEqual([])
})

test("topics, keys and pids may have the names of what objects inherit", () => {
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

test("a meta that is no JSON object is refused where it is given", () => {
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

test("a pid, a topic or a key that is no string is refused where it is given", () => {
  const tracker = createTracker()
  tracker.track("1", "room", "ada", { n: 1 })
  for (const [pid, topic, key] of [
    [1, "room", "ada"],
    ["1", 7, "ada"],
    ["1", "room", 7],
    ["1", "room", undefined],
  ]) {
    const names = [pid, topic, key] as [string, string, string]
    expect(() => tracker.track(...names, {})).toThrow(ConfigError)
    expect(() => tracker.update(...names, {})).toThrow(ConfigError)
  }
  expect(tracker.size).toBe(1)
})

test("a meta is a copy, as JSON makes it: what is done with the object afterwards changes nothing", () => {
  const tracker = createTracker()
  const meta = { tags: ["a"], at: new Date(0), gone: undefined }
  const ref = tracker.track("1", "room", "ada", meta)
  meta.tags.push("b")
  const shown = { tags: ["a"], at: "1970-01-01T00:00:00.000Z", phx_ref: ref }
  expect(tracker.list("room")[0]?.meta).toStrictEqual(shown)
})

test("an update whose function takes the presence out is refused, and takes nothing back", () => {
  const tracker = createTracker()
  tracker.track("1", "room", "ada", {})
  const diffs = told(tracker)
  const change = (): object => {
    tracker.untrack("1")
    return { back: true }
  }
  expect(codeOf(() => tracker.update("1", "room", "ada", change))).toBe("not_tracked")
  expect(tracker.list("room")).toEqual([])
  expect(diffs.map(keysOf)).toEqual([["-ada"]])
})

test("an update whose function updates takes the place of that update", () => {
  const tracker = createTracker()
  tracker.track("1", "room", "ada", { n: 0 })
  let between: string | undefined
  const last = tracker.update("1", "room", "ada", () => {
    between = tracker.update("1", "room", "ada", { n: 1 })
    return { n: 2 }
  })
  expect(tracker.list("room")[0]?.meta).toEqual({ n: 2, phx_ref: last, phx_ref_prev: between })
})

test("a listener hears what happens after it was added, and nothing from before", () => {
  const tracker = createTracker()
  const heard: string[][] = []
  let shown: string[] | undefined
  tracker.onDiff(() => {
    if (shown !== undefined) return
    tracker.track("2", "room", "bob", {})
    shown = tracker.list("room").map((row) => row.key)
    tracker.onDiff((diff) => void heard.push(keysOf(diff)))
  })
  tracker.track("1", "room", "ada", {})
  tracker.track("3", "room", "eve", {})
  expect([shown, heard]).toEqual([["ada", "bob"], [["+eve"]]])
})

test("a listener that is undone while a diff is told does not hear it any more", () => {
  const tracker = createTracker()
  const heard: string[][] = []
  tracker.onDiff(() => undo())
  const undo = tracker.onDiff((diff) => void heard.push(keysOf(diff)))
  tracker.track("1", "room", "ada", {})
  expect(heard).toEqual([])
})

test("a function that listens twice hears all twice, and each undo ends one of the two", () => {
  const tracker = createTracker()
  let heard = 0
  const listener = (): void => void (heard += 1)
  const undos = [tracker.onDiff(listener), tracker.onDiff(listener)]
  tracker.track("1", "room", "ada", {})
  expect(heard).toBe(2)
  undos[0]!()
  undos[0]!()
  tracker.track("2", "room", "bob", {})
  expect(heard).toBe(3)
})

test("diffs are told after the change, and one that a listener causes is told next, not in between (D13)", () => {
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

test("a listener that throws harms neither the others nor the operation, and is reported", () => {
  const errors: unknown[] = []
  const tracker = createTracker({ onError: (error) => void errors.push(error) })
  const failure = new Error("mine")
  tracker.onDiff(() => {
    throw failure
  })
  const diffs = told(tracker)
  tracker.track("1", "room", "ada", {})
  tracker.track("2", "room", "bob", {})
  expect(diffs).toHaveLength(2)
  expect(errors).toEqual([failure, failure])
})

test("a hook that throws harms nobody", () => {
  const tracker = createTracker({ onError: fail, count: fail })
  tracker.onDiff(fail)
  tracker.track("1", "room", "ada", {})
  expect(tracker.list("room")).toHaveLength(1)
})

test("the undo of onDiff ends it, and so does close", async () => {
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

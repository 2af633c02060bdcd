import { expect, test } from "vitest"
import { ConfigError } from "../../src/error.ts"
import { timingOf } from "../../src/tracker/timing.ts"
import { createTracker, type TrackerOptions } from "../../src/tracker/tracker.ts"

test.for<[options: TrackerOptions, message: string]>([
  [
    { broadcastPeriodMs: 1000, downPeriodMs: 1999 },
    "downPeriodMs to be at least twice broadcastPeriodMs (1000), got 1999",
  ],
  [{ downPeriodMs: 5000, permdownPeriodMs: 5000 }, "permdownPeriodMs to be above downPeriodMs (5000), got 5000"],
  [
    { broadcastPeriodMs: 1000, maxSilentPeriods: 9, downPeriodMs: 10_000 },
    "downPeriodMs to be above the 10000 ms between two heartbeats of a node without changes (broadcastPeriodMs 1000, maxSilentPeriods 9), got 10000",
  ],
  [{ broadcastPeriodMs: 0 }, "broadcastPeriodMs to be a number above 0, got 0"],
  [{ downPeriodMs: Number.NaN }, "downPeriodMs to be a number above 0, got NaN"],
  [{ maxSilentPeriods: -1 }, "maxSilentPeriods to be a whole number from 0 up, got -1"],
  [{ deltaWindowMs: -1 }, "deltaWindowMs to be a number from 0 up, got -1"],
  [{ maxDeltaSizes: [0] }, "maxDeltaSizes to be a whole number from 1 up, got 0"],
  [{ maxMessageBytes: 0 }, "maxMessageBytes to be a number above 0, got 0"],
  [{ poolSize: 1.5 }, "poolSize to be a whole number from 1 up, got 1.5"],
])("createTracker(%o) throws an error that names the option (T25)", ([options, message]) => {
  expect(() => createTracker(options)).toThrow(ConfigError)
  expect(() => createTracker(options)).toThrow(`expected ${message}`)
})

const DEFAULTS = {
  broadcastPeriodMs: 1500,
  maxSilentPeriods: 1,
  deltaWindowMs: 50,
  downPeriodMs: 9000,
  permdownPeriodMs: 1_200_000,
  maxDeltaSizes: [100, 1000, 10_000],
  maxMessageBytes: 64 * 1024 * 1024,
}

test("options that are missing or undefined have the documented defaults, and others keep their value (T25)", () => {
  expect(timingOf({})).toEqual(DEFAULTS)
  const asUndefined = Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, undefined]))
  expect(timingOf(asUndefined)).toEqual(DEFAULTS)
  expect(timingOf({ ...asUndefined, deltaWindowMs: 0 })).toEqual({ ...DEFAULTS, deltaWindowMs: 0 })
})

test("a tracker with pubsub: undefined is alone, as one without the option", () => {
  const tracker = createTracker({ pubsub: undefined })
  tracker.track("1", "room", "ada", {})
  expect(tracker.list("room").map((row) => row.pid)).toEqual(["1@local"])
  expect(tracker.nodes()).toEqual([])
})

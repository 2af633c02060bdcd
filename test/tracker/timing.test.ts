import { expect, test } from "vitest"
import { ConfigError } from "../../src/error.ts"
import { createTracker, type TrackerOptions } from "../../src/tracker/tracker.ts"

test.for<[options: TrackerOptions, says: string]>([
  [
    { broadcastPeriodMs: 1000, downPeriodMs: 1999 },
    "downPeriodMs to be at least twice broadcastPeriodMs (1000), got 1999",
  ],
  [{ downPeriodMs: 5000, permdownPeriodMs: 5000 }, "permdownPeriodMs to be above downPeriodMs (5000), got 5000"],
  [{ broadcastPeriodMs: 1000, maxSilentPeriods: 9, downPeriodMs: 10_000 }, "maxSilentPeriods 9), got 10000"],
  [{ broadcastPeriodMs: 0 }, "broadcastPeriodMs to be a number above 0, got 0"],
  [{ downPeriodMs: Number.NaN }, "downPeriodMs to be a number above 0, got NaN"],
  [{ maxSilentPeriods: -1 }, "maxSilentPeriods to be a whole number from 0 up, got -1"],
  [{ deltaWindowMs: -1 }, "deltaWindowMs to be a number from 0 up, got -1"],
  [{ maxDeltaSizes: [0] }, "maxDeltaSizes to be a whole number from 1 up, got 0"],
  [{ maxMessageBytes: 0 }, "maxMessageBytes to be a number above 0, got 0"],
  [{ poolSize: 1.5 }, "poolSize to be a whole number from 1 up, got 1.5"],
])("%o is refused, and it says why (T25)", ([options, says]) => {
  expect(() => createTracker(options)).toThrow(ConfigError)
  expect(() => createTracker(options)).toThrow(says)
})

test("options that are given as undefined have their defaults", async () => {
  const tracker = createTracker({ pubsub: undefined })
  await tracker.close()
})

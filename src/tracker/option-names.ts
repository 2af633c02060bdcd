import type { Names } from "../known-names.ts"
import { DEFAULT_TIMING } from "./timing.ts"
import type { TrackerTiming } from "./timing.ts"
import type { TrackerOptions } from "./tracker.ts"

const OTHERS: Names<Exclude<keyof TrackerOptions, keyof TrackerTiming>> = {
  pubsub: true,
  name: true,
  poolSize: true,
  hideOthersAfterMs: true,
  timers: true,
  random: true,
  onError: true,
  count: true,
}

/** The options of a tracker. */
export const TRACKER_OPTIONS: object = { ...DEFAULT_TIMING, ...OTHERS }

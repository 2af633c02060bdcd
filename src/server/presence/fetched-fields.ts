import type { Timers } from "../../timers.ts"
import type { Logger } from "../logger.ts"
import type { Counters } from "../operations/counters.ts"
import { FetchedFields } from "./fetched.ts"
import type { Fetch } from "./fetched.ts"

/** Returns the data that `fetch` looks up for presences; `undefined` without `fetch`. */
export function fetchedFieldsOf(
  { fetch }: { readonly fetch?: Fetch },
  { timers, timeoutMs, logger, counters }: { timers: Timers; timeoutMs: number; logger: Logger; counters: Counters },
): FetchedFields | undefined {
  if (fetch === undefined) return undefined
  return new FetchedFields({
    fetch,
    timers,
    timeoutMs,
    failed(topic, error) {
      counters.count("failed_fetches")
      logger.error("a fetch of presence data failed", { topic, error })
    },
  })
}

import type { Names } from "../known-names.ts"
import type { LivenessTiming } from "./liveness.ts"
import type { PubSubOptions } from "./pubsub.ts"

/** The options of every engine. */
export const PUBSUB_OPTIONS: Names<keyof PubSubOptions> = {
  node: true,
  namespace: true,
  maxBufferedBytes: true,
  onDrop: true,
  onError: true,
}

/** The options of every engine that pings its server. */
export const PINGING_OPTIONS: Names<keyof (PubSubOptions & LivenessTiming)> = {
  ...PUBSUB_OPTIONS,
  pingIntervalMs: true,
  pingTimeoutMs: true,
}

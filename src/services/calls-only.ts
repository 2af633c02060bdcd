import type { PlacedKind } from "./placement.ts"

/** The definition of a node that runs no processes and calls those of other nodes. Nothing is ever started here. */
export const CALLS_ONLY: PlacedKind = {
  start() {
    throw new Error("expected a definition of the processes of this node, got none")
  },
  stop: () => undefined,
}

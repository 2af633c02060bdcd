import { nodeOfInstance } from "./instance-row.ts"
import { moving } from "./errors.ts"
import type { MoveRequest } from "./hand-overs.ts"
import type { LocalProcesses } from "./local-processes.ts"
import type { PlacementRequests } from "./placed-instance.ts"
import type { PlacedProcess } from "./placement-plan.ts"

/** What the requests need. */
export interface PlacementRequestsOptions {
  readonly kind: string
  /** The id of this node's instance. */
  readonly self: string
  readonly locals: LocalProcesses
  /** Returns the process that calls go to. */
  find(id: string): PlacedProcess | undefined
  /** Whether this node owns the id. Two nodes that do not see the same members yet would otherwise both start it. */
  mayStart(id: string): boolean
  /** Whether this node takes processes from others. */
  mayTake(): boolean
  take(request: MoveRequest): Promise<void>
  /** Forgets a process of a dead node, so that it is not started anew. Returns whether there was one. */
  forgetLost(id: string): boolean
}

/** Returns what this node does for the other nodes of a placement. */
export function placementRequests(options: PlacementRequestsOptions): PlacementRequests {
  const { kind, self, locals, find, mayStart, mayTake, take, forgetLost } = options
  return {
    async ensure(id) {
      const here = { id, node: nodeOfInstance(self), instance: self }
      if (locals.status(id) === "starting") await locals.started(id)
      if (locals.status(id) === "running") return { ...here, created: false }
      const process = find(id)
      if (process !== undefined && !process.isMoving && process.instance !== self) {
        return { id, node: process.node, instance: process.instance, created: false }
      }
      if (process !== undefined || locals.status(id) !== undefined || !mayStart(id)) throw moving(kind, id)
      await locals.start(id, undefined)
      return { ...here, created: true }
    },
    async give(request) {
      const { id } = request
      if (!mayTake() || locals.status(id) === "moving") throw moving(kind, id)
      await take(request)
    },
    async stop(id) {
      if (locals.status(id) === "starting") await locals.started(id).catch(() => undefined)
      const status = locals.status(id)
      if (status === undefined) {
        // It has been found at another node meanwhile.
        if (find(id) !== undefined) throw moving(kind, id)
        return forgetLost(id)
      }
      if (status !== "running") throw moving(kind, id)
      await locals.stop(id, "stopped")
      locals.forget(id)
      return true
    },
  }
}

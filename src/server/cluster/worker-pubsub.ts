import { deferred } from "../../pubsub/deferred.ts"
import type { PubSub } from "../../pubsub/pubsub.ts"
import type { Logger } from "../logger.ts"
import { workerSecret } from "../role.ts"

/**
 * Returns the bus over which a worker reaches the other workers, through its primary; `undefined` in all other
 * processes.
 */
export function pubsubOfWorker(node: string, logger: Logger): PubSub | undefined {
  if (workerSecret() === undefined) return undefined
  const onError = (error: unknown): void => logger.error("an error on the bus between the workers", { error })
  const connecting = import("../../pubsub/ipc.ts").then(({ ipc }) => ipc({ node }))
  const onUnreachable = (error: unknown): void => logger.error("a worker cannot reach its primary", { error })
  return deferred(node, connecting, { onUnreachable, onError })
}

import cluster from "node:cluster"
import { workerSecret } from "../role.ts"

/**
 * Returns whether another program than Rollcall has forked this process with `node:cluster`, such as pm2 in its cluster mode.
 */
export function isForeignWorker(): boolean {
  return cluster.isWorker && workerSecret() === undefined
}

import cluster from "node:cluster"
import { setTimeout as sleep } from "node:timers/promises"
import { Child, serve } from "../child.js"

/** Answers the parent's jobs: CPU time of the server and its workers, the errors that it has counted, and its memory. */
export function serveMeasurements(port, errors = () => 0, jobs = {}) {
  serve(
    {
      ...jobs,
      async stats() {
        const { user, system } = process.cpuUsage()
        const own = { cpuSeconds: (user + system) / 1e6, errors: errors() }
        const workers = Object.values(cluster.workers ?? {}).map((worker) => new Child(worker).run("stats"))
        return (await Promise.all(workers)).reduce(
          (sum, each) => ({ cpuSeconds: sum.cpuSeconds + each.cpuSeconds, errors: sum.errors + each.errors }),
          own,
        )
      },
      /** Collects garbage several times, so that freed pages go back to the system, and returns the memory in bytes. */
      async memory() {
        for (let i = 0; i < 4; i += 1) {
          globalThis.gc?.()
          await sleep(250)
        }
        const { rss, heapUsed, external } = process.memoryUsage()
        return { rss, heap: heapUsed, external }
      },
    },
    { port },
  )
}

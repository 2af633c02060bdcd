import cluster from "node:cluster"
import { setTimeout as sleep } from "node:timers/promises"
import { Child, serve } from "../child.js"

/** What every server process is asked: what it has used, with its workers. `errors` are those that it noticed itself. */
export function measured(port, errors = () => 0, jobs = {}) {
  serve(
    {
      ...jobs,
      async stats() {
        const { user, system } = process.cpuUsage()
        const own = { cpuSeconds: (user + system) / 1e6, errors: errors() }
        const workers = Object.values(cluster.workers ?? {}).map((worker) => new Child(worker).ask("stats"))
        return (await Promise.all(workers)).reduce(
          (sum, each) => ({ cpuSeconds: sum.cpuSeconds + each.cpuSeconds, errors: sum.errors + each.errors }),
          own,
        )
      },
      /** After the garbage is gone and its pages are given back. */
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

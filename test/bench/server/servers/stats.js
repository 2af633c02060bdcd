import { setTimeout as sleep } from "node:timers/promises"
import { serve } from "../child.js"

/** What every server process is asked: what it has used. `errors` are those that it noticed itself. */
export function measured(port, errors = () => 0) {
  serve(
    {
      stats: () => {
        const { user, system } = process.cpuUsage()
        return { cpuSeconds: (user + system) / 1e6, errors: errors() }
      },
      /** After the garbage is gone and its pages are given back. */
      async memory() {
        for (let i = 0; i < 4; i += 1) {
          globalThis.gc()
          await sleep(250)
        }
        const { rss, heapUsed, external } = process.memoryUsage()
        return { rss, heap: heapUsed, external }
      },
    },
    { port },
  )
}

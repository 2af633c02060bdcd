// A worker process: a crawler that fetches pages, and a node that takes part in running the games.
import { setTimeout as sleep } from "node:timers/promises"
import { os } from "@orpc/server"
import { ipc } from "rollcall/pubsub"
import { createServices } from "rollcall/services"
import type { CallContext } from "rollcall/services"
import { createTracker } from "rollcall/tracker"
import { createJobQueue } from "./job-queue.js"
import { endWithServer, notify } from "./demo-server.js"
import { placeGames } from "./games.js"
import { SLOW_WORKER } from "./messages.js"
import type { Order } from "./messages.js"

const MS_PER_JOB = 80
const SLOW_MS_PER_JOB = 400
const JOBS_AT_A_TIME = 3
/** How often a worker announces how many jobs it has, in ms. */
const META_MS = 1_000

endWithServer()
const number = Number(process.argv[2])
const msPerJob = number === SLOW_WORKER ? SLOW_MS_PER_JOB : MS_PER_JOB
const pubsub = await ipc({ node: `worker-${number}` })
const tracker = createTracker({ pubsub })
const services = createServices({ tracker, pubsub, onError: (error) => console.error(`worker ${number}:`, error) })
const queue = createJobQueue(JOBS_AT_A_TIME)

const procedure = os.$context<CallContext>().$meta({})
const crawler = services.serve(
  "crawler",
  {
    // A page may be fetched twice, so a job whose worker is killed goes to another one.
    fetch: procedure.meta({ idempotent: true }).handler(async ({ signal }) => {
      // No page is fetched: it takes about as long as a fetch would.
      await queue.run(() => sleep(msPerJob * (0.75 + Math.random() / 2), undefined, { signal }), signal)
      return process.pid
    }),
  },
  { meta: { pid: process.pid, msPerJob, jobs: 0 } },
)
const games = placeGames(services)
await Promise.all([crawler.ready, games.ready])

let announced = 0
const announcing = setInterval(() => {
  if (queue.size === announced) return
  announced = queue.size
  crawler.update((meta) => ({ ...meta, jobs: announced }))
}, META_MS)

async function drain(): Promise<void> {
  await Promise.all([crawler.drain(), games.drain()])
  clearInterval(announcing)
  await services.close()
  await tracker.close()
  await pubsub.close()
  process.exit()
}

process.on("message", (order: Order) => {
  if (order.demo === "drain") void drain()
})
notify({ demo: "ready" })

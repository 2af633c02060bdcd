/**
 * Measures the memory that placed processes take: `npm run build && node --expose-gc test/bench/placed-memory.js`.
 *
 * Prints the bytes of heap for each process, on the node that runs it and on another node. What `start` returns is an empty object.
 */
import { local, LocalBus } from "rollcall/pubsub"
import { createServices } from "rollcall/services"
import { createTracker } from "rollcall/tracker"

const PROCESSES = 100_000
const BATCH = 500

if (globalThis.gc === undefined) throw new Error("expected node --expose-gc, got no gc()")

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function heap() {
  for (let n = 0; n < 4; n += 1) {
    await wait(20)
    globalThis.gc?.()
  }
  return process.memoryUsage().heapUsed
}

/** Returns the heap for each process, in bytes, of a cluster of a node that runs all of them, and perhaps one that sees them. */
async function measured(isSeen) {
  const bus = new LocalBus()
  const node = (name, kind) => {
    const pubsub = local({ bus, node: name })
    const services = createServices({ tracker: createTracker({ pubsub }), pubsub })
    return { services, sessions: services.place("session", kind) }
  }
  const owner = node("owner", { start: () => ({}), stop: () => undefined })
  const other = isSeen ? node("other") : undefined
  const isSeenByOther = (id) => other === undefined || other.sessions.whereis(id) !== undefined
  const seen = async (id) => {
    while (!isSeenByOther(id)) await wait(20)
  }
  await owner.sessions.ensure("first")
  await seen("first")
  const before = await heap()
  for (let n = 0; n < PROCESSES; n += BATCH) {
    await Promise.all(Array.from({ length: BATCH }, (_, k) => owner.sessions.ensure(`session-${n + k}`)))
  }
  await seen(`session-${PROCESSES - 1}`)
  // What is kept for a while to bring others up to date goes with the heartbeats.
  await wait(5_000)
  const bytes = ((await heap()) - before) / PROCESSES
  await owner.services.close({ drainMs: 0 })
  await other?.services.close({ drainMs: 0 })
  return bytes
}

const alone = await measured(false)
const both = await measured(true)
console.log(
  `${PROCESSES} processes: ${alone.toFixed(0)} bytes each on their node, ${(both - alone).toFixed(0)} on another node`,
)
process.exit(0)

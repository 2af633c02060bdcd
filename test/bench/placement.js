/**
 * Measures placement: `npx tsc -p tsconfig.json && node test/bench/placement.js`.
 *
 * The nodes are in one process, and share a local bus, so a figure is the CPU time of all nodes together.
 */
import { local, LocalBus } from "rollcall/pubsub"
import { createServices } from "rollcall/services"
import { createTracker } from "rollcall/tracker"

const NODES = 4
const ENSURES = 5_000
const PROCESSES = 10_000
/** How long after a change of the members nodes ask each other before they start a process, in ms. */
const SETTLED_MS = 10_500

/** How long a node that ends may take to hand its processes over, in ms. */
const DRAIN_MS = 60_000
/** The limits of moves of the nodes that end: none that matters, and the one that nodes have by default. */
const MOVES = { n3: { movesPerSecond: 1_000_000 }, n2: {} }

function node(bus, name) {
  const pubsub = local({ bus, node: name })
  const tracker = createTracker({ pubsub })
  const services = createServices({ tracker, pubsub })
  let starts = 0
  const processes = services.place(
    "bench",
    { start: (_id, count = 0) => ((starts += 1), { count }), stop: (_id, _reason, process) => process.count },
    MOVES[name] ?? {},
  )
  const close = async (drainMs) => {
    await services.close({ drainMs })
    await tracker.close()
    await pubsub.close()
  }
  return { name, processes, services, close, starts: () => starts }
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function until(isDone) {
  while (!isDone()) await wait(5)
}

/** Returns the ms that each id takes, one after the other, sorted. */
async function each(ids, call) {
  const times = []
  for (const id of ids) {
    const started = performance.now()
    await call(id)
    times.push(performance.now() - started)
  }
  return times.toSorted((a, b) => a - b)
}

const micros = (ms) => `${(ms * 1_000).toFixed(0)} µs`
const show = (what, times) =>
  console.log(
    `${what.padEnd(62)} p50 ${micros(times[times.length >> 1])}, p99 ${micros(times[Math.floor(times.length * 0.99)])}`,
  )

// Nodes on a local bus do not keep the process alive while they wait for each other.
const keepingAlive = setInterval(() => undefined, 1_000)
const bus = new LocalBus()
const nodes = Array.from({ length: NODES }, (_, n) => node(bus, `n${n}`))
await Promise.all(nodes.map(({ processes }) => processes.ready))
await until(() => nodes.every(({ services }) => services.list("place:bench").length === NODES))
const [first] = nodes

const idsOf = (prefix, count) => Array.from({ length: count }, (_, n) => `${prefix}-${n}`)
const ensure = (id) => first.processes.ensure(id)
const all = () => nodes.reduce((sum, { processes }) => sum + processes.local().length, 0)

await each(idsOf("warm", 1_000), ensure)
show("ensure of a new one, just after a node has come", await each(idsOf("asked", ENSURES), ensure))
await wait(SETTLED_MS)
show("ensure of a new one", await each(idsOf("new", ENSURES), ensure))
await wait(500)
show("ensure of a running one", await each(idsOf("new", ENSURES), ensure))

const before = all()
const rest = idsOf("more", Math.max(0, PROCESSES * NODES - before))
for (let n = 0; n < rest.length; n += 1_000) await Promise.all(rest.slice(n, n + 1_000).map(ensure))
await until(() => all() === PROCESSES * NODES)
for (const [name, { movesPerSecond = 500 }] of Object.entries(MOVES)) {
  const leaving = /** @type {(typeof nodes)[number]} */ (nodes.pop())
  const moved = leaving.processes.local().length
  const cpu = process.cpuUsage()
  const started = performance.now()
  await leaving.close(DRAIN_MS)
  const took = performance.now() - started
  // What was not handed over in time has ended with the node, and does not run at once.
  const late = PROCESSES * NODES - all()
  const { user, system } = process.cpuUsage(cpu)
  const text = `${moved} moved at the end of ${name}, at most ${movesPerSecond} a second`.padEnd(62)
  const usedMs = (user + system) / 1_000
  const share = `${(usedMs / moved).toFixed(2)} ms of CPU each, busy for ${((usedMs / took) * 100).toFixed(0)} %`
  console.log(`${text} ${took.toFixed(0)} ms, ${share}, ${late} not in time`)
}

for (const { close } of nodes) await close(0)
clearInterval(keepingAlive)

/**
 * Chaos on real processes: `npm run chaos -- --engine redis|nats|workers [--minutes N] [--seed S] [--clients N] [--patience N]`.
 * Needs a build.
 *
 * Clients of phoenix.js and of this SDK enter, leave and update, while faults happen to the nodes, to the engine and to the
 * connections. A round ends when its faults have ended; then the clients rest, and every one of them must see exactly the
 * clients that are there, within the printed bound, and for as long as it takes to notice a dead line. The bound holds on an idle machine; `--patience` multiplies it.
 *
 * Prints each round with its faults and the time until all agreed. At last it prints the faults by kind, the healing times,
 * and `N rounds, N disagreements`. Exits with 1 if there are disagreements or crashes. The seed determines the choice of
 * faults, how long they last, and what the clients do, but not the moments at which messages arrive.
 */
import { parseArgs } from "node:util"
import { mulberry32 } from "rollcall/testing"
import { Cluster } from "./cluster.js"
import { Crowd } from "./crowd.js"
import { faultsOf } from "./faults.js"
import { boundOf } from "./timing.js"

const { values } = parseArgs({
  options: {
    engine: { type: "string", default: "workers" },
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: `${Math.floor(Math.random() * 2 ** 30)}` },
    clients: { type: "string", default: "200" },
    patience: { type: "string", default: "1" },
  },
})
const [minutes, seed, clients, patience] = [values.minutes, values.seed, values.clients, values.patience].map(Number)
const { engine } = values
if (
  (engine !== "redis" && engine !== "nats" && engine !== "workers") ||
  !(minutes > 0 && clients >= 4 && patience > 0) ||
  !Number.isSafeInteger(seed)
) {
  throw new Error("usage: chaos.js --engine redis|nats|workers [--minutes N] [--seed N] [--clients N] [--patience N]")
}

const CLIENTS_PER_ROOM = 25
const MAX_FAULTS = 3
/** How long after the beginning of its round a fault happens at the latest, in ms. */
const MAX_WAIT_MS = 1_500
/** The time between two actions of a client process, in ms. */
const ACTION_MS = 20
const POLL_MS = 200
const MAX_PRINTED = 10

const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(() => resolve(undefined), ms))
const rooms = Array.from({ length: Math.ceil(clients / CLIENTS_PER_ROOM) }, (_, i) => `rooms:${i}`)
const bound = boundOf(engine)
const faults = faultsOf(engine)
/** Fault → how often it happened. */
const happened = new Map(faults.map(({ name }) => [name, 0]))
const healingMs = []
let disagreements = 0
let crashes = 0

function onFatal(what) {
  crashes += 1
  console.log(`CRASH ${what}`)
}

/**
 * Waits until all clients agree with the truth, and have done so for long enough: on a line that is half-open, nothing seems
 * wrong at first. Returns how long it took until they agreed, and what is still wrong.
 */
async function agreement(crowd) {
  const started = performance.now()
  let agreedAt
  for (;;) {
    const problems = await crowd.problems()
    const ms = performance.now() - started
    if (problems.length > 0) agreedAt = undefined
    else agreedAt ??= ms
    if (agreedAt !== undefined && ms - agreedAt >= bound.noticeMs) return { ms: agreedAt, problems }
    if (agreedAt === undefined && ms > bound.ms * patience) return { ms, problems }
    await pause(POLL_MS)
  }
}

async function disagreed(cluster, { ms, problems }) {
  disagreements += 1
  console.log(`DISAGREEMENT after ${(ms / 1_000).toFixed(1)} s: ${problems.length} clients`)
  for (const problem of problems.slice(0, MAX_PRINTED)) console.log(`  ${problem}`)
  for (const node of cluster.nodes) console.log(`  node ${node.name}: ${(await node.shown(rooms)).slice(0, 2_000)}`)
}

/** Returns the faults of a round, all of them different. */
function draw(random) {
  const rest = [...faults]
  const count = 1 + Math.floor(random() * MAX_FAULTS)
  return Array.from({ length: count }, () => rest.splice(Math.floor(random() * rest.length), 1)[0])
}

/** Runs a fault. It has random numbers of its own, so that they do not depend on when the other faults of its round end. */
async function runFault(cluster, fault, random) {
  const between = (from, to) => from + random() * (to - from)
  const pick = (items) => items[Math.floor(random() * items.length)]
  await pause(between(0, MAX_WAIT_MS))
  happened.set(fault.name, (happened.get(fault.name) ?? 0) + 1)
  await fault.run({ cluster, between, pick, pause })
}

console.log(`seed ${seed}, engine ${engine}, ${clients} clients in ${rooms.length} rooms`)
console.log(`all must agree ${(bound.ms / 1_000).toFixed(1)} s after the last fault, patience ${patience}:`)
for (const [what, ms] of Object.entries(bound.parts)) console.log(`  ${(ms / 1_000).toFixed(1)} s  ${what}`)

const cluster = await Cluster.start(engine, mulberry32(seed), onFatal)
const crowd = await Crowd.start({ url: cluster.url, seed, clients, rooms, actionMs: ACTION_MS, onFatal })
let rounds = 0
const first = await agreement(crowd)
if (first.problems.length > 0) await disagreed(cluster, first)
for (const end = performance.now() + minutes * 60_000; performance.now() < end; rounds += 1) {
  crowd.act(true)
  const random = mulberry32(seed + rounds)
  const chosen = draw(random)
  await Promise.all(chosen.map((fault) => runFault(cluster, fault, mulberry32(random() * 2 ** 32))))
  crowd.act(false)
  const healed = await agreement(crowd)
  const names = chosen.map(({ name }) => name).join("; ")
  console.log(`round ${rounds + 1}: ${(healed.ms / 1_000).toFixed(1)} s after ${names}`)
  if (healed.problems.length > 0) await disagreed(cluster, healed)
  else healingMs.push(healed.ms)
}

healingMs.sort((a, b) => a - b)
const seconds = (ms = 0) => `${(ms / 1_000).toFixed(1)} s`
console.log(`\nfaults by kind`)
for (const [name, count] of happened) console.log(`${`${count}`.padStart(6)}  ${name}`)
const { entered, left, updated, dropped } = crowd.counts
console.log(`clients entered ${entered}, left ${left}, updated ${updated}, lost their connection ${dropped} times`)
console.log(`healing times: p50 ${seconds(healingMs[healingMs.length >> 1])}, max ${seconds(healingMs.at(-1))}`)
console.log(`${rounds} rounds, ${disagreements} disagreements, ${crashes} crashes`)
process.exit(disagreements + crashes > 0 ? 1 : 0)

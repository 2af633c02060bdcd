/**
 * Attacks a server for a while: `npm run fuzz -- --seconds 600 [--seed N] [--attacks N]`. Needs a build.
 *
 * The server runs in a process of its own, so that every crash is noticed. So do the bystanders, well-behaved clients that
 * must get all replies and see the right presences during the attacks. At the end, the server's memory, connections and
 * presences must be as before. The bystanders also use a control, a second server that is not attacked: servers, attackers
 * and bystanders share one machine, and the control shows which part of a latency is due to that.
 *
 * Prints the latencies of both servers in peace and under attack, and at last `N attacks, N failures`. Exits with 1 if there
 * are failures. Attack `i` is drawn from `seed + i`, so `--seed <seed + i> --attacks 1` repeats it alone.
 */
import { fork } from "node:child_process"
import { constants, setPriority } from "node:os"
import { parseArgs } from "node:util"
import { attackOf } from "./attacks.js"
import { play } from "./play.js"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "20" },
    seed: { type: "string" },
    attacks: { type: "string", default: "Infinity" },
  },
})
const seconds = Number(values.seconds)
const maxAttacks = Number(values.attacks)
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 30))
if (!(seconds > 0) || !(maxAttacks > 0) || !Number.isSafeInteger(seed)) {
  throw new Error("usage: hostile.js [--seconds N] [--seed N] [--attacks N]")
}

/** How many attacks run at the same time. */
const MAX_RUNNING = 16
/** How many attacks may wait at the same time for the server to release their connections. */
const MAX_LINGERING = 400
/**
 * The time from the start of one attack to the next. In the paced part the machine has time to spare, so that the latencies of
 * the bystanders depend on the server. The rest of the time is a storm.
 */
const PACE_MS = 60
const STORM_MS = 8
const PACED_SHARE = 0.5
/** How long latencies are measured before any attack. It yields thousands of replies, so tens of them lie above the p99. */
const CALM_MS = Math.max(5_000, seconds * 50)
/** The first attacks fill caches and pools. Memory is measured before and after the attacks that follow. */
const WARM_UP = Math.min(200, maxAttacks)
/** A last resort: on a busy machine it takes longer to come to rest. */
const SETTLE_MS = 60_000
/** By how much memory may have grown at the end, in bytes. */
const MAX_GROWTH_BYTES = 8_000_000
const ROOMS = ["rooms:quiet", "rooms:shared", "rooms:noise"]
const BYSTANDERS = ["ada", "bob", "cy"]

const failures = []
/** The attacks whose steps are being executed: index → kind. */
const running = new Map()
/** The attacks whose connections the server has not released yet. */
const lingering = new Set()
let attacks = 0

function fail(message) {
  const during = [...running].map(([index, kind]) => `${kind} ${seed + index}`).join(", ")
  failures.push(message)
  if (failures.length <= 20) console.log(`FAILED ${message}\n  during ${during || "no attack"}`)
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Resolves to the next message of a child process that `matches`, or to an empty object when the process ends. */
const nextMessage = (child, matches) =>
  new Promise((resolve) => {
    const onMessage = (message) => {
      if (!matches(message)) return
      child.off("message", onMessage).off("exit", onExit)
      resolve(message)
    }
    const onExit = () => resolve({})
    child.on("message", onMessage).on("exit", onExit)
  })

let isFinished = false

/** Starts a server, and resolves when it listens. */
async function serve() {
  const child = fork(new URL("server.js", import.meta.url), [], { execArgv: ["--expose-gc"] })
  child.on("message", (/** @type {any} */ { fatal }) => fatal !== undefined && fail(fatal))
  child.on("exit", (code, signal) => isFinished || fail(`a server process ended with ${signal ?? code}`))
  const { port } = await nextMessage(child, (message) => message.port !== undefined)
  return { child, port }
}

const [{ child: server, port }, control] = await Promise.all([serve(), serve()])
const urls = [port, control.port].map((port) => `ws://127.0.0.1:${port}/socket`)
const bystanders = fork(new URL("bystanders.js", import.meta.url), urls)
bystanders.on("message", (/** @type {any} */ { failure }) => failure !== undefined && fail(failure))
bystanders.on("exit", (code) => isFinished || fail(`the process of the bystanders ended with ${code}`))

// This process runs the attackers. On the shared machine it gets the lowest priority, because real attackers would use
// machines of their own. The processes that were forked before keep the normal priority.
setPriority(constants.priority.PRIORITY_LOW)

function request(name) {
  server.send({ request: name, topics: ROOMS })
  return nextMessage(server, (message) => message.reply === name)
}
function report() {
  bystanders.send({})
  return nextMessage(bystanders, (message) => message.views !== undefined)
}

/** Starts an attack every `everyMs`, until `count` were started or the time `until` is reached; waits for all to end. */
async function attack(everyMs, count, until) {
  const end = attacks + count
  while (attacks < end && performance.now() < until && server.exitCode === null) {
    const index = attacks
    attacks += 1
    const drawn = attackOf(seed + index)
    running.set(index, drawn.kind)
    void play(drawn, port).then(({ released }) => {
      running.delete(index)
      lingering.add(index)
      void released.then((held) => {
        lingering.delete(index)
        if (held > 0) fail(`attack ${seed + index}, ${drawn.kind}: the server did not end ${held} connections`)
      })
    })
    while (running.size >= MAX_RUNNING || lingering.size >= MAX_LINGERING) await pause(1)
    await pause(everyMs)
    if (index % 5_000 === 4_999) console.log(`${attacks} attacks, ${failures.length} failures so far`)
  }
  while (running.size + lingering.size > 0) await pause(10)
}

/** Waits until the server holds nothing but the bystanders. Reports a failure if that takes too long. */
async function settled(when) {
  const started = performance.now()
  for (;;) {
    const { counted, presences, handles } = await request("state")
    const open = counted.connects - (counted.disconnects ?? 0)
    const found = presences.map((keys) => keys.join(" "))
    const isSettled =
      open === BYSTANDERS.length &&
      handles === BYSTANDERS.length &&
      found.join() === `${BYSTANDERS.join(" ")},${BYSTANDERS.join(" ")},`
    if (isSettled) return
    if (performance.now() - started > SETTLE_MS) {
      const state = `${open} connections, ${handles} sockets, presences ${JSON.stringify(presences)}`
      fail(`${when}: expected only the bystanders to be left, got ${state}`)
      return
    }
    await pause(100)
  }
}

/**
 * Waits until each bystander has got one more reply and sees the right presences: replies and diffs may still be on their way.
 * Reports a failure if that takes too long.
 */
async function served() {
  const started = performance.now()
  const { replies: before } = await report()
  const expected = JSON.stringify(before?.map(() => [BYSTANDERS, BYSTANDERS]))
  for (;;) {
    const { views, replies } = await report()
    const isAnswered = replies?.every((count, index) => count > before[index])
    if (isAnswered && JSON.stringify(views) === expected) return
    if (performance.now() - started > SETTLE_MS) {
      const got = `${JSON.stringify(views)} and ${replies} replies, ${before} before`
      fail(`expected every bystander to see ${BYSTANDERS} and to get one more reply, got ${got}`)
      return
    }
    await pause(100)
  }
}

console.log(`seed ${seed}`)
await settled("before the attacks")
await report()
await pause(CALM_MS)
const calm = await report()
await attack(STORM_MS, WARM_UP, Infinity)
await settled("after the warm-up")
const before = await request("memory")
await report()
const started = performance.now()
await attack(PACE_MS, maxAttacks - attacks, started + seconds * 1_000 * PACED_SHARE)
const paced = await report()
await attack(STORM_MS, maxAttacks - attacks, started + seconds * 1_000)
const stormy = await report()
await settled("after the attacks")
const after = await request("memory")
await served()

if (after.heap - before.heap > MAX_GROWTH_BYTES)
  fail(`expected at most ${MAX_GROWTH_BYTES} bytes more than ${before.heap} in memory, got ${after.heap}`)

const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`
const ms = (value) => value.toFixed(2).padStart(7)
const times = (a, b) => `${(a / b).toFixed(2)}×`.padStart(7)
console.log("reply latency in ms              p50     p99   ÷ control       ÷ calm")
for (const [name, latencies] of Object.entries({ calm, "under attack": paced, "in a storm": stormy })) {
  const { attacked, control } = latencies
  if (attacked.replies === 0 || control.replies === 0) continue
  const ratios = [control, calm.attacked].map(
    (other) => times(attacked.p50, other.p50) + times(attacked.p99, other.p99),
  )
  console.log(`${name.padEnd(14)} attacked   ${ms(attacked.p50)} ${ms(attacked.p99)} ${ratios.join(" ")}`)
  console.log(`${"".padEnd(14)} control    ${ms(control.p50)} ${ms(control.p99)}`)
}
console.log(`memory after gc ${mb(before.heap)} → ${mb(after.heap)}, resident ${mb(before.rss)} → ${mb(after.rss)}`)
console.log(`counted ${JSON.stringify(after.counted)}`)
console.log(`crashes ${JSON.stringify(after.crashes)}`)
console.log(`${attacks} attacks, ${failures.length} failures`)
isFinished = true
bystanders.disconnect()
server.disconnect()
control.child.disconnect()
process.exitCode = failures.length > 0 ? 1 : 0

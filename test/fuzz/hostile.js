/**
 * `npm run fuzz -- --seconds 600 [--seed N] [--attacks N]`: attacks a server for so long, from `dist`.
 *
 * The server has a process of its own, so that nothing it dies of is missed; so have the well-behaved clients beside the
 * attackers, who must get all their answers and see the right people. In the end the server must be as it was: memory,
 * connections, presences. A second server, which nobody attacks, is asked by the same clients at the same time: server,
 * attackers and clients share a machine, and what that costs the clients is not the server's doing. Prints the latencies of
 * both, calm and under attack, and, last, `N attacks, N failures`; exits with 1 when there are any. Attack `i` is drawn from
 * `seed + i`: `--seed <seed + i> --attacks 1` plays it alone.
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
const most = Number(values.attacks)
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 30))
if (!(seconds > 0) || !(most > 0) || !Number.isSafeInteger(seed)) {
  throw new Error("usage: hostile.js [--seconds N] [--seed N] [--attacks N]")
}

/** Attacks at the same time, and with those that have gone silent. */
const AT_ONCE = 16
const AT_MOST = 400
/**
 * How long from the start of one attack to the next: at first at a pace that leaves this machine time, so that what the
 * bystanders feel of it is the server's doing; then, for the rest of the time, as a storm.
 */
const PACE_MS = 60
const STORM_MS = 8
const PACED_PART = 0.5
/** How long the bystanders are watched in peace: of their thousands of answers, tens are the slowest hundredth. */
const CALM_MS = Math.max(5_000, seconds * 50)
/** The first attacks fill caches and pools; what memory is measured against comes after them. */
const WARM_UP = Math.min(200, most)
const SETTLE_MS = 15_000
/** What may be left over of what the attackers brought. */
const LEFT_OVER_BYTES = 8_000_000
const ROOMS = ["rooms:quiet", "rooms:shared", "rooms:noise"]
const PEOPLE = ["ada", "bob", "cy"]

const failures = []
/** The attacks whose script is being played, and those that wait for the server to be rid of them. */
const flying = new Map()
const lingering = new Set()
let attacks = 0

function fail(what) {
  const during = [...flying].map(([index, kind]) => `${kind} ${seed + index}`).join(", ")
  failures.push(what)
  if (failures.length <= 20) console.log(`FAILED ${what}\n  while ${during || "nobody attacked"}`)
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** The next message of a child that `fits`. */
const heard = (child, fits) =>
  new Promise((resolve) => {
    const look = (message) => {
      if (!fits(message)) return
      child.off("message", look).off("exit", end)
      resolve(message)
    }
    const end = () => resolve({})
    child.on("message", look).on("exit", end)
  })

let finished = false

/** Starts a server, and resolves when it listens. */
async function serve() {
  const child = fork(new URL("server.js", import.meta.url), [], { execArgv: ["--expose-gc"] })
  child.on("message", (/** @type {any} */ { fatal }) => fatal !== undefined && fail(fatal))
  child.on("exit", (code, signal) => finished || fail(`a server ended with ${signal ?? code}`))
  const { port } = await heard(child, (message) => message.port !== undefined)
  return { child, port }
}

const [{ child: server, port }, spared] = await Promise.all([serve(), serve()])
const urls = [port, spared.port].map((port) => `ws://127.0.0.1:${port}/socket`)
const bystanders = fork(new URL("bystanders.js", import.meta.url), urls)
bystanders.on("message", (/** @type {any} */ { failure }) => failure !== undefined && fail(failure))
bystanders.on("exit", (code) => finished || fail(`the bystanders ended with ${code}`))

// The attackers, who are this process, come last on the machine that all of them share: elsewhere they would have one of
// their own, and what the bystanders feel is to be the server's doing. Whoever was forked before keeps the common priority.
setPriority(constants.priority.PRIORITY_LOW)

function ask(what) {
  server.send({ ask: what, topics: ROOMS })
  return heard(server, (message) => message.answer === what)
}
function report() {
  bystanders.send({})
  return heard(bystanders, (message) => message.views !== undefined)
}

/** Attacks until there have been so many, or the time is over. */
async function attack(everyMs, count, until) {
  const end = attacks + count
  while (attacks < end && performance.now() < until && server.exitCode === null) {
    const index = attacks
    attacks += 1
    const drawn = attackOf(seed + index)
    flying.set(index, drawn.kind)
    void play(drawn, port).then(({ gone }) => {
      flying.delete(index)
      lingering.add(index)
      void gone.then((held) => {
        lingering.delete(index)
        if (held > 0) fail(`attack ${seed + index}, ${drawn.kind}: ${held} connections were never ended`)
      })
    })
    while (flying.size >= AT_ONCE || lingering.size >= AT_MOST) await pause(1)
    await pause(everyMs)
    if (index % 5_000 === 4_999) console.log(`${attacks} attacks, ${failures.length} failures so far`)
  }
  while (flying.size + lingering.size > 0) await pause(10)
}

/** Waits until the attackers are forgotten; what is not by then, never will be. */
async function settled(what) {
  const started = performance.now()
  for (;;) {
    const { counted, here, handles } = await ask("state")
    const open = counted.connects - (counted.disconnects ?? 0)
    const people = here.map((keys) => keys.join(" "))
    const isCalm =
      open === PEOPLE.length &&
      handles === PEOPLE.length &&
      people.join() === `${PEOPLE.join(" ")},${PEOPLE.join(" ")},`
    if (isCalm) return
    if (performance.now() - started > SETTLE_MS) {
      const found = `${open} connections, ${handles} sockets, people ${JSON.stringify(here)}`
      fail(`${what}: expected only the bystanders to be left, found ${found}`)
      return
    }
    await pause(100)
  }
}

console.log(`seed ${seed}`)
await settled("at first")
await report()
await pause(CALM_MS)
const calm = await report()
await attack(STORM_MS, WARM_UP, Infinity)
await settled("after the warm-up")
const before = await ask("memory")
await report()
const started = performance.now()
await attack(PACE_MS, most - attacks, started + seconds * 1_000 * PACED_PART)
const paced = await report()
await attack(STORM_MS, most - attacks, started + seconds * 1_000)
const stormy = await report()
await settled("after the attacks")
const after = await ask("memory")
const last = await report()

const views = JSON.stringify(last.views.map(() => [PEOPLE, PEOPLE]))
if (JSON.stringify(last.views) !== views)
  fail(`expected every bystander to see ${PEOPLE}, got ${JSON.stringify(last.views)}`)
if (after.heap - before.heap > LEFT_OVER_BYTES)
  fail(`expected memory back where it was, ${before.heap}, found ${after.heap}`)

const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`
const ms = (value) => value.toFixed(2).padStart(7)
const times = (a, b) => `${(a / b).toFixed(2)}×`.padStart(7)
console.log("what bystanders wait, in ms     p50     p99   of the spared   of calm")
for (const [name, felt] of Object.entries({ calm, "under attack": paced, "in a storm": stormy })) {
  if (felt.attacked.answers === 0) continue
  const { attacked, spared } = felt
  const ratios = [spared, calm.attacked].map((other) => times(attacked.p50, other.p50) + times(attacked.p99, other.p99))
  console.log(`${name.padEnd(14)} attacked ${ms(attacked.p50)} ${ms(attacked.p99)} ${ratios.join(" ")}`)
  console.log(`${"".padEnd(14)} spared   ${ms(spared.p50)} ${ms(spared.p99)}`)
}
console.log(`memory after gc ${mb(before.heap)} → ${mb(after.heap)}, resident ${mb(before.rss)} → ${mb(after.rss)}`)
console.log(`counted ${JSON.stringify(after.counted)}`)
console.log(`crashes ${JSON.stringify(after.crashes)}`)
console.log(`${attacks} attacks, ${failures.length} failures`)
finished = true
bystanders.disconnect()
server.disconnect()
spared.child.disconnect()
process.exitCode = failures.length > 0 ? 1 : 0

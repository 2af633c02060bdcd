/**
 * What the tracker costs: `npx tsc -p tsconfig.json && node test/bench/tracker.js`.
 *
 * Each figure is the median of several rounds of one run; ratios compare what was measured in this run.
 */
import { local, LocalBus } from "rollcall/pubsub"
import { createTracker } from "rollcall/tracker"
import { decodeMessage, encodeMessage } from "../../dist/tracker/tracker-messages.js"
import { newRef } from "../../dist/tracker/replica-ref.js"
import { Orswot } from "../../dist/crdt/orswot.js"

const ROUNDS = 9
const META = { name: "Ada Lovelace", status: "avail", since: 1_760_000_000 }

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

/** Median µs of one call, over rounds of `calls` calls. */
function micros(calls, prepare, call) {
  const rounds = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const subject = prepare(round)
    const started = performance.now()
    for (let i = 0; i < calls; i += 1) call(subject, i, round)
    rounds.push(((performance.now() - started) * 1000) / calls)
  }
  return median(rounds)
}

function filled(rows, perTopic = 1000) {
  const tracker = createTracker()
  for (let i = 0; i < rows; i += 1) tracker.track(`p${i}`, `rooms:${Math.floor(i / perTopic)}`, `user-${i}`, META)
  return tracker
}

const pid = (round, i) => `q${round}-${i}`

function operations(rows) {
  const tracker = filled(rows)
  const calls = 2000
  const track = micros(
    calls,
    () => tracker,
    (_, i, round) => tracker.track(pid(round, i), "rooms:0", `k${i}`, META),
  )
  const update = micros(
    calls,
    () => tracker,
    (_, i, round) => tracker.update(pid(round, i), "rooms:0", `k${i}`, META),
  )
  const getByKey = micros(
    calls,
    () => tracker,
    (_, i) => tracker.getByKey("rooms:0", `user-${i % 1000}`),
  )
  const untrack = micros(
    calls,
    () => tracker,
    (_, i, round) => tracker.untrack(pid(round, i)),
  )
  const list = micros(
    200,
    () => tracker,
    () => tracker.list("rooms:0"),
  )
  return { rows, track, update, untrack, getByKey, "list of 1000": list }
}

/** A whole tracker on the bus hears one-join heartbeats of another node, from bytes to told diff. */
async function receive(rows) {
  const bus = new LocalBus()
  const hearer = local({ bus, node: "hears" })
  let deliver
  /** @type {import("rollcall/pubsub").PubSub} */
  const pubsub = {
    node: "hears",
    status: "connected",
    subscribe: async (_, receive) => ((deliver = receive), () => {}),
    publish: () => {},
    send: () => {},
    onStatus: () => () => {},
    close: async () => {},
  }
  const tracker = createTracker({ pubsub })
  await new Promise((resolve) => setImmediate(resolve))
  const set = new Orswot(newRef("speaks", Math.random))
  const heartbeat = () => {
    const delta = set.takeDelta()
    return encodeMessage({
      type: "heartbeat",
      ref: set.ref,
      shards: 1,
      clocks: set.clocks(),
      delta,
      previousRef: undefined,
      requestsClocks: false,
    })
  }
  let ref = 0
  const join = (i) => set.join(`p${i}@speaks`, `rooms:${i % 1000}`, `user-${i}`, { ...META, phx_ref: `r${(ref += 1)}` })
  for (let i = 0; i < rows; i += 1) join(i)
  deliver(heartbeat(), "speaks")
  let told = 0
  tracker.onDiff(() => (told += 1))
  const calls = 500
  let next = rows
  const prepare = () =>
    Array.from({ length: calls }, () => {
      join((next += 1))
      return heartbeat()
    })
  const us = micros(calls, prepare, (messages, i) => deliver(messages[i], "speaks"))
  if (told !== calls * ROUNDS) throw new Error(`expected ${calls * ROUNDS} diffs, got ${told}`)
  await Promise.all([tracker.close(), hearer.close()])
  return us
}

function bytesOfOneJoin() {
  const nodes = ["web-7d4b9c6f5-x2x9k", "web-7d4b9c6f5-k8s2p", "web-7d4b9c6f5-q4w7z"]
  const refs = nodes.map((node) => newRef(node, Math.random))
  const set = new Orswot(refs[0])
  for (const ref of refs.slice(1)) set.replicaUp(ref)
  set.join(`12@${nodes[0]}`, "rooms:lobby", "user-4711", { ...META, phx_ref: "F8kQx2ZrAAAAAAAB" })
  const parts = { shards: 1, clocks: set.clocks(), delta: set.takeDelta(), former: undefined, asks: false }
  const bytes = encodeMessage({ type: "heartbeat", ref: refs[0], ...parts })
  if (typeof decodeMessage(bytes) === "string") throw new Error("the heartbeat cannot be read")
  return bytes.length
}

/** How many messages, and how many bytes, ten thousand joins of one turn are. */
async function storm() {
  const bus = new LocalBus()
  const [speaks, hears] = ["speaks", "hears"].map((node) => local({ bus, node }))
  const messages = []
  await hears.subscribe("tracker:presence:0", (bytes) => messages.push(bytes.length))
  const tracker = createTracker({ pubsub: speaks, deltaWindowMs: 10 })
  await new Promise((resolve) => setTimeout(resolve, 20))
  messages.length = 0
  for (let i = 0; i < 10_000; i += 1) tracker.track(`p${i}`, "rooms:0", `user-${i}`, META)
  while (messages.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  await tracker.close({ goodbye: false })
  return { messages: messages.length, bytes: messages[0] }
}

const rounded = (row) => Object.fromEntries(Object.entries(row).map(([name, n]) => [name, Math.round(n * 100) / 100]))

operations(1000)
console.log("µs per operation, one node")
console.table([operations(1000), operations(10_000), operations(100_000)].map(rounded))
await receive(1000)
const [small, large] = [await receive(10_000), await receive(100_000)]
console.log("µs from the bytes of a one-join heartbeat to its told diff")
console.table([{ "10 000 rows": small, "100 000 rows": large, ratio: large / small }].map(rounded))
console.log(`one-join heartbeat, three nodes: ${bytesOfOneJoin()} bytes`)
console.log("10 000 joins in one window:", await storm())

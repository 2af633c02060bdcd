/**
 * Measures the tracker: `npx tsc -p tsconfig.json && node test/bench/tracker.js`.
 *
 * Each figure is the median of several rounds of one run. Ratios compare figures of the same run.
 */
import { local, LocalBus } from "rollcall/pubsub"
import { createTracker } from "rollcall/tracker"
import { decodeMessage, encodeMessage } from "../../dist/tracker/tracker-messages.js"
import { newRef } from "../../dist/tracker/replica-ref.js"
import { Orswot } from "../../dist/crdt/orswot.js"

const ROUNDS = 9
const META = { name: "Ada Lovelace", status: "avail", since: 1_760_000_000 }

/** The fields of a heartbeat whose sender neither restarted nor was absent. */
const NO_RESTART = { previousRef: undefined, digest: undefined, requests: /** @type {const} */ ("nothing") }

/** Returns an empty set of tracked metas. @returns {Orswot<import("rollcall/tracker").TrackedMeta>} */
const newSet = (ref) => new Orswot(ref)

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

/** Returns the duration of one call in µs: the median over rounds of `calls` calls. */
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

/** Measures how a tracker receives heartbeats of another node with one join each, from the bytes to the diff listener. */
async function receive(rows) {
  let deliver
  /** @type {import("rollcall/pubsub").PubSub} */
  const pubsub = {
    node: "receiver",
    status: "connected",
    subscribe: async (_, receive) => ((deliver = receive), () => {}),
    publish: () => {},
    send: () => {},
    onStatus: () => () => {},
    close: async () => {},
  }
  const tracker = createTracker({ pubsub })
  await new Promise((resolve) => setImmediate(resolve))
  const set = newSet(newRef("sender", Math.random))
  const heartbeat = () => {
    const delta = set.takeDelta()
    return encodeMessage({ type: "heartbeat", ref: set.ref, shards: 1, clocks: set.clocks(), delta, ...NO_RESTART })
  }
  let ref = 0
  const join = (i) => set.join(`p${i}@sender`, `rooms:${i % 1000}`, `user-${i}`, { ...META, phx_ref: `r${(ref += 1)}` })
  for (let i = 0; i < rows; i += 1) join(i)
  deliver(heartbeat(), "sender")
  let notified = 0
  tracker.onDiff(() => (notified += 1))
  const calls = 500
  let next = rows
  const prepare = () =>
    Array.from({ length: calls }, () => {
      join((next += 1))
      return heartbeat()
    })
  const us = micros(calls, prepare, (messages, i) => deliver(messages[i], "sender"))
  if (notified !== calls * ROUNDS) throw new Error(`expected ${calls * ROUNDS} diffs, got ${notified}`)
  await tracker.close()
  return us
}

function bytesOfOneJoin() {
  const nodes = ["web-7d4b9c6f5-x2x9k", "web-7d4b9c6f5-k8s2p", "web-7d4b9c6f5-q4w7z"]
  const refs = nodes.map((node) => newRef(node, Math.random))
  const set = newSet(refs[0])
  for (const ref of refs.slice(1)) set.replicaUp(ref)
  set.join(`12@${nodes[0]}`, "rooms:lobby", "user-4711", { ...META, phx_ref: "F8kQx2ZrAAAAAAAB" })
  const fields = { ref: refs[0], shards: 1, clocks: set.clocks(), delta: set.takeDelta(), ...NO_RESTART }
  const bytes = encodeMessage({ type: "heartbeat", ...fields })
  if (typeof decodeMessage(bytes) === "string") throw new Error("expected the heartbeat to decode")
  return bytes.length
}

/** Returns how many messages and bytes ten thousand joins within one tick take. */
async function storm() {
  const bus = new LocalBus()
  const [sender, receiver] = ["sender", "receiver"].map((node) => local({ bus, node }))
  const messages = []
  await receiver.subscribe("tracker:presence:0", (bytes) => messages.push(bytes.length))
  const tracker = createTracker({ pubsub: sender, deltaWindowMs: 10 })
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
console.log("µs from the bytes of a heartbeat with one join to the diff listener")
console.table([{ "10 000 rows": small, "100 000 rows": large, ratio: large / small }].map(rounded))
console.log(`heartbeat with one join, three nodes: ${bytesOfOneJoin()} bytes`)
console.log("10 000 joins in one window:", await storm())

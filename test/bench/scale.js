/**
 * Measures how the cost of a cluster grows with its nodes: `npm run bench:scale [-- --nodes 4,8,16]`.
 *
 * All trackers run in this process on virtual time. Messages and bytes are those that all nodes receive together. The figures of
 * "taking one message" are real µs: a tracker that knows N nodes takes a delta with one join from each of them in turn.
 */
import { parseArgs } from "node:util"
import { createTracker } from "rollcall/tracker"
import { SeededNetwork } from "rollcall/testing"
import { decodeMessage, encodeMessage } from "../../dist/tracker/tracker-messages.js"
import { newRef } from "../../dist/tracker/replica-ref.js"
import { Orswot } from "../../dist/crdt/orswot.js"

const PERIOD_MS = 1500
const META = { name: "Ada Lovelace", status: "avail", since: 1_760_000_000 }
const ROWS_PER_NODE = 100
const CHANGES_PER_SECOND = 20

const { values } = parseArgs({ options: { nodes: { type: "string", default: "4,8,16,32,64,128" } } })
const sizes = values.nodes.split(",").map(Number)

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]

/** Returns how many rows a message has as the response to a transfer request. */
function rowsOfState(bytes) {
  if (!Buffer.from(bytes.subarray(0, 40)).includes('"answer"')) return 0
  const message = decodeMessage(bytes)
  if (typeof message === "string" || message.type !== "transferResponse") return 0
  return [...message.payload.parts.values()].reduce((sum, { rows }) => sum + rows.length, 0)
}

/** A cluster that counts what its nodes receive. */
function cluster(count) {
  const network = new SeededNetwork({ seed: 1 })
  const received = { messages: 0, bytes: 0, stateRows: 0 }
  const start = (name) => {
    const { pubsub, timers } = network.node(name)
    const subscribe = (topic, receive) =>
      pubsub.subscribe(topic, (bytes, from) => {
        received.messages += 1
        received.bytes += bytes.length
        received.stateRows += rowsOfState(bytes)
        receive(bytes, from)
      })
    const bus = Object.create(pubsub, { subscribe: { value: subscribe } })
    return createTracker({ pubsub: bus, timers, random: network.random })
  }
  const trackers = Array.from({ length: count }, (_, i) => start(`node-${i}`))
  const reset = () => Object.assign(received, { messages: 0, bytes: 0, stateRows: 0 })
  return { network, trackers, received, reset, start }
}

/** Runs `ms` of virtual time, and returns what was received in a second, and the CPU of a second in ms. */
async function measure({ network, received, reset }, ms, run = () => network.run(ms)) {
  reset()
  const before = process.cpuUsage()
  await run()
  const { user, system } = process.cpuUsage(before)
  const seconds = ms / 1000
  return {
    messages: received.messages / seconds,
    bytes: received.bytes / seconds,
    cpu: (user + system) / 1000 / seconds,
  }
}

/** Each node tracks and untracks, `CHANGES_PER_SECOND` of each a second. */
async function churn({ network, trackers }, ms) {
  const step = 1000 / CHANGES_PER_SECOND
  for (let at = 0; at < ms; at += step) {
    for (const [n, tracker] of trackers.entries()) {
      tracker.track(`c${at}`, "rooms:churn", `visitor-${n}-${at}`, META)
      tracker.untrack(`c${at - 10 * step}`)
    }
    await network.run(step)
  }
}

/** Returns how long until all nodes show a new presence of the first one, in ms of virtual time. */
async function convergence({ network, trackers }) {
  trackers[0].track("last", "rooms:last", "last", META)
  for (let ms = 0; ms < 60_000; ms += 5) {
    if (trackers.every((tracker) => tracker.list("rooms:last").length > 0)) return ms
    await network.run(5)
  }
  return Infinity
}

/** Returns the µs that a tracker among `count` nodes needs for a message with one join. */
function microsOfMessage(count) {
  let deliver
  /** @type {import("rollcall/pubsub").PubSub} */
  const pubsub = {
    node: "receiver",
    status: "connected",
    subscribe: (_, receive) => {
      deliver = receive
      return Promise.resolve(() => {})
    },
    publish() {},
    send() {},
    onStatus: () => () => {},
    close: () => Promise.resolve(),
  }
  const timers = { now: () => 0, set: () => 0, clear() {}, soon() {} }
  createTracker({ pubsub, timers })
  const senders = Array.from({ length: count - 1 }, (_, i) => {
    const node = `node-${i}`
    return { node, set: new Orswot(newRef(node, Math.random)) }
  })
  let joins = 0
  const message = ({ node, set }) => {
    joins += 1
    set.join(`p${joins}@${node}`, `rooms:${joins % 100}`, `user-${joins}`, { ...META, phx_ref: `r${joins}` })
    const delta = set.takeDelta()
    const clocks = new Map([[set.ref, set.clock]])
    return encodeMessage({
      type: "heartbeat",
      ref: set.ref,
      shards: 1,
      clocks,
      delta,
      digest: undefined,
      previousRef: undefined,
      requests: "nothing",
    })
  }
  const rounds = []
  for (let round = 0; round < 12; round += 1) {
    const messages = Array.from({ length: 4040 }, (_, i) => {
      const sender = senders[i % senders.length]
      return [message(sender), sender.node]
    })
    const started = performance.now()
    for (const [bytes, node] of messages) deliver(bytes, node)
    if (round > 1) rounds.push(((performance.now() - started) * 1000) / messages.length)
  }
  return median(rounds)
}

const rows = []
for (const count of sizes) {
  const all = cluster(count)
  await all.network.run(4 * PERIOD_MS)
  for (const [n, tracker] of all.trackers.entries()) {
    for (let i = 0; i < ROWS_PER_NODE; i += 1) tracker.track(`${i}`, `rooms:${i % 20}`, `user-${n}-${i}`, META)
  }
  await all.network.run(6 * PERIOD_MS)
  const idle = await measure(all, 20 * PERIOD_MS)
  const busyMs = count > 32 ? 2000 : 5000
  const busy = await measure(all, busyMs, () => churn(all, busyMs))
  const converged = await convergence(all)
  // One node restarts while the others go on.
  await all.trackers.pop()?.close()
  await all.network.run(2 * PERIOD_MS)
  all.reset()
  all.trackers.push(all.start("restarted"))
  await churn(all, 1500)
  const state = all.trackers[0].size
  rows.push({
    nodes: count,
    "idle messages/s": idle.messages,
    "idle kB/s": idle.bytes / 1000,
    "idle bytes a pair and period": (idle.bytes * (PERIOD_MS / 1000)) / count ** 2,
    "busy messages/s a node": busy.messages / count,
    "busy kB/s a node": busy.bytes / 1000 / count,
    "bytes a message": busy.bytes / busy.messages,
    "µs taking one message": microsOfMessage(count),
    "seen by all after ms": converged,
    "states at a restart": all.received.stateRows / state,
  })
}

const exponent = (name) => {
  const [first, last] = [rows[0], rows.at(-1)]
  return Math.log(last[name] / first[name]) / Math.log(last.nodes / first.nodes)
}
const rounded = (row) => Object.fromEntries(Object.entries(row).map(([name, n]) => [name, Math.round(n * 100) / 100]))
console.table(rows.map(rounded))
if (rows.length > 1) {
  console.log(`growth exponents from ${rows[0].nodes} to ${rows.at(-1).nodes} nodes`)
  console.table([
    Object.fromEntries(
      Object.keys(rows[0])
        .slice(1)
        .map((name) => [name, Math.round(exponent(name) * 100) / 100]),
    ),
  ])
}

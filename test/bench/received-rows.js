/**
 * Measures a node that receives a state: the memory of a row, and the time to decode and to merge it.
 *
 *     npm run build && node test/bench/received-rows.js [--rows 100000]
 *
 * The rows have a meta of three fields, and arrive as another node would send them. Each size of topics has a process of its own.
 * Memory is the heap after garbage collection. Times are the least of several runs, of the processor, garbage collector included.
 */
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { createTracker } from "rollcall/tracker"
import { chunksOf } from "../../dist/crdt/payload-chunks.js"
import { Orswot } from "../../dist/crdt/orswot.js"
import { phxRefGenerator } from "../../dist/tracker/phx-ref.js"
import { newRef } from "../../dist/tracker/replica-ref.js"
import { decodeMessage, encodeMessage } from "../../dist/tracker/tracker-messages.js"

const SENDER = "web-7d4b9c6f5-x2x9k"
const TOPIC_SIZES = [1, 2, 5, 20, 1000]
const RUNS = 8

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc")
const { values } = parseArgs({ options: { rows: { type: "string", default: "100000" }, size: { type: "string" } } })
const count = Number(values.rows)

/** Returns the messages of a node with `count` rows: its first heartbeat, and the chunks of its state. */
function messagesOf(perTopic) {
  /** @type {Orswot<import("rollcall/tracker").TrackedMeta>} */
  const set = new Orswot(newRef(SENDER, Math.random))
  const refs = phxRefGenerator(Math.random)
  for (let i = 0; i < count; i += 1) {
    const meta = { name: `Ada Lovelace ${i}`, status: "avail", since: 1_760_000_000 + i, phx_ref: refs.next() }
    set.join(`${i}@${SENDER}`, `rooms:${Math.floor(i / perTopic)}`, `user-${i}`, meta)
  }
  const sender = { ref: set.ref, shards: 1 }
  const { parts } = set.extract("", new Map([[set.ref, 0]]))
  const chunks = chunksOf(parts, 4096)
  const hello = { digest: undefined, previousRef: undefined, requests: /** @type {const} */ ("nothing") }
  return [
    encodeMessage({ type: "heartbeat", ...sender, clocks: set.clocks(), delta: undefined, ...hello }),
    ...chunks.map((chunk, index) =>
      encodeMessage({
        type: "transferResponse",
        ...sender,
        payload: { mode: "full", parts: chunk },
        isPacked: true,
        hasMore: index + 1 < chunks.length,
        index,
      }),
    ),
  ]
}

function usedHeap() {
  for (let i = 0; i < 4; i += 1) collect()
  return process.memoryUsage().heapUsed
}

/** Returns the bytes of heap that a tracker keeps for each row. */
async function memoryOf(messages) {
  /** @type {(bytes: Uint8Array, from: string) => void} */
  let deliver = () => {}
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
  const before = usedHeap()
  for (const message of messages) deliver(message, SENDER)
  const bytes = (usedHeap() - before) / count
  if (tracker.size !== count) throw new Error(`expected ${count} rows, got ${tracker.size}`)
  await tracker.close()
  return bytes
}

/** Returns the least processor time of a call, in µs a row. */
function least(prepare, call) {
  let best = Infinity
  for (let run = 0; run < RUNS; run += 1) {
    const input = prepare()
    collect()
    const start = process.cpuUsage()
    const kept = call(input)
    const { user, system } = process.cpuUsage(start)
    if (kept !== undefined) best = Math.min(best, (user + system) / count)
  }
  return best
}

async function measure(perTopic) {
  const messages = messagesOf(perTopic)
  const heap = await memoryOf(messages)
  const decode = () => messages.map((message) => decodeMessage(message))
  const texts = messages.map((message) => Buffer.from(message).toString())
  const merge = (/** @type {any[]} */ decoded) => {
    const set = new Orswot("receiver")
    set.replicaUp(decoded[0].ref)
    for (const { payload } of decoded) if (payload !== undefined) set.merge(payload)
    return set
  }
  return {
    "rows a topic": perTopic,
    "heap, B a row": Math.round(heap),
    "message, B a row": Math.round(messages.reduce((sum, { length }) => sum + length, 0) / count),
    "JSON.parse, µs a row": least(
      () => texts,
      (all) => all.map((text) => JSON.parse(text)),
    ).toFixed(2),
    "decode, µs a row": least(() => messages, decode).toFixed(2),
    "merge, µs a row": least(decode, merge).toFixed(2),
  }
}

if (values.size === undefined) {
  const rows = TOPIC_SIZES.map((size) => {
    const args = [fileURLToPath(import.meta.url), "--rows", values.rows, "--size", String(size)]
    return JSON.parse(execFileSync(process.execPath, args).toString())
  })
  console.table(rows)
} else console.log(JSON.stringify(await measure(Number(values.size))))

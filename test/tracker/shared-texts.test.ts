import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { expect, test } from "vitest"
import { Orswot } from "../../src/crdt/orswot.ts"
import type { PubSub, Receive } from "../../src/pubsub/pubsub.ts"
import { newRef } from "../../src/tracker/replica-ref.ts"
import { encodeMessage } from "../../src/tracker/tracker-messages.ts"
import { createTracker, type TrackedMeta } from "../../src/tracker/tracker.ts"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

function usedHeap(): number {
  for (let i = 0; i < 3; i += 1) collect()
  return process.memoryUsage().heapUsed
}

/** So many rows that what the compiler keeps in the heap is little for each. */
const ROWS = 4000

/** Returns the heartbeats of a node that adds one row with each. */
function heartbeats(node: string, topicOf: (n: number) => string, rows: number): Uint8Array[] {
  const set = new Orswot<TrackedMeta>(newRef(node, Math.random))
  return Array.from({ length: rows }, (_, n) => {
    set.join(`p${n}@${node}`, topicOf(n), `user-${n}`, { phx_ref: `ref-${n}` })
    return encodeMessage({
      type: "heartbeat",
      ref: set.ref,
      shards: 1,
      clocks: set.clocks(),
      delta: set.takeDelta(),
      digest: undefined,
      previousRef: undefined,
      requests: "nothing",
    })
  })
}

/** Returns the bytes of heap that a tracker keeps for each row that arrives in a heartbeat of its own. */
async function bytesOfRow(node: string, topicOf: (n: number) => string, rows = ROWS): Promise<number> {
  let deliver: Receive = () => undefined
  const pubsub: PubSub = {
    node: "receiver",
    status: "connected",
    subscribe: async (_, receive) => {
      deliver = receive
      return () => undefined
    },
    publish: () => undefined,
    send: () => undefined,
    onStatus: () => () => undefined,
    close: async () => undefined,
  }
  const tracker = createTracker({ pubsub })
  await new Promise((resolve) => setImmediate(resolve))
  const messages = heartbeats(node, topicOf, rows)
  const before = usedHeap()
  for (const message of messages) deliver(message, node)
  const bytes = (usedHeap() - before) / rows
  expect(tracker.size).toBe(rows)
  expect(messages).toHaveLength(rows)
  await tracker.close()
  return bytes
}

const LONG = "x".repeat(20_000)

// A copy of the topic would be 20 000 bytes. A row takes some 300, and the rest of this limit is for the compiler.
test.for([2, 10, 4000])("rows that arrive one by one keep no copies of their topic: %i in a topic", async (size) => {
  const topics = ROWS / size
  expect(await bytesOfRow("sender", (n) => `${n % topics}:${LONG}`)).toBeLessThan(20_000 / size + 3000)
})

test("rows that arrive one by one keep no copies of their node's name but in their pid", async () => {
  // Compiled code that comes and goes between the two measurements is some hundred kB, so that few rows would not do.
  const rows = 5 * ROWS
  await bytesOfRow("a", () => "warm-up", rows)
  const [short, long] = [await bytesOfRow("a", () => "t", rows), await bytesOfRow("n".repeat(255), () => "t", rows)]
  // The pid has one copy of 254 more bytes. A second copy would be in the ref of each row.
  expect(long - short).toBeLessThan(254 * 1.6)
})

// Measures the messages per second that one node publishes and another receives, for each engine, and what the bare
// driver reaches in the same run. Run after a build: node test/bench/pubsub.js. Needs redis-server and nats-server.
import { connect } from "@nats-io/transport-node"
import { fork } from "node:child_process"
import { createClient } from "redis"
import { ipc, local, LocalBus, relay } from "../../dist/pubsub/index.js"
import { nats } from "../../dist/pubsub/nats.js"
import { redis } from "../../dist/pubsub/redis.js"
import { natsServer, redisServer } from "../support/engine.js"

const TOPIC = "rooms:lobby"
const BATCH = 500
const payload = new Uint8Array(100).fill(7)

/** Publishes in batches, of which at most two are on their way, and returns the messages per second. */
async function rate(total, subscribe, publish) {
  let received = 0
  let wanted = Infinity
  let wake
  const undo = await subscribe(() => {
    received += 1
    if (received >= wanted) wake()
  })
  const reached = (count) =>
    new Promise((resolve) => {
      wanted = count
      wake = resolve
      if (received >= wanted) wake()
    })
  const run = async (count) => {
    received = 0
    for (let sent = 0; sent < count; sent += BATCH) {
      await reached(sent - BATCH)
      for (let i = 0; i < BATCH; i += 1) publish(payload)
    }
    await reached(count)
  }
  await run(BATCH * 20)
  const start = performance.now()
  await run(total)
  const seconds = (performance.now() - start) / 1000
  await undo?.()
  return total / seconds
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

/** Measures Rollcall and the bare driver alternately, so that other load on the machine affects both alike. */
async function measure(total, ours, bare) {
  /** @type {{ ours: number[], bare: number[] }} */
  const rates = { ours: [], bare: [] }
  for (let round = 0; round < 5; round += 1) {
    rates.ours.push(await rate(total, ...ours))
    rates.bare.push(await rate(total, ...bare))
  }
  return rates
}

const row = (engine, { ours, bare }) => ({
  engine,
  "rollcall, 1000 messages/s": Math.round(median(ours) / 1000),
  "bare driver, 1000 messages/s": Math.round(median(bare) / 1000),
  ratio: Number((median(ours) / median(bare)).toFixed(2)),
})

const between = (a, b) => [(receive) => b.subscribe(TOPIC, receive), (bytes) => a.publish(TOPIC, bytes)]

async function localRow() {
  const bus = new LocalBus()
  const [a, b] = [local({ bus }), local({ bus })]
  const topics = new EventTarget()
  const bare = [
    (receive) => {
      topics.addEventListener(TOPIC, receive)
      return () => topics.removeEventListener(TOPIC, receive)
    },
    () => queueMicrotask(() => topics.dispatchEvent(new Event(TOPIC))),
  ]
  return row("local (bare: EventTarget)", await measure(200_000, between(a, b), bare))
}

async function redisRow(url) {
  const [a, b] = [await redis(url), await redis(url)]
  const publisher = await createClient({ url }).connect()
  const subscriber = await createClient({ url }).connect()
  const bytes = Buffer.from(payload)
  const bare = [
    async (receive) => {
      await subscriber.subscribe(TOPIC, receive, true)
      return () => subscriber.unsubscribe(TOPIC)
    },
    () => publisher.publish(TOPIC, bytes),
  ]
  const result = row("redis (bare: node-redis)", await measure(50_000, between(a, b), bare))
  await Promise.all([a.close(), b.close(), publisher.close(), subscriber.close()])
  return result
}

async function natsRow(url) {
  const [a, b] = [await nats(url), await nats(url)]
  const [from, to] = [await connect({ servers: url }), await connect({ servers: url })]
  const bare = [
    async (callback) => {
      const subscription = to.subscribe(TOPIC, { callback })
      await to.flush()
      return () => subscription.unsubscribe()
    },
    (bytes) => from.publish(TOPIC, bytes),
  ]
  const result = row("nats (bare: transport-node)", await measure(200_000, between(a, b), bare))
  await Promise.all([a.close(), b.close(), from.close(), to.close()])
  return result
}

/** Measures two workers. The bare driver is `process.send`, with a primary that only forwards messages. */
async function ipcRow(serialization) {
  const served = relay()
  const start = (role) => {
    const worker = fork(import.meta.filename, [role, serialization], { serialization })
    served.add(worker)
    return worker
  }
  const subscriber = start("subscriber")
  await new Promise((resolve) => subscriber.once("message", resolve))
  const publisher = start("publisher")
  subscriber.on("message", (message) => message[0] === "bare" && publisher.send(message))
  const rates = await new Promise((resolve) => {
    publisher.on("message", (/** @type {any} */ message) => {
      if (message[0] === "bare") subscriber.send(message)
      else if (message.ours) resolve(message)
    })
  })
  subscriber.kill()
  publisher.kill()
  return row(`ipc, ${serialization} (bare: process.send)`, rates)
}

/** The receiving worker. It answers each batch with one message, over the bus or over the bare channel. */
async function runSubscriber() {
  let received = 0
  const batchComplete = () => (received = (received + 1) % BATCH) === 0
  const node = await ipc({ node: "subscriber" })
  await node.subscribe(TOPIC, (_, from) => batchComplete() && node.send(from, TOPIC, new Uint8Array()))
  process.on(
    "message",
    (/** @type {any} */ message) => message[0] === "bare" && batchComplete() && process.send?.(["bare"]),
  )
  process.send?.("ready")
}

/** Calls `receive` once for each message of a batch. */
const batch = (receive) => () => {
  for (let i = 0; i < BATCH; i += 1) receive()
}

/** The sending worker, which measures. Each answer that it receives stands for a whole batch. */
async function runPublisher(serialization) {
  const node = await ipc({ node: "publisher" })
  const ours = [(receive) => node.subscribe(TOPIC, batch(receive)), (bytes) => node.publish(TOPIC, bytes)]
  const bare = [
    (receive) => {
      const onMessage = (message) => message[0] === "bare" && batch(receive)()
      process.on("message", onMessage)
      return () => process.off("message", onMessage)
    },
    (bytes) => process.send?.(["bare", serialization === "json" ? Buffer.from(bytes).toString("base64") : bytes]),
  ]
  process.send?.(await measure(20_000, ours, bare))
}

const roles = { subscriber: runSubscriber, publisher: runPublisher }
if (process.argv[2]) await roles[process.argv[2]](process.argv[3])
else {
  const [redisEngine, natsEngine] = await Promise.all([redisServer(), natsServer()])
  await Promise.all([redisEngine.start(), natsEngine.start()])
  console.table([
    await localRow(),
    await redisRow(redisEngine.url),
    await natsRow(natsEngine.url),
    await ipcRow("advanced"),
    await ipcRow("json"),
  ])
  await Promise.all([redisEngine.kill(), natsEngine.kill()])
}

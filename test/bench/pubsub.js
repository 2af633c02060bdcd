// Messages per second from publish to receive between two nodes, beside the bare driver doing the same in the same run.
// npx tsc -p tsconfig.json && node test/bench/pubsub.js; redis-server and nats-server must be installed.
import { connect } from "@nats-io/transport-node"
import { fork, spawn } from "node:child_process"
import { createServer } from "node:net"
import { createClient } from "redis"
import { ipc, local, LocalBus, relay } from "../../dist/pubsub/index.js"
import { nats } from "../../dist/pubsub/nats.js"
import { redis } from "../../dist/pubsub/redis.js"

const TOPIC = "rooms:lobby"
const BATCH = 500
const payload = new Uint8Array(100).fill(7)

/** Publishes in batches, at most two of them unanswered, and resolves to messages per second. */
async function rate(total, subscribe, publish) {
  let received = 0
  let wake = () => {}
  const undo = await subscribe(() => {
    received += 1
    if (received % BATCH === 0) wake()
  })
  const run = async (count) => {
    received = 0
    for (let sent = 0; sent < count;) {
      for (let i = 0; i < BATCH; i += 1) publish(payload)
      sent += BATCH
      while (received < sent - BATCH || (sent === count && received < count))
        await new Promise((resolve) => (wake = resolve))
    }
  }
  await run(BATCH * 20)
  const start = performance.now()
  await run(total)
  const seconds = (performance.now() - start) / 1000
  await undo?.()
  return total / seconds
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

/** Ours and the bare driver's in turns, so that what disturbs the one disturbs the other. */
async function compare(engine, total, ours, bare) {
  const rates = { ours: [], bare: [] }
  for (let round = 0; round < 5; round += 1) {
    rates.ours.push(await rate(total, ...ours))
    if (bare) rates.bare.push(await rate(total, ...bare))
  }
  const perSecond = (values) => (values.length > 0 ? Math.round(median(values) / 1000) : undefined)
  return {
    engine,
    "rollcall, 1000/s": perSecond(rates.ours),
    "bare driver, 1000/s": perSecond(rates.bare),
    ratio: bare ? Number((median(rates.ours) / median(rates.bare)).toFixed(2)) : undefined,
  }
}

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
  return compare("local (beside EventTarget)", 200_000, between(a, b), bare)
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
  const row = await compare("redis (beside node-redis)", 50_000, between(a, b), bare)
  await Promise.all([a.close(), b.close(), publisher.close(), subscriber.close()])
  return row
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
  const row = await compare("nats (beside transport-node)", 200_000, between(a, b), bare)
  await Promise.all([a.close(), b.close(), from.close(), to.close()])
  return row
}

/** A worker that sends back what it hears, once for each batch; the bare one does so with its channel alone. */
async function ipcRow(serialization) {
  const served = relay()
  const workers = ["speaks", "listens"].map((role) => fork(import.meta.filename, [role], { serialization }))
  for (const worker of workers) served.add(worker)
  const [speaks, listens] = workers
  const once = (worker) => new Promise((resolve) => worker.once("message", resolve))
  const measure = async (kind) => {
    for (const worker of [listens, speaks]) {
      const ready = new Promise((resolve) => worker.on("message", (said) => said.ready === kind && resolve()))
      worker.send({ prepare: kind })
      await ready
    }
    const pass = (message) => Array.isArray(message) && message[0] === "bare" && listens.send(message)
    speaks.on("message", pass)
    const answer = new Promise((resolve) => speaks.on("message", (said) => said.rate > 0 && resolve(said.rate)))
    const done = (said) => said.batch && speaks.send(said)
    listens.on("message", done)
    speaks.send({ run: kind })
    const result = await answer
    speaks.removeListener("message", pass)
    listens.removeListener("message", done)
    return result
  }
  void once
  const rates = { ours: [], bare: [] }
  for (let round = 0; round < 3; round += 1) {
    rates.ours.push(await measure("ours"))
    rates.bare.push(await measure("bare"))
  }
  for (const worker of workers) worker.kill()
  return {
    engine: `ipc, ${serialization} (beside process.send)`,
    "rollcall, 1000/s": Math.round(median(rates.ours) / 1000),
    "bare driver, 1000/s": Math.round(median(rates.bare) / 1000),
    ratio: Number((median(rates.ours) / median(rates.bare)).toFixed(2)),
  }
}

async function worker(role) {
  const node = await ipc()
  let received = 0
  let batches = () => {}
  const count = () => {
    received += 1
    if (received % BATCH === 0) process.send({ batch: true })
  }
  process.on("message", async (said) => {
    if (Array.isArray(said) && said[0] === "bare") count()
    else if (said.batch) batches()
    else if (said.prepare) {
      if (role === "listens" && said.prepare === "ours") await node.subscribe(TOPIC, count)
      process.send({ ready: said.prepare })
    } else if (said.run) {
      const subscribe = (receive) => {
        batches = () => {
          for (let i = 0; i < BATCH; i += 1) receive()
        }
      }
      const bare = typeof said.base64 === "string" ? said.base64 : Buffer.from(payload)
      const publish = said.run === "ours" ? (bytes) => node.publish(TOPIC, bytes) : () => process.send(["bare", bare])
      process.send({ rate: await rate(50_000, subscribe, publish) })
    }
  })
  process.on("disconnect", () => process.exit())
}

async function server(program, args) {
  const port = await new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
  const path = `${process.env.PATH}:/usr/sbin`
  const child = spawn(program, args(`${port}`), { stdio: "ignore", env: { ...process.env, PATH: path } })
  await new Promise((resolve) => setTimeout(resolve, 500))
  return { port, stop: () => child.kill("SIGKILL") }
}

if (process.argv[2]) await worker(process.argv[2])
else {
  const redisServer = await server("redis-server", (port) => ["--port", port, "--bind", "127.0.0.1", "--save", ""])
  const natsServer = await server("nats-server", (port) => ["--addr", "127.0.0.1", "--port", port])
  console.table([
    await localRow(),
    await redisRow(`redis://127.0.0.1:${redisServer.port}`),
    await natsRow(`nats://127.0.0.1:${natsServer.port}`),
    await ipcRow("advanced"),
    await ipcRow("json"),
  ])
  redisServer.stop()
  natsServer.stop()
}

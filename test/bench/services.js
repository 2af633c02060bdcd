// Measures calls of services: calls a second, p50 and p99, and processor time a call, beside moleculer and bare NATS
// requests, on the same engines in one run. `npm run build && npm run bench:services`, with `-- --rounds 5` and `-- --only nats`.
// Needs redis-server and nats-server.
import { os } from "@orpc/server"
import { connect } from "@nats-io/transport-node"
import { fork } from "node:child_process"
import { parseArgs } from "node:util"
import { ipc, local, relay } from "rollcall/pubsub"
import { createServices } from "rollcall/services"
import { createTracker } from "rollcall/tracker"
import { natsServer, redisServer } from "../support/engine.js"

/** Calls of one measurement: so many at a time, then as many one after the other. */
const AT_A_TIME = 64
const INPUT = { uid: "ada", x: 12, y: 7 }
const SECRET = "a secret of more than thirty-two bytes"

const rollcall = (open, options = {}) => ({
  async start({ url, role }) {
    // Those with a secret are other nodes on the same engine.
    const pubsub = await open(url, role, options.secret === undefined ? "plain" : "signed")
    const tracker = createTracker({ pubsub })
    const services = createServices({ tracker, pubsub, ...options })
    if (role !== "caller") await services.serve("game", { move: os.handler(({ input }) => input) }).ready
    return () => services.call("game", "move", INPUT)
  },
})

const moleculer = (transporter) => ({
  async start({ url, role }) {
    const { ServiceBroker } = (await import("moleculer")).default
    const settings = typeof transporter === "function" ? transporter(url) : transporter
    const broker = new ServiceBroker({ nodeID: role, transporter: settings, logger: false, requestTimeout: 5_000 })
    if (role !== "caller") broker.createService({ name: "game", actions: { move: (context) => context.params } })
    await broker.start()
    if (role === "caller") await broker.waitForServices("game")
    return () => broker.call("game.move", INPUT)
  },
})

const bareNats = {
  async start({ url, role }) {
    const connection = await connect({ servers: url })
    const answer = (error, message) => error ?? message.respond(JSON.stringify(JSON.parse(message.string())))
    if (role !== "caller") connection.subscribe("game.move", { callback: answer })
    await connection.flush()
    return async () => (await connection.request("game.move", JSON.stringify(INPUT), { timeout: 5_000 })).json()
  },
}

const redisOf = async (url, node, namespace) => (await import("rollcall/pubsub/redis")).redis({ url, node, namespace })
const natsOf = async (url, node, namespace) => (await import("rollcall/pubsub/nats")).nats({ url, node, namespace })

/** Engine → name → what is measured. Those of one engine run alternately. */
const CONTESTS = {
  "one process": { rollcall: rollcall(() => local({ node: "both" })), moleculer: moleculer(undefined) },
  "processes of one machine": { rollcall: rollcall((_, node) => ipc({ node })), "moleculer, TCP": moleculer("TCP") },
  nats: {
    rollcall: rollcall(natsOf),
    "rollcall, with a secret": rollcall(natsOf, { secret: SECRET }),
    moleculer: moleculer((url) => url),
    "bare request and reply": bareNats,
  },
  redis: {
    rollcall: rollcall(redisOf),
    "rollcall, with a secret": rollcall(redisOf, { secret: SECRET }),
    moleculer: moleculer((url) => url),
  },
}

/** Makes calls, so many at a time. Returns the seconds that they took, and the ms of each one. */
async function measure(call, count, atATime) {
  const times = []
  let made = 0
  const caller = async () => {
    while (made < count) {
      made += 1
      const started = performance.now()
      await call()
      times.push(performance.now() - started)
    }
  }
  const started = performance.now()
  await Promise.all(Array.from({ length: atATime }, caller))
  return { seconds: (performance.now() - started) / 1_000, times }
}

/** Runs in a child: starts one side, and makes calls or tells its processor time when it is asked. */
async function child(engine, name, given) {
  const call = await CONTESTS[engine][name].start(given)
  const tell = (message) => process.send?.({ bench: message })
  // The other side is seen after a heartbeat.
  while (given.role !== "handler") {
    const seen = await call().catch(() => undefined)
    if (seen !== undefined) break
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  process.on("message", async ({ bench }) => {
    if (bench === undefined) return
    if (bench.ask === "cpu") {
      const { user, system } = process.cpuUsage()
      tell((user + system) / 1_000_000)
    } else if (bench.ask === "measure") tell(await measure(call, bench.count, bench.atATime))
  })
  // It ends with its parent, however that ends.
  process.on("disconnect", () => process.exit())
  tell("ready")
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

/** Starts the processes of one contender. */
async function start(engine, name, url) {
  const workers = relay()
  const roles = engine === "one process" ? ["both"] : ["handler", "caller"]
  const children = roles.map((role) => {
    const given = JSON.stringify({ url, role })
    const process = fork(import.meta.filename, [engine, name, given], { serialization: "advanced" })
    process.setMaxListeners(0)
    if (engine === "processes of one machine") workers.add(process)
    return process
  })
  const answerOf = (process) =>
    new Promise((resolve, reject) => {
      const listen = ({ bench }) => {
        if (bench === undefined) return
        process.off("message", listen)
        resolve(bench)
      }
      process.on("message", listen)
      process.once("exit", () => reject(new Error(`${name} on ${engine} has ended`)))
    })
  const ask = (process, bench) => {
    const answer = answerOf(process)
    process.send({ bench })
    return answer
  }
  await Promise.all(children.map(answerOf))
  const caller = children.at(-1)
  const ownCpu = () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000_000
  }
  const cpu = async () => {
    const seconds = await Promise.all(children.map((process) => ask(process, { ask: "cpu" })))
    // The primary relays the messages of its workers.
    return seconds.reduce((sum, one) => sum + one, engine === "processes of one machine" ? ownCpu() : 0)
  }
  const lists = /** @type {{ rates: number[], cpus: number[], p50s: number[], p99s: number[] }} */ ({
    rates: [],
    cpus: [],
    p50s: [],
    p99s: [],
  })
  return {
    ...lists,
    async round(count) {
      const before = await cpu()
      const many = await ask(caller, { ask: "measure", count, atATime: AT_A_TIME })
      const after = await cpu()
      this.rates.push(count / many.seconds)
      this.cpus.push(((after - before) * 1_000_000) / count)
      const { times } = await ask(caller, { ask: "measure", count: count / 10, atATime: 1 })
      const sorted = times.toSorted((a, b) => a - b)
      this.p50s.push(sorted[Math.floor(sorted.length * 0.5)])
      this.p99s.push(sorted[Math.floor(sorted.length * 0.99)])
    },
    end() {
      for (const process of children) process.kill("SIGKILL")
    },
  }
}

async function contest(engine, rounds, count) {
  const server = engine === "nats" ? await natsServer() : engine === "redis" ? await redisServer() : undefined
  await server?.start()
  const contenders = new Map()
  for (const name of Object.keys(CONTESTS[engine])) contenders.set(name, await start(engine, name, server?.url))
  // The first round warms up.
  for (let round = 0; round <= rounds; round += 1) {
    for (const contender of contenders.values()) {
      await contender.round(count)
      if (round === 0) for (const list of ["rates", "cpus", "p50s", "p99s"]) contender[list].length = 0
    }
  }
  for (const [name, { rates, cpus, p50s, p99s, end }] of contenders) {
    const [rate, cpu, p50, p99] = [rates, cpus, p50s, p99s].map(median)
    console.log(
      `| ${engine} | ${name} | ${(Math.round(rate / 100) * 100).toLocaleString("en")} | ${cpu.toFixed(0)} µs | ` +
        `${p50.toFixed(2)} ms | ${p99.toFixed(2)} ms |`,
    )
    end()
  }
  await server?.kill()
}

const [engine, name, given] = process.argv.slice(2)
if (given !== undefined && Object.hasOwn(CONTESTS, engine)) {
  await child(engine, name, JSON.parse(given))
} else {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "5" },
      calls: { type: "string", default: "20000" },
      only: { type: "string" },
    },
  })
  console.log(`| engine | | calls a second, ${AT_A_TIME} at a time | processor a call | p50 of one at a time | p99 |`)
  console.log("| --- | --- | ---: | ---: | ---: | ---: |")
  for (const each of Object.keys(CONTESTS)) {
    if (values.only !== undefined && values.only !== each) continue
    await contest(each, Number(values.rounds), Number(values.calls))
  }
}

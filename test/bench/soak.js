/**
 * Runs a server under the load of clients that come and go: `npm run soak -- --minutes 30 [--seed N]`. Needs a build.
 *
 * The clients join, leave, broadcast, update, close, break their connections, and stop reading for a while. All the time the
 * server's counters must match what the clients know. At the end, with no client connected, its memory must be what it was
 * after the warm-up. Prints a table and at last `N minutes, N failures`. Exits with 1 if there are failures.
 */
import { fork } from "node:child_process"
import { parseArgs } from "node:util"
import { mulberry32 } from "rollcall/testing"
import { WebSocket } from "ws"

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "30" }, seed: { type: "string", default: "1" } },
})
const minutes = Number(values.minutes)
if (!(minutes > 0)) throw new Error("usage: soak.js [--minutes N] [--seed N]")
const random = mulberry32(Number(values.seed))

const CLIENTS = 300
const ROOMS = Array.from({ length: 20 }, (_, n) => `rooms:${n}`)
/** Several steps per tick, so that the server has diffs to fold and writes to gather. */
const STEPS_PER_TICK = 5
const TICK_MS = 10
const HEARTBEAT_MS = 1_500
const WARM_UP_MS = Math.min(60_000, minutes * 60_000 * 0.3)
const CHECK_EVERY_MS = Math.min(60_000, (minutes * 60_000) / 4)
/** A last resort: on a busy machine it takes longer to come to rest. */
const AGREE_MS = 60_000
/** Timeouts that no client reaches, so that a machine that stands still for a few seconds ends no connection. */
const TIMEOUTS = { handshakeTimeoutMs: 60_000, idleTimeoutMs: 60_000 }
/** By how much heap and external memory may have grown, in bytes. Lazily compiled code accounts for most of it. */
const MAX_GROWTH_BYTES = 4_000_000

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const pick = (list) => list[Math.floor(random() * list.length)]
const failures = []
let isFinished = false

function fail(message) {
  failures.push(message)
  console.log(`FAILED ${message}`)
}

const program = new URL("../fuzz/server.js", import.meta.url)
const server = fork(program, [JSON.stringify(TIMEOUTS)], { execArgv: ["--expose-gc"] })
server.on("message", (/** @type {any} */ { fatal }) => fatal !== undefined && fail(fatal))
server.on("exit", (code, signal) => isFinished || fail(`the server ended with ${signal ?? code}`) || process.exit(1))
/** Resolves to the next message of the server process that `matches`. */
const nextMessage = (matches) =>
  new Promise((resolve) => {
    const onMessage = (message) => {
      if (!matches(message)) return
      server.off("message", onMessage)
      resolve(message)
    }
    server.on("message", onMessage)
  })
function request(name) {
  server.send({ request: name, topics: ROOMS })
  return nextMessage((message) => message.reply === name)
}
const { port } = await nextMessage((message) => message.port !== undefined)

/** The connected clients. */
const clients = new Set()
let names = 0
let opening = 0

class Client {
  name = `c${(names += 1)}`
  /** Room → the reference of its join. */
  rooms = new Map()
  #refs = 0
  #heartbeat

  constructor() {
    opening += 1
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0&name=${this.name}`)
    this.socket.once("open", () => {
      clients.add(this)
      opening -= 1
      this.#heartbeat = setInterval(() => this.send("phoenix", "heartbeat"), HEARTBEAT_MS)
      this.join(pick(ROOMS))
    })
    this.socket.on("message", (data) => {
      const [joinRef, , topic, event] = JSON.parse(String(data))
      if (event === "phx_error" && this.rooms.get(topic) === joinRef) this.rooms.delete(topic)
    })
    this.socket.on("error", (error) => isFinished || fail(`${this.name}: ${error.message}`))
    this.socket.once("close", () => {
      clearInterval(this.#heartbeat)
      if (!clients.delete(this)) opening -= 1
    })
  }

  send(topic, event, payload = {}) {
    if (this.socket.readyState !== WebSocket.OPEN) return
    const joinRef = this.rooms.get(topic) ?? null
    this.socket.send(JSON.stringify([joinRef, `${(this.#refs += 1)}`, topic, event, payload]))
  }

  join(topic) {
    this.rooms.set(topic, `join ${this.#refs}`)
    this.send(topic, "phx_join")
  }

  leave(topic) {
    this.send(topic, "phx_leave")
    this.rooms.delete(topic)
  }
}

const connect = () => new Client()

/**
 * The actions of a client, each with its frequency in percent.
 *
 * @type {[percent: number, action: (client: Client, room?: string) => unknown][]}
 */
const ACTIONS = [
  [25, (client) => client.join(pick(ROOMS))],
  [20, (client) => client.rooms.size > 0 && client.leave(pick([...client.rooms.keys()]))],
  [20, (client, room) => room && client.send(room, "shout", { text: "x".repeat(random() * 2_000) })],
  [20, (client, room) => room && client.send(room, "update", { meta: { n: random() } })],
  [3, (client, room) => room && client.send(room, "nonsense")],
  [4, (client) => client.socket.close()],
  [5, (client) => client.socket.terminate()],
  [3, (client) => client.socket.pause()],
]
const actions = ACTIONS.flatMap(([percent, action]) => Array.from({ length: percent }, () => action))

async function churn(ms) {
  for (const end = performance.now() + ms; performance.now() < end; await pause(TICK_MS)) {
    for (let step = 0; step < STEPS_PER_TICK; step += 1) {
      if (clients.size + opening < CLIENTS) connect()
      const client = pick([...clients])
      if (client === undefined) continue
      if (!client.socket.isPaused) pick(actions)(client, [...client.rooms.keys()][0])
      else if (random() < 0.2) client.socket.resume()
    }
  }
  for (const { socket } of clients) socket.resume()
}

/** Waits until the server's counters and presences match what the clients know. Reports a failure if that takes too long. */
async function agreed(when) {
  const started = performance.now()
  for (;;) {
    const { counted, presences, handles } = await request("state")
    const connected = (counted.connects ?? 0) - (counted.disconnects ?? 0)
    const present = (counted.entered ?? 0) - (counted.left ?? 0)
    const listed = presences.reduce((sum, keys) => sum + keys.length, 0)
    const expected = [...clients]
      .flatMap(({ name, rooms }) => [...rooms.keys()].map((room) => `${room} ${name}`))
      .sort()
    const found = presences.flatMap((keys, at) => keys.map((key) => `${ROOMS[at]} ${key}`)).sort()
    const isRight =
      connected === clients.size && handles === connected && present === listed && `${found}` === `${expected}`
    if (isRight) return { connected, present }
    if (performance.now() - started > AGREE_MS) {
      fail(
        `${when}: expected ${clients.size} connected and ${expected.length} present, got ${connected} connected over ` +
          `${handles} sockets, ${present} present by count and ${listed} by list`,
      )
      return { connected, present }
    }
    await pause(100)
  }
}

/** Disconnects all clients, and returns the memory of the server. */
async function disconnectAll(when) {
  // Again and again: a client that is still connecting joins the others later.
  for (; clients.size + opening > 0; await pause(20)) for (const { socket } of clients) socket.close()
  await agreed(when)
  return request("memory")
}

const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`.padStart(10)
console.log(`seed ${values.seed}\n  minute  connected  present    joined    heap after gc    resident`)
const started = performance.now()
async function row() {
  const { connected, present } = await agreed("during the load")
  const { counted, heap, rss } = await request("memory")
  const minute = ((performance.now() - started) / 60_000).toFixed(1)
  const columns = [
    minute.padStart(8),
    `${connected}`.padStart(10),
    `${present}`.padStart(8),
    `${counted.entered}`.padStart(9),
  ]
  console.log(`${columns.join(" ")}       ${mb(heap)}  ${mb(rss)}`)
}

await churn(WARM_UP_MS)
await row()
const before = await disconnectAll("after the warm-up")
for (const end = started + minutes * 60_000; performance.now() < end;) {
  await churn(Math.min(CHECK_EVERY_MS, end - performance.now()))
  await row()
}
const after = await disconnectAll("at the end")
console.log(`heap without clients ${mb(before.heap).trim()} → ${mb(after.heap).trim()}`)
console.log(`counted ${JSON.stringify(after.counted)}`)
if (after.heap - before.heap > MAX_GROWTH_BYTES)
  fail(`expected at most ${MAX_GROWTH_BYTES} bytes more than ${before.heap} in memory, got ${after.heap}`)
console.log(`${minutes} minutes, ${failures.length} failures`)
isFinished = true
server.disconnect()
process.exitCode = failures.length > 0 ? 1 : 0

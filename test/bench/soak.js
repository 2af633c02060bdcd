/**
 * `npm run soak -- --minutes 30 [--seed N]`: people come and go for so long, from `dist`; nothing of them may stay.
 *
 * They join, leave, talk, update, hang up, crash, and stop reading for a while. All the time the server's counters must add
 * up to what the people know of themselves; in the end, with everybody gone, its memory must be what it was after the
 * warm-up. Prints a table and, last, `N minutes, N failures`; exits with 1 when there are any.
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

const PEOPLE = 300
const ROOMS = Array.from({ length: 20 }, (_, n) => `rooms:${n}`)
/** Several at a time, so that diffs fold and writes are gathered. */
const STEPS_PER_TICK = 5
const TICK_MS = 10
const BEAT_MS = 1_500
const WARM_UP_MS = Math.min(60_000, minutes * 60_000 * 0.3)
const LOOK_EVERY_MS = Math.min(60_000, (minutes * 60_000) / 4)
const SETTLE_MS = 15_000
/** What heap and external memory may differ by after garbage collection: lazily compiled code, mostly. */
const FLAT_BYTES = 4_000_000

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const pick = (list) => list[Math.floor(random() * list.length)]
const failures = []
let finished = false

function fail(what) {
  failures.push(what)
  console.log(`FAILED ${what}`)
}

const server = fork(new URL("../fuzz/server.js", import.meta.url), [], { execArgv: ["--expose-gc"] })
server.on("message", (/** @type {any} */ { fatal }) => fatal !== undefined && fail(fatal))
server.on("exit", (code, signal) => finished || fail(`the server ended with ${signal ?? code}`) || process.exit(1))
const heard = (fits) =>
  new Promise((resolve) => {
    const look = (message) => {
      if (!fits(message)) return
      server.off("message", look)
      resolve(message)
    }
    server.on("message", look)
  })
function ask(what) {
  server.send({ ask: what, topics: ROOMS })
  return heard((message) => message.answer === what)
}
const { port } = await heard((message) => message.port !== undefined)

/** Who is connected, as far as they know. */
const people = new Set()
let names = 0
let opening = 0

class Person {
  name = `p${(names += 1)}`
  /** Room → the reference of its join. */
  rooms = new Map()
  #refs = 0
  #beat

  constructor() {
    opening += 1
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0&name=${this.name}`)
    this.socket.once("open", () => {
      people.add(this)
      opening -= 1
      this.#beat = setInterval(() => this.send("phoenix", "heartbeat"), BEAT_MS)
      this.join(pick(ROOMS))
    })
    this.socket.on("message", (data) => {
      const [joinRef, , topic, event] = JSON.parse(String(data))
      if (event === "phx_error" && this.rooms.get(topic) === joinRef) this.rooms.delete(topic)
    })
    this.socket.on("error", (error) => finished || fail(`${this.name}: ${error.message}`))
    this.socket.once("close", () => {
      clearInterval(this.#beat)
      people.delete(this)
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

const connect = () => new Person()

/** What somebody does next, and how often of a hundred times. */
/** @type {[often: number, deed: (person: any, room?: string) => unknown][]} */
const DEEDS = [
  [25, (person) => person.join(pick(ROOMS))],
  [20, (person) => person.rooms.size > 0 && person.leave(pick([...person.rooms.keys()]))],
  [20, (person, room) => room && person.send(room, "shout", { text: "x".repeat(random() * 2_000) })],
  [20, (person, room) => room && person.send(room, "update", { meta: { n: random() } })],
  [3, (person, room) => room && person.send(room, "nonsense")],
  [4, (person) => person.socket.close()],
  [5, (person) => person.socket.terminate()],
  [3, (person) => person.socket.pause()],
]
const deeds = DEEDS.flatMap(([often, deed]) => Array.from({ length: often }, () => deed))

async function churn(ms) {
  for (const end = performance.now() + ms; performance.now() < end; await pause(TICK_MS)) {
    for (let step = 0; step < STEPS_PER_TICK; step += 1) {
      if (people.size + opening < PEOPLE) connect()
      const person = pick([...people])
      if (person === undefined) continue
      if (!person.socket.isPaused) pick(deeds)(person, [...person.rooms.keys()][0])
      else if (random() < 0.2) person.socket.resume()
    }
  }
  for (const { socket } of people) socket.resume()
}

/** Waits until the server's books are those of the people, and says where they are not. */
async function agreed(what) {
  const started = performance.now()
  for (;;) {
    const { counted, here, handles } = await ask("state")
    const connected = (counted.connects ?? 0) - (counted.disconnects ?? 0)
    const present = (counted.entered ?? 0) - (counted.left ?? 0)
    const listed = here.reduce((sum, keys) => sum + keys.length, 0)
    const expected = [...people].flatMap(({ name, rooms }) => [...rooms.keys()].map((room) => `${room} ${name}`)).sort()
    const found = here.flatMap((keys, at) => keys.map((key) => `${ROOMS[at]} ${key}`)).sort()
    const isRight =
      connected === people.size && handles === connected && present === listed && `${found}` === `${expected}`
    if (isRight) return { connected, present }
    if (performance.now() - started > SETTLE_MS) {
      fail(
        `${what}: expected ${people.size} connected and ${expected.length} present, found ${connected} connected over ` +
          `${handles} sockets, ${present} present by count and ${listed} by list`,
      )
      return { connected, present }
    }
    await pause(100)
  }
}

async function everybodyGone(what) {
  for (const { socket } of people) socket.close()
  while (people.size + opening > 0) await pause(20)
  await agreed(what)
  return ask("memory")
}

const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`.padStart(10)
console.log(`seed ${values.seed}\n  minute  connected  present    joined    heap after gc    resident`)
const started = performance.now()
async function row() {
  const { connected, present } = await agreed("under way")
  const { counted, heap, rss } = await ask("memory")
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
const before = await everybodyGone("after the warm-up")
for (const end = started + minutes * 60_000; performance.now() < end;) {
  await churn(Math.min(LOOK_EVERY_MS, end - performance.now()))
  await row()
}
const after = await everybodyGone("in the end")
console.log(`heap with nobody there ${mb(before.heap).trim()} → ${mb(after.heap).trim()}`)
console.log(`counted ${JSON.stringify(after.counted)}`)
if (after.heap - before.heap > FLAT_BYTES) fail(`expected memory to be flat, ${before.heap}, found ${after.heap}`)
console.log(`${minutes} minutes, ${failures.length} failures`)
finished = true
server.disconnect()
process.exitCode = failures.length > 0 ? 1 : 0

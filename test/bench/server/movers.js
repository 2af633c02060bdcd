// A load process of people who move: when a server tells them to go, each connects to another and joins his room again.
import { Presence } from "rollcall"
import { serve } from "./child.js"
import { Latencies } from "./latencies.js"
import { textFrame, WebSocketClient } from "./websocket.js"

/** Service restart: come back, to another. */
const RESTART = 1012
/** How long phoenix.js waits before its first try, its second, and so on, in ms. Here each waits between half and all of it. */
const RECONNECT_AFTER_MS = [10, 50, 100, 150, 200, 250, 500, 1000, 2000, 5000]
/** One of so many does not come back: nobody may go on seeing him. */
const LEAVES_FOR_GOOD = 97
/** So many of each room keep a view of it. */
const WATCHERS = 2

const now = () => performance.now()

const people = []
const joined = new Set()
/** How many belong into each room. */
const expected = []
const trouble = []
const away = new Latencies()
let ports
let look = () => {}

class Person {
  #index
  #room
  #port
  /** Which server has told him to go: the next is another one. */
  #left
  #tries = 0
  #since
  #view

  constructor(index) {
    this.#index = index
    this.#room = index % expected.length
    expected[this.#room] += 1
    this.#connect(ports[index % ports.length])
  }

  isAt(port) {
    return this.#port === port
  }

  /** Whether he sees everybody of his room, each once, and nobody else. */
  get isRight() {
    const entries = Object.values(this.#view ?? {})
    return entries.length === expected[this.#room] && entries.every(({ metas }) => metas.length === 1)
  }

  get watches() {
    return this.#index < WATCHERS * expected.length
  }

  #connect(port) {
    this.#port = port
    const client = new WebSocketClient(port, `/socket/websocket?vsn=2.0.0&user=u${this.#index}`, () => {
      client.send(textFrame(`["1","1","people:${this.#room}","phx_join",{}]`))
    })
    client.onMessage = (_, bytes, start, end) => this.#hear(client, bytes.subarray(start, end))
    client.onClose = ({ code }) => this.#closed(code)
  }

  #hear(client, bytes) {
    if (bytes.includes('"phx_reply"')) {
      if (!bytes.includes('"status":"ok"')) trouble.push(`u${this.#index} was told ${bytes}`)
      this.#tries = 0
      joined.add(this)
      if (this.#since !== undefined) away.add(now() - this.#since)
      if (!this.watches) client.onMessage = () => {}
    } else {
      const [, , , event, payload] = JSON.parse(bytes)
      if (event === "presence_state") this.#view = Presence.syncState({}, payload)
      else if (event === "presence_diff" && this.#view) this.#view = Presence.syncDiff(this.#view, payload)
    }
    look()
  }

  #closed(code) {
    const wasIn = joined.delete(this)
    this.#view = undefined
    if (wasIn) {
      this.#since = now()
      this.#left = this.#port
      if (code !== RESTART) trouble.push(`u${this.#index} was cut off with ${code}`)
      if (this.#index % LEAVES_FOR_GOOD === 0) {
        this.#port = undefined
        expected[this.#room] -= 1
        return
      }
    }
    const ms = RECONNECT_AFTER_MS[Math.min(this.#tries, RECONNECT_AFTER_MS.length - 1)]
    this.#tries += 1
    const others = ports.filter((port) => port !== this.#left)
    const next = others[Math.floor(Math.random() * others.length)]
    setTimeout(() => this.#connect(next), ms * (0.5 + Math.random() / 2))
  }
}

const wanted = () => expected.reduce((sum, size) => sum + size, 0)

/** Resolves once `holds`, which is asked whenever something has come. */
function until(holds, timeoutMs) {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`${joined.size} of ${wanted()} people are there after ${timeoutMs} ms`))
    const timer = setTimeout(late, timeoutMs)
    look = () => {
      if (!holds()) return
      clearTimeout(timer)
      look = () => {}
      resolve(undefined)
    }
    look()
  })
}

const areRight = () => people.every((person) => !person.watches || !joined.has(person) || person.isRight)

/** So many people come, each to the next server, at most `inFlight` of them at once. */
async function connect({ count, rooms, inFlight, timeoutMs, ...options }) {
  ports = options.ports
  for (let room = 0; room < rooms; room += 1) expected.push(0)
  const hold = () => {
    while (people.length < count && people.length - joined.size < inFlight) people.push(new Person(people.length))
    return joined.size === count && areRight()
  }
  await until(hold, timeoutMs)
  return { expected }
}

/** Waits until all have left a server and are back in their rooms, and those who watch see everybody once. */
async function move({ from, timeoutMs }) {
  await until(() => joined.size === wanted() && !people.some((person) => person.isAt(from)) && areRight(), timeoutMs)
  if (trouble.length > 0) throw new Error(`${trouble.length} times something like: ${trouble[0]}`)
  return { expected, away: away.summary() }
}

function stats() {
  const { user, system } = process.cpuUsage()
  return { cpuSeconds: (user + system) / 1e6 }
}

serve({ connect, move, stats })

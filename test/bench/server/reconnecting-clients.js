// A load process whose clients reconnect: when a server closes with 1012, each connects to another server and joins its room again.
import { Presence } from "rollcall"
import { serve } from "./child.js"
import { Latencies } from "./latencies.js"
import { textFrame, WebSocketClient } from "./websocket-client.js"

/** The close code "service restart", after which clients reconnect. */
const RESTART = 1012
/** The delays of phoenix.js before its first reconnect, its second, and so on, in ms. Here half of each delay is random. */
const RECONNECT_AFTER_MS = [10, 50, 100, 150, 200, 250, 500, 1000, 2000, 5000]
/** One of so many clients does not come back. Its presence must disappear everywhere. */
const ONE_LEAVES_OF = 97
/** So many clients of each room keep its presence state; the others ignore it. */
const WATCHERS = 2

const now = () => performance.now()

const clients = []
const joined = new Set()
/** The number of clients that belong to each room. */
const expected = []
const failures = []
/** The times between the end of a connection and the reply to the join that follows. */
const away = new Latencies()
let ports
/** Checks the condition that `until` waits for. */
let checkCondition = () => {}

class Client {
  #index
  #room
  #port
  /** The port of the server that closed the last connection. The next connection goes to another one. */
  #leftPort
  #tries = 0
  #disconnectedAt
  #state

  constructor(index) {
    this.#index = index
    this.#room = index % expected.length
    expected[this.#room] += 1
    this.#connect(ports[index % ports.length])
  }

  isAt(port) {
    return this.#port === port
  }

  /** Whether its state has all clients of its room, each with one meta, and no others. */
  get isComplete() {
    const entries = Object.values(this.#state ?? {})
    return entries.length === expected[this.#room] && entries.every(({ metas }) => metas.length === 1)
  }

  get isWatcher() {
    return this.#index < WATCHERS * expected.length
  }

  #connect(port) {
    this.#port = port
    const client = new WebSocketClient(port, `/socket/websocket?vsn=2.0.0&user=u${this.#index}`, () => {
      client.send(textFrame(`["1","1","people:${this.#room}","phx_join",{}]`))
    })
    client.onMessage = (_, bytes, start, end) => this.#receive(client, bytes.subarray(start, end))
    client.onClose = ({ code }) => this.#closed(code)
  }

  #receive(client, bytes) {
    if (bytes.includes('"phx_reply"')) {
      if (!bytes.includes('"status":"ok"')) failures.push(`u${this.#index} expected to join, got ${bytes}`)
      this.#tries = 0
      joined.add(this)
      if (this.#disconnectedAt !== undefined) away.add(now() - this.#disconnectedAt)
      if (!this.isWatcher) client.onMessage = () => {}
    } else {
      const [, , , event, payload] = JSON.parse(bytes)
      if (event === "presence_state") this.#state = Presence.syncState({}, payload)
      else if (event === "presence_diff" && this.#state) this.#state = Presence.syncDiff(this.#state, payload)
    }
    checkCondition()
  }

  #closed(code) {
    const wasJoined = joined.delete(this)
    this.#state = undefined
    if (wasJoined) {
      this.#disconnectedAt = now()
      this.#leftPort = this.#port
      if (code !== RESTART) failures.push(`u${this.#index} expected the close code ${RESTART}, got ${code}`)
      if (this.#index % ONE_LEAVES_OF === 0) {
        this.#port = undefined
        expected[this.#room] -= 1
        return
      }
    }
    const ms = RECONNECT_AFTER_MS[Math.min(this.#tries, RECONNECT_AFTER_MS.length - 1)]
    this.#tries += 1
    const others = ports.filter((port) => port !== this.#leftPort)
    const next = others[Math.floor(Math.random() * others.length)]
    setTimeout(() => this.#connect(next), ms * (0.5 + Math.random() / 2))
  }
}

const expectedTotal = () => expected.reduce((sum, size) => sum + size, 0)

/** Resolves once `holds` returns true. It is checked after every received frame. */
function until(holds, timeoutMs) {
  return new Promise((resolve, reject) => {
    const onTimeout = () => {
      reject(new Error(`expected ${expectedTotal()} clients to have joined within ${timeoutMs} ms, got ${joined.size}`))
    }
    const timer = setTimeout(onTimeout, timeoutMs)
    checkCondition = () => {
      if (!holds()) return
      clearTimeout(timer)
      checkCondition = () => {}
      resolve(undefined)
    }
    checkCondition()
  })
}

const areComplete = () => clients.every((client) => !client.isWatcher || !joined.has(client) || client.isComplete)

/** Connects `count` clients to the servers in turn, at most `inFlight` of them at once. */
async function connect({ count, rooms, inFlight, timeoutMs, ...options }) {
  ports = options.ports
  for (let room = 0; room < rooms; room += 1) expected.push(0)
  const areConnected = () => {
    while (clients.length < count && clients.length - joined.size < inFlight) clients.push(new Client(clients.length))
    return joined.size === count && areComplete()
  }
  await until(areConnected, timeoutMs)
  return { expected }
}

/** Waits until all clients have left a server and are back in their rooms, and the watchers' states are complete. */
async function move({ from, timeoutMs }) {
  await until(
    () => joined.size === expectedTotal() && !clients.some((client) => client.isAt(from)) && areComplete(),
    timeoutMs,
  )
  if (failures.length > 0) throw new Error(`${failures.length} failures, the first: ${failures[0]}`)
  return { expected, away: away.summary() }
}

function stats() {
  const { user, system } = process.cpuUsage()
  return { cpuSeconds: (user + system) / 1e6 }
}

serve({ connect, move, stats })

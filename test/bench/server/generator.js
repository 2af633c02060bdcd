// The load generator: a process that holds thousands of raw WebSocket connections and runs the jobs of the scenarios.
import { setTimeout as sleep } from "node:timers/promises"
import { serve } from "./child.js"
import { offering, offeredStorm } from "./compression-clients.js"
import { protocols } from "./protocols.js"
import { PresenceFrames } from "./presence-frames.js"
import { Latencies } from "./latencies.js"
import { textFrame, WebSocketClient } from "./websocket-client.js"

const WARM_UP_MS = 300

const clients = []
/** Rejects when a connection ends, so that no job waits for frames that it would have received. */
let reportBroken
const broken = new Promise((_, reject) => (reportBroken = reject))
broken.catch(ignore)

const now = () => performance.now()

function ignore() {}

/** Connects `count` more clients, at most `inFlight` of them at once. Each joins its room, unless `rooms` is 0. */
function connect({ protocol, port, count, prefix = "room:", rooms = 1, inFlight = 64, query = "", ...kind }) {
  const { path, steps } = protocols[protocol]
  const started = now()
  const total = clients.length + count
  return new Promise((resolve) => {
    let done = 0
    const begin = () => {
      const index = clients.length
      if (index === total) return
      const onOpen = () => takeSteps(client, rooms > 0 ? steps(client.room) : [], finish)
      const client = new WebSocketClient(port, path(`u${index}`) + query, onOpen, kind)
      client.room = `${prefix}${index % rooms}`
      client.onClose = ({ refusal }) => {
        const how = refusal === undefined ? "was lost" : `was refused: ${refusal}`
        reportBroken(new Error(`connection ${index + 1} of ${total} ${how}`))
      }
      clients.push(client)
    }
    const finish = () => {
      done += 1
      if (done === count) resolve({ seconds: (now() - started) / 1000 })
      else begin()
    }
    for (let i = 0; i < inFlight; i += 1) begin()
  })
}

/**
 * Sends each step when the one before it was answered.
 *
 * @param {WebSocketClient} client
 * @param {{ send: string, until: string }[]} steps
 * @param {() => void} finish called after the last answer
 */
function takeSteps(client, [step, ...rest], finish) {
  client.onMessage = ignore
  if (step === undefined) return finish()
  client.onMessage = (_, bytes, start, end) => {
    if (bytes.subarray(start, end).includes(step.until)) takeSteps(client, rest, finish)
  }
  client.send(textFrame(step.send))
}

/**
 * Lets all clients join their rooms at once. Ends when each client has received the presences of its whole room. All joins have
 * the same `join_ref`, as those of real clients do: each socket counts its references from 1.
 */
function storm({ rooms, timeoutMs }) {
  const joined = Array.from({ length: rooms }, () => {
    const numbers = new Map()
    const number = (ref) => numbers.get(ref) ?? numbers.set(ref, numbers.size).get(ref)
    return { frames: new PresenceFrames("phx_ref", number), size: 0 }
  })
  for (const index of clients.keys()) joined[index % rooms].size += 1
  return new Promise((resolve) => {
    /** @type {{ seconds: number | undefined, complete: number, failed: number, messages: number }} */
    const result = { seconds: undefined, complete: 0, failed: 0, messages: 0 }
    const end = () => {
      clearTimeout(timer)
      for (const client of clients) client.onMessage = ignore
      resolve(result)
    }
    const timer = setTimeout(end, timeoutMs)
    const started = now()
    for (const [index, client] of clients.entries()) {
      const { frames, size } = joined[index % rooms]
      const seen = new Uint8Array(size)
      let missing = size
      client.onMessage = (_, bytes, start, end_) => {
        const { values, failed } = frames.parse(bytes, start, end_)
        result.messages += 1
        if (failed) result.failed += 1
        if (missing === 0) return
        for (const number of values) {
          missing -= 1 - seen[number]
          seen[number] = 1
        }
        if (missing > 0) return
        result.complete += 1
        result.seconds = (now() - started) / 1000
        if (result.complete === clients.length) end()
      }
      client.send(textFrame(`["1","1","people:${index % rooms}","phx_join",{}]`))
    }
  })
}

/** Keeps `outstanding` broadcasts in flight, and counts the messages received. A broadcast is replaced once all have it. */
async function fanOut({ protocol, outstanding, seconds, bytes }) {
  const frame = textFrame(protocols[protocol].shout(clients[0].room, "x".repeat(bytes)))
  const [warm, until] = [now() + WARM_UP_MS, now() + WARM_UP_MS + seconds * 1000]
  let shouts = outstanding
  let arrived = 0
  let first
  const last = await new Promise((resolve) => {
    const onShout = () => {
      arrived += 1
      if (arrived % clients.length > 0) return
      const time = now()
      if (time > warm) first ??= { time, arrived }
      if (time < until) {
        shouts += 1
        clients[0].send(frame)
      } else if (arrived === shouts * clients.length) {
        resolve({ time, arrived })
      }
    }
    for (const client of clients) client.onMessage = onShout
    for (let i = 0; i < outstanding; i += 1) clients[0].send(frame)
  })
  return { perSecond: (last.arrived - first.arrived) / ((last.time - first.time) / 1000), messages: arrived }
}

/** Lets each client send its next message as soon as the last one was echoed (closed loop). */
async function echo({ protocol, seconds, isCompressed = false }) {
  const latencies = new Latencies()
  const frame = textFrame(protocols[protocol].echo(clients[0].room, "x".repeat(40)), isCompressed)
  const [warm, until] = [now() + WARM_UP_MS, now() + WARM_UP_MS + seconds * 1000]
  let waiting = clients.length
  let messages = 0
  await new Promise((resolve) => {
    for (const client of clients) {
      let sent = now()
      client.onMessage = () => {
        const time = now()
        messages += 1
        if (time > warm && time < until) latencies.add(time - sent)
        sent = time
        if (time < until) client.send(frame)
        else if ((waiting -= 1) === 0) resolve(undefined)
      }
      client.send(frame)
    }
  })
  const { count, ...rest } = latencies.summary()
  return { perSecond: count / seconds, messages, ...rest }
}

/** Sends echoes at a fixed rate over all clients in turn (open loop), and measures the latency of each. */
async function pace({ protocol, rate, seconds }) {
  const latencies = new Latencies()
  const frame = textFrame(protocols[protocol].echo(clients[0].room, "x".repeat(40)))
  const sent = new Map()
  for (const client of clients) client.onMessage = () => latencies.add(now() - sent.get(client))
  await steadily(rate, seconds, (client) => {
    sent.set(client, now())
    client.send(frame)
  })
  return latencies.summary()
}

/** Changes presences at a fixed rate, and measures the time until each client has received each change. */
async function updates({ rate, seconds }) {
  const latencies = new Latencies()
  const frames = new PresenceFrames("sent_at", Number)
  let messages = 0
  for (const client of clients) {
    client.onMessage = (_, bytes, start, end) => {
      messages += 1
      const time = now()
      for (const sent of frames.parse(bytes, start, end).values) latencies.add(time - sent)
    }
  }
  await steadily(rate, seconds, (client) => {
    const payload = { meta: { sent_at: now().toFixed(3) } }
    client.send(textFrame(JSON.stringify(["1", "2", client.room, "presence_update", payload])))
  })
  return { messages, ...latencies.summary() }
}

/** Calls `send` at a fixed rate with one client after the other. Catches up when a timer was late. */
async function steadily(rate, seconds, send) {
  const started = now()
  for (let sent = 0; sent < rate * seconds; await sleep(1)) {
    const due = Math.min(rate * seconds, ((now() - started) / 1000) * rate)
    for (; sent < due; sent += 1) send(clients[sent % clients.length])
  }
  // Time for the last messages to arrive.
  await sleep(1000)
}

/** Holds the connections: each client sends a heartbeat every `everyMs`. */
async function hold({ seconds, everyMs }) {
  const frame = textFrame('[null,"2","phoenix","heartbeat",{}]')
  let messages = 0
  for (const client of clients) client.onMessage = () => (messages += 1)
  await steadily(clients.length / (everyMs / 1000), seconds, (client) => client.send(frame))
  return { messages }
}

/** Lets the first clients watch a room, and half of the others join it. Resolves when the watchers are in, and 10 s have passed. */
async function watch({ topic, watchers, counts }) {
  const params = counts ? { watches: true, presence_count: true } : { watches: true }
  let answered = 0
  await new Promise((resolve) => {
    for (const client of clients.slice(0, watchers)) {
      client.onMessage = (_, bytes, start, end) => {
        if (!bytes.subarray(start, Math.min(end, start + 100)).includes("phx_reply")) return
        answered += 1
        if (answered === watchers) resolve(undefined)
      }
      client.send(textFrame(JSON.stringify(["1", "1", topic, "phx_join", params])))
    }
  })
  for (const client of clients) client.onMessage = ignore
  const moving = clients.slice(watchers)
  for (const client of moving.slice(0, moving.length >> 1)) client.send(joining(topic, counts, 1))
  await sleep(10_000)
  return {}
}

const joining = (topic, counts, round) =>
  textFrame(JSON.stringify([`j${round}`, `j${round}`, topic, "phx_join", counts ? { presence_count: true } : {}]))

/** Lets clients join and leave a room that is watched: as many leave as join. Counts the messages and bytes of all clients. */
async function move({ topic, watchers, counts, rate, seconds }) {
  let [messages, bytes] = [0, 0]
  for (const client of clients) {
    client.onMessage = (_, _bytes, start, end) => {
      messages += 1
      bytes += end - start
    }
  }
  const moving = clients.slice(watchers)
  const leave = textFrame(JSON.stringify([null, "l", topic, "phx_leave", {}]))
  const started = now()
  for (let at = 0; at < rate * seconds; await sleep(1)) {
    const due = Math.min(rate * seconds, ((now() - started) / 1000) * rate)
    for (; at < due; at += 1) {
      const next = at + (moving.length >> 1)
      moving[next % moving.length].send(joining(topic, counts, 1 + Math.floor(next / moving.length)))
      moving[at % moving.length].send(leave)
    }
  }
  return { messages, bytes }
}

/**
 * Each odd client is in a room, and the even one before it joins and leaves that room. Measures the time from a join until the other
 * client has it.
 */
async function visit({ rate, seconds }) {
  const latencies = new Latencies()
  const visits = new Map()
  let messages = 0
  const pairs = clients.length >> 1
  const frame = (room, ref, event) => textFrame(JSON.stringify([ref, ref, `people:${room}`, event, {}]))
  for (let room = 0; room < pairs; room += 1) {
    const host = clients[2 * room + 1]
    host.onMessage = (_, bytes, start, end) => {
      messages += 1
      const sent = visits.get(room)
      if (sent === undefined || !bytes.subarray(start, end).includes("presence_diff")) return
      visits.delete(room)
      latencies.add(now() - sent)
    }
    host.send(frame(room, "1", "phx_join"))
  }
  await sleep(2000)
  const started = now()
  for (let at = 0; at < rate * seconds; await sleep(1)) {
    const due = Math.min(rate * seconds, ((now() - started) / 1000) * rate)
    for (; at < due; at += 1) {
      const [room, ref] = [at % pairs, String(1 + Math.floor(at / pairs))]
      visits.set(room, now())
      clients[2 * room].send(frame(room, ref, "phx_join"))
      const left = (at + (pairs >> 1)) % pairs
      clients[2 * left].send(frame(left, null, "phx_leave"))
    }
  }
  await sleep(500)
  return { messages, ...latencies.summary() }
}

function stats() {
  const { user, system } = process.cpuUsage()
  return { cpuSeconds: (user + system) / 1e6 }
}

const untilBroken = (job) => (options) => Promise.race([job(options), broken])
const jobs = {
  offering,
  offeredStorm,
  connect,
  storm,
  fanOut,
  echo,
  pace,
  updates,
  watch,
  move,
  visit,
  hold,
}
serve({ stats, ...Object.fromEntries(Object.entries(jobs).map(([name, job]) => [name, untilBroken(job)])) })

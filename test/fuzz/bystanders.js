// Well-behaved people, by the official client, in a process of their own: they ask, count the answers, and look who is here.
// They do the same on a second server, which nobody attacks: what it takes them there is what this machine and they
// themselves are good for at that very time.
import { Presence, Socket } from "phoenix"
import { WebSocket } from "ws"

const PEOPLE = ["ada", "bob", "cy"]
const TIMEOUT_MS = 5_000
const SERVERS = { attacked: process.argv[2], spared: process.argv[3] }
let latencies = { attacked: [], spared: [] }
let shouts = 0

function fail(what) {
  process.send?.({ failure: what })
}

function person(name, server) {
  const socket = new Socket(SERVERS[server], {
    params: { name },
    transport: WebSocket,
    timeout: TIMEOUT_MS,
    heartbeatIntervalMs: 2_000,
  })
  socket.onClose(({ code }) => fail(`${name}'s connection was closed with ${code}`))
  socket.connect()
  const rooms = ["rooms:quiet", "rooms:shared"].map((topic) => {
    const channel = socket.channel(topic, {})
    const presence = new Presence(channel)
    channel.onError((reason) => fail(`${name}'s channel ${topic} failed: ${JSON.stringify(reason)}`))
    channel.on("shout", () => (shouts += 1))
    channel.join().receive("error", (reason) => fail(`${name} may not join ${topic}: ${JSON.stringify(reason)}`))
    return { channel, presence }
  })
  return { name, server, rooms }
}

const people = Object.keys(SERVERS).flatMap((server) => PEOPLE.map((name) => person(name, server)))

/** One question and its answer, over and over. */
async function ask({ name, server, rooms }) {
  for (let n = 0; ; n += 1) {
    const { channel } = rooms[n % rooms.length]
    const started = performance.now()
    await new Promise((resolve) => {
      channel
        .push("echo", { n, name })
        .receive("ok", (payload) => {
          latencies[server].push(performance.now() - started)
          if (payload.n !== n || payload.name !== name)
            fail(`${name} asked ${n} and was answered ${JSON.stringify(payload)}`)
          resolve(undefined)
        })
        .receive("error", (reason) => resolve(fail(`${name} was refused: ${JSON.stringify(reason)}`)))
        .receive("timeout", () => resolve(fail(`${name} was not answered within ${TIMEOUT_MS} ms`)))
    })
    if (n % 50 === 49) rooms[0].channel.push("update", { meta: { n } })
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]

function summary(latencies) {
  const sorted = latencies.sort((a, b) => a - b)
  return { answers: sorted.length, p50: at(sorted, 0.5), p99: at(sorted, 0.99) }
}

process.on("message", () => {
  const { attacked, spared } = latencies
  latencies = { attacked: [], spared: [] }
  const views = people.map(({ rooms }) => rooms.map(({ presence }) => presence.list((key) => key).sort()))
  process.send?.({ attacked: summary(attacked), spared: summary(spared), views, shouts })
})
process.on("disconnect", () => process.exit())
for (const each of people) void ask(each)

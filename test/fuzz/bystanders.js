// Well-behaved clients (phoenix.js) in a process of their own. They send requests, measure the time to each reply, and follow
// presence. They do the same on a second server that is not attacked, the control: its latencies show what this machine
// achieves at the same time without an attack.
import { Presence, Socket } from "phoenix"
import { WebSocket } from "ws"

const NAMES = ["ada", "bob", "cy"]
/** Long, so that a machine that stands still for a few seconds is no failure. The attacks last longer. */
const TIMEOUT_MS = 15_000
const SERVERS = { attacked: process.argv[2], control: process.argv[3] }
let latencies = { attacked: [], control: [] }
let shouts = 0

function fail(message) {
  process.send?.({ failure: message })
}

function startClient(name, server) {
  const socket = new Socket(SERVERS[server], {
    params: { name },
    transport: WebSocket,
    timeout: TIMEOUT_MS,
    heartbeatIntervalMs: TIMEOUT_MS,
  })
  socket.onClose(({ code }) => fail(`${name}'s connection was closed with ${code}`))
  socket.connect()
  const rooms = ["rooms:quiet", "rooms:shared"].map((topic) => {
    const channel = socket.channel(topic, {})
    const presence = new Presence(channel)
    channel.onError((reason) => fail(`${name}'s channel ${topic} failed: ${JSON.stringify(reason)}`))
    channel.on("shout", () => (shouts += 1))
    channel.join().receive("error", (reason) => fail(`${name} was refused in ${topic}: ${JSON.stringify(reason)}`))
    return { channel, presence }
  })
  return { name, server, rooms, replies: 0 }
}

const clients = Object.keys(SERVERS).flatMap((server) => NAMES.map((name) => startClient(name, server)))

/** Sends a request and waits for its reply, again and again. */
async function sendRequests(client) {
  const { name, server, rooms } = client
  for (let n = 0; ; n += 1) {
    const { channel } = rooms[n % rooms.length]
    const started = performance.now()
    await new Promise((resolve) => {
      channel
        .push("echo", { n, name })
        .receive("ok", (payload) => {
          latencies[server].push(performance.now() - started)
          client.replies += 1
          if (payload.n !== n || payload.name !== name)
            fail(`${name} expected the reply to request ${n}, got ${JSON.stringify(payload)}`)
          resolve(undefined)
        })
        .receive("error", (reason) =>
          resolve(fail(`${name} expected a reply to request ${n}, got an error: ${JSON.stringify(reason)}`)),
        )
        .receive("timeout", () => resolve(fail(`${name} got no reply to request ${n} within ${TIMEOUT_MS} ms`)))
    })
    if (n % 50 === 49) rooms[0].channel.push("update", { meta: { n } })
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]

function summary(latencies) {
  const sorted = latencies.sort((a, b) => a - b)
  return { replies: sorted.length, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) }
}

process.on("message", () => {
  const { attacked, control } = latencies
  latencies = { attacked: [], control: [] }
  const views = clients.map(({ rooms }) => rooms.map(({ presence }) => presence.list((key) => key).sort()))
  const replies = clients.map((client) => client.replies)
  process.send?.({ attacked: summary(attacked), control: summary(control), views, replies, shouts })
})
process.on("disconnect", () => process.exit())
for (const each of clients) void sendRequests(each)

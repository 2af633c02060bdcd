// The server for the fuzzer and the soak test, in a process of its own. It reports uncaught errors to its parent process.
// Its argument has options of `createServer` that replace those of the fuzzer.
import { createServer } from "rollcall/server"

const counted = {}
const crashes = {}
const count = (name, by = 1) => (counted[name] = (counted[name] ?? 0) + by)
const report = (kind) => (error) => process.send?.({ fatal: `${kind}: ${error?.stack ?? error}` })
process.on("uncaughtException", report("uncaught exception"))
process.on("unhandledRejection", report("unhandled rejection"))

const server = createServer({
  handshakeTimeoutMs: 1_000,
  idleTimeoutMs: 5_000,
  longPollWindowMs: 500,
  handlerTimeoutMs: 500,
  maxBufferedBytes: 2_097_152,
  logger: {
    warn() {},
    error(message, { error }) {
      const name = `${message}: ${error?.code ?? error}`.slice(0, 100)
      crashes[name] = (crashes[name] ?? 0) + 1
    },
  },
  meter: { count },
  ...JSON.parse(process.argv[2] ?? "{}"),
})
const { presence } = server
server.socket("/socket", {
  connect: ({ params }) => ({ name: params.name ?? "anonymous" }),
  id: ({ assigns }) => assigns.name,
})
server.channel("rooms:*", {
  join: (_topic, params) => (params.late === true ? Promise.resolve({ ok: {} }) : { ok: {} }),
  joined(channel) {
    count("entered")
    channel.assigns.entered = true
    presence.track(channel, channel.assigns.name, { status: "here" })
    channel.push("presence_state", presence.list(channel.topic))
  },
  left(channel) {
    // A connection may break between the reply to a join and the `joined` handler.
    if (channel.assigns.entered) count("left")
    presence.list(channel.topic)
  },
  on: {
    echo: (payload) => ({ ok: payload }),
    late: async (payload) => ({ ok: payload }),
    never: () => new Promise(() => {}),
    shout: (payload, channel) => channel.broadcast("shout", payload),
    whisper: (payload, channel) => channel.broadcastFrom("shout", payload),
    answer: (payload) => /** @type {any} */ (payload),
    track: (payload, channel) => void presence.track(channel, /** @type {any} */ (payload)),
    update: (payload, channel) => presence.handleUpdate(channel, payload),
    stop: (_payload, channel) => channel.stop(),
  },
  out: { intercepted: (payload, channel) => channel.push("shout", payload) },
})

const { port } = await server.listen({ port: 0, host: "127.0.0.1" })

/** Returns the memory in use after garbage collection, in bytes. */
function memory() {
  for (let round = 0; round < 3; round += 1) globalThis.gc?.()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heap: heapUsed + external, rss }
}

process.on("message", ({ request, topics = [] }) => {
  const presences = topics.map((topic) => Object.keys(presence.list(topic)).sort())
  const handles = process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length
  process.send?.({ reply: request, counted, crashes, presences, handles, ...(request === "memory" ? memory() : {}) })
})
process.on("disconnect", () => process.exit())
process.send?.({ port })

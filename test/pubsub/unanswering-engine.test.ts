import { afterEach, describe, expect, test } from "vitest"
import { nats } from "../../src/pubsub/nats.ts"
import type { PubSub, PubSubOptions } from "../../src/pubsub/pubsub.ts"
import { redis } from "../../src/pubsub/redis.ts"
import { natsServer, redisServer, type Engine } from "../support/engine.js"
import { halfOpenProxy, type HalfOpenProxy } from "../support/half-open-proxy.ts"
import { Inbox } from "../support/inbox.ts"

const ENGINES = {
  redis: {
    server: () => redisServer(),
    join: (port: number, options: PubSubOptions) => redis({ ...QUICK, ...options, url: `redis://127.0.0.1:${port}` }),
    connections: 2,
  },
  nats: {
    server: () => natsServer(),
    join: (port: number, options: PubSubOptions) => nats({ ...QUICK, ...options, url: `nats://127.0.0.1:${port}` }),
    connections: 1,
  },
}
/** Shorter than the defaults, so that the tests are quick, and long enough for a busy machine. */
const QUICK = { pingIntervalMs: 100, pingTimeoutMs: 2_000 }

let server: Engine
let proxy: HalfOpenProxy
const nodes: PubSub[] = []

afterEach(async () => {
  server.signal("SIGCONT")
  await Promise.all(nodes.splice(0).map((node) => node.close()))
  await proxy.close()
  await server.kill()
})

describe.each(Object.entries(ENGINES))("a %s server that stops answering", (_, engine) => {
  async function start() {
    server = await engine.server()
    await server.start()
    proxy = await halfOpenProxy(server.port)
  }

  async function join(name: string, port: number) {
    const errors: { code?: string }[] = []
    const node = await engine.join(port, {
      node: name,
      onError: (error) => void errors.push(error as { code?: string }),
    })
    nodes.push(node)
    const statuses = new Inbox<string>(`the statuses of ${name}`)
    node.onStatus((status) => statuses.put(status))
    const received = new Inbox<string>(`what ${name} received`)
    await node.subscribe("room", (bytes) => received.put(new TextDecoder().decode(bytes)))
    return {
      node,
      errors,
      statuses,
      received,
      send: (text: string) => node.publish("room", new TextEncoder().encode(text)),
    }
  }

  test("is noticed when its process is suspended, and used again when it continues", async () => {
    await start()
    const a = await join("a", server.port)
    const b = await join("b", server.port)
    server.signal("SIGSTOP")
    expect(await a.statuses.next()).toBe("disconnected")
    // At once: a first attempt to connect again, which the suspended server does not answer either, is the next problem.
    expect(a.errors.map(({ code }) => code)).toContain("engine_unanswering")
    expect(a.node.problem).toMatch(/to answer a ping within 2000 ms/)
    expect(await b.statuses.next()).toBe("disconnected")
    server.signal("SIGCONT")
    expect([await a.statuses.next(), await b.statuses.next()]).toEqual(["connected", "connected"])
    expect(a.node.problem).toBe(undefined)
    a.send("again")
    expect(await b.received.next()).toBe("again")
  })

  test.each(["to client", "to server"] as const)(
    "is noticed when the bytes %s are lost, and reached again",
    async (direction) => {
      await start()
      const a = await join("a", proxy.port)
      const b = await join("b", server.port)
      proxy.swallow(direction)
      expect(await a.statuses.next()).toBe("disconnected")
      expect(await a.statuses.next()).toBe("connected")
      expect(proxy.connections).toBeGreaterThanOrEqual(2 * engine.connections)
      a.send("from a")
      expect(await b.received.next()).toBe("from a")
      b.send("from b")
      expect(await a.received.next()).toBe("from b")
      expect(b.errors).toEqual([])
    },
  )

  test.each(Array.from({ length: engine.connections }, (_, index) => index))(
    "is noticed when only its connection number %i is half-open",
    async (index) => {
      await start()
      const a = await join("a", proxy.port)
      proxy.swallow("to client", index)
      expect(await a.statuses.next()).toBe("disconnected")
      expect(await a.statuses.next()).toBe("connected")
    },
  )

  test.each(Array.from({ length: engine.connections }, (_, index) => index))(
    "is noticed when the bytes of connection number %i to it are lost while it goes on to deliver other nodes' messages",
    async (index) => {
      await start()
      const a = await join("a", proxy.port)
      const b = await join("b", server.port)
      proxy.swallow("to server", index)
      const sending = setInterval(() => b.send("from b"), 20)
      try {
        expect(await a.statuses.next()).toBe("disconnected")
        expect(await a.statuses.next()).toBe("connected")
      } finally {
        clearInterval(sending)
      }
    },
  )

  test("is noticed although the node has much to send, which the server does not read", async () => {
    await start()
    const a = await join("a", server.port)
    server.signal("SIGSTOP")
    for (let i = 0; i < 200; i += 1) a.node.publish("room", new Uint8Array(100_000))
    expect(await a.statuses.next()).toBe("disconnected")
    server.signal("SIGCONT")
    expect(await a.statuses.next()).toBe("connected")
  })

  test("tells how long it has not answered, when it is noticed", async () => {
    await start()
    const a = await join("a", server.port)
    const silences: number[] = []
    a.node.onStatus(() => silences.push(a.node.unansweredMs ?? 0))
    server.signal("SIGSTOP")
    await a.statuses.next()
    expect(silences[0]).toBeGreaterThanOrEqual(QUICK.pingTimeoutMs)
    server.signal("SIGCONT")
    await a.statuses.next()
    expect(a.node.unansweredMs).toBeLessThan(silences[0]!)
  })

  test("can be closed while it is suspended", async () => {
    await start()
    const a = await join("a", server.port)
    server.signal("SIGSTOP")
    await a.statuses.next()
    await a.node.close()
    expect(a.node.status).toBe("closed")
  })
})

test.each(Object.entries(ENGINES))(
  "a first connection to a %s server that never answers is given up",
  async (_, engine) => {
    server = await engine.server()
    await server.start()
    proxy = await halfOpenProxy(server.port)
    server.signal("SIGSTOP")
    await expect(engine.join(server.port, {})).rejects.toMatchObject({ code: "engine_unreachable" })
  },
)

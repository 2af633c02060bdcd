import { createClient, createClientPool, createCluster, createSentinel, type RedisSentinelOptions } from "redis"
import { afterEach, describe, expect, test } from "vitest"
import type { PubSub } from "../../src/pubsub/pubsub.ts"
import { redis, type AnyRedisClient, type RedisOptions } from "../../src/pubsub/redis.ts"
import { subjectNames } from "../../src/pubsub/subject-names.ts"
import { redisServer, type Engine } from "../support/engine.js"
import { redisClient } from "../support/redis-client.ts"
import { Inbox } from "../support/inbox.ts"
import { clusteredServers, twoServers, watchedServers, type RedisTopology } from "../support/redis-topologies.ts"

let server: Engine | undefined
let topology: RedisTopology | undefined
const nodes: PubSub[] = []
const closers: (() => unknown)[] = []

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()))
  for (const close of closers.splice(0)) await close()
  await server?.kill()
  await topology?.close()
  server = topology = undefined
})

async function started(more: readonly string[] = []): Promise<Engine> {
  server = await redisServer(more)
  await server.start()
  return server
}

async function join(options: RedisOptions): Promise<PubSub> {
  const node = await redis(options)
  nodes.push(node)
  return node
}

/** Checks that a message of one node reaches the other. */
async function expectToMeet(one: PubSub, other: PubSub): Promise<void> {
  const received = new Inbox<string>("what the other node received")
  await other.subscribe("room", (bytes) => received.put(new TextDecoder().decode(bytes)))
  one.publish("room", new TextEncoder().encode("hello"))
  expect(await received.next()).toBe("hello")
}

describe("an existing client of one's own", () => {
  test("names the server and the credentials, is left open, and is not used", async () => {
    const { port } = await started(["--requirepass", "secret"])
    const client = createClient({ url: `redis://:secret@127.0.0.1:${port}` })
    await client.connect()
    closers.push(() => client.destroy())
    const one = await join({ client })
    const other = await join({ url: `redis://:secret@127.0.0.1:${port}` })
    await expectToMeet(one, other)
    await one.close()
    expect(client.isReady).toBe(true)
    expect(await client.ping()).toBe("PONG")
  })

  test("may be given as the only argument, need not be connected, and may speak RESP2", async () => {
    const { url } = await started()
    const one = await redis(createClient({ url, RESP: 2 }))
    nodes.push(one)
    await expectToMeet(one, await join({ url }))
  })

  test("may be a pool, which must be open", async () => {
    const { url } = await started()
    const pool = createClientPool({ url })
    await expect(redis({ client: pool })).rejects.toMatchObject({
      code: "config",
      message: expect.stringMatching(/call its connect first/),
    })
    await pool.connect()
    closers.push(() => pool.destroy())
    await expectToMeet(await join({ client: pool }), await join({ url }))
    expect(await pool.ping()).toBe("PONG")
  })

  test("may be one of createSentinel", async () => {
    topology = await watchedServers()
    const { sentinel } = topology.options as { sentinel: RedisSentinelOptions }
    const client = createSentinel(sentinel)
    await expectToMeet(await join({ client }), await join({ sentinel }))
  })

  test("may be one of createCluster", async () => {
    topology = await clusteredServers()
    const { cluster } = topology.options as { cluster: { rootNodes: { url: string }[] } }
    const client = createCluster(cluster)
    await expectToMeet(await join({ client: client }), await join({ cluster }))
    // Sharded channels are listed by their server only.
    const channel = subjectNames("rollcall").topic("room")
    const lists = await Promise.all(
      cluster.rootNodes.map(async ({ url }) => {
        const one = await redisClient(url)
        const list = (await one.sendCommand(["PUBSUB", "SHARDCHANNELS"])) as unknown as string[]
        one.destroy()
        return list
      }),
    )
    expect(lists.filter((list) => list.includes(channel))).toHaveLength(1)
  })

  test("of another package is refused, with what would fit", async () => {
    class Redis {
      readonly options = { host: "localhost" }
      duplicate(): Redis {
        return this
      }
    }
    const attempt = redis({ client: new Redis() as unknown as AnyRedisClient })
    await expect(attempt).rejects.toMatchObject({
      code: "config",
      message: expect.stringMatching(/createCluster of the package redis .*got an instance of Redis; .*ioredis/),
    })
  })
})

describe("several addresses", () => {
  test("are tried in order, and all nodes return to the first one when it is there again", async () => {
    const two = await twoServers()
    topology = two
    const [first] = two.servers
    const one = await join({ ...two.options, pingIntervalMs: 100 })
    await first.kill()
    const other = await join({ ...two.options, pingIntervalMs: 100 })
    await expect.poll(() => one.status).toBe("connected")
    await expectToMeet(one, other)
    await first.start()
    // The third node starts on the first server, and the others have to follow it there.
    const third = await join({ ...two.options, pingIntervalMs: 100 })
    const received = new Inbox<string>("what the third node received")
    await third.subscribe("room", (_, from) => received.put(from))
    const all = [one, other].map(({ node }) => node).sort()
    await expect
      .poll(() => {
        for (const node of [one, other]) node.publish("room", new Uint8Array())
        return [...new Set(received.items)].sort()
      })
      .toEqual(all)
  })

  test("do not include a replica, on which a message would reach only its own clients", async () => {
    const primary = await started()
    const replica = await redisServer(["--replicaof", `127.0.0.1 ${primary.port}`])
    await replica.start()
    closers.push(() => replica.kill())
    const one = await join({ url: [replica.url, primary.url] })
    await expectToMeet(one, await join({ url: primary.url }))
  })

  test("are left when the server becomes a replica", async () => {
    const two = await twoServers()
    topology = two
    const [first, second] = two.servers
    const one = await join({ ...two.options, pingIntervalMs: 100 })
    const admin = await redisClient(first.url)
    closers.push(() => admin.destroy())
    const statuses = new Inbox<string>("the statuses")
    // Before the command: the node may notice the change before the command is answered.
    one.onStatus((status) => statuses.put(status))
    await admin.sendCommand(["REPLICAOF", "127.0.0.1", `${second.port}`])
    expect([await statuses.next(), await statuses.next()]).toEqual(["disconnected", "connected"])
    await expectToMeet(one, await join({ url: second.url }))
  })
})

describe("options that do not say where the servers are", () => {
  test.each([
    [{ host: "redis.internal" }, /expected a url, or client: \{ socket: \{ host \} \}, got the option host/],
    [{ rootNodes: [] }, /expected cluster: \{ rootNodes \}/],
    [{ url: "localhost:6379" }, /expected url to be redis/],
    [{ url: "http://user:hunter2@localhost" }, /expected url to be redis/],
    [{ url: [] }, /at least one url/],
    [{ url: "redis://localhost", cluster: { rootNodes: [{}] } }, /expected one of .*, got url and cluster/],
    [{ url: "redis://localhost", client: createClient() }, /got url and a client/],
    [{ sentinel: { sentinelRootNodes: [{ host: "localhost", port: 26379 }] } }, /expected sentinel.name/],
    [{ sentinel: { name: "main", sentinelRootNodes: [] } }, /sentinel.sentinelRootNodes to be a list of at least one/],
    [{ cluster: {} }, /cluster.rootNodes to be a list of at least one address, got nothing/],
    [{ pingTimeoutMs: 0 }, /expected pingTimeoutMs to be a number of milliseconds above 0, got 0/],
  ])("are refused: %j", async (options, message) => {
    const attempt = redis(options as RedisOptions)
    await expect(attempt).rejects.toMatchObject({ code: "config", message: expect.stringMatching(message) })
    await expect(attempt).rejects.not.toThrow(/hunter2/)
  })
})

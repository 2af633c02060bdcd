import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { redisSentinel, redisServer, type Engine } from "./engine.js"
import { redisClient } from "./redis-client.ts"

/** Several Redis servers that replace one another. */
export interface RedisTopology {
  /** Options of `redis` that name these servers. */
  readonly options: object
  /** Kills a server through which the messages of a channel go. */
  killPrimary(channel: string): Promise<void>
  /** Suspends that server, so that it holds its connections and does not answer. */
  suspendPrimary?(): void
  close(): Promise<void>
}

/** Two servers that do not know each other, as the addresses of `url`. */
export async function twoServers(): Promise<RedisTopology & { readonly servers: readonly [Engine, Engine] }> {
  const servers = [await redisServer(), await redisServer()] as const
  for (const server of servers) await server.start()
  return {
    servers,
    options: { url: servers.map(({ url }) => url) },
    killPrimary: () => servers[0].kill(),
    close: () => killAll(servers),
  }
}

/**
 * A primary, two replicas, and three sentinels.
 *
 * @param downAfterMs after which time a primary that does not answer is replaced. On a busy machine, a short time also replaces
 * primaries that are alive, so only a test that kills or suspends one needs it.
 */
export async function watchedServers(downAfterMs = 600_000): Promise<RedisTopology> {
  const folder = await mkdtemp(join(tmpdir(), "rollcall-"))
  const primary = await redisServer(["--dir", folder, "--repl-diskless-sync-delay", "0"])
  await primary.start()
  const replicas = [0, 1].map(() =>
    redisServer(["--dir", folder, "--repl-diskless-sync-delay", "0", "--replicaof", `127.0.0.1 ${primary.port}`]),
  )
  const sentinels = [0, 1, 2].map(() => redisSentinel(primary.port, folder, downAfterMs))
  const others = await Promise.all([...replicas, ...sentinels])
  for (const server of others) await server.start()
  const ports = others.slice(2).map(({ port }) => port)
  // A sentinel can replace the primary once it knows the replicas and the other sentinels.
  for (const port of ports) {
    for (const kind of ["REPLICAS", "SENTINELS"]) {
      await answered(
        () => send(port, ["SENTINEL", kind, "main"]),
        (answer) => (answer as unknown[]).length === 2,
      )
    }
  }
  const sentinelRootNodes = ports.map((port) => ({ host: "127.0.0.1", port }))
  return {
    options: { sentinel: { name: "main", sentinelRootNodes } },
    killPrimary: () => primary.kill(),
    suspendPrimary: () => primary.signal("SIGSTOP"),
    close: () => killAll([primary, ...others], folder),
  }
}

/** The timeout of a cluster while it is set up. A server's gossip is as fast as its timeout is short. */
const SET_UP_TIMEOUT_MS = 1_500

/**
 * A cluster of three primaries, each with a replica.
 *
 * @param nodeTimeoutMs after which time a primary that does not answer is replaced. On a busy machine, a short time also
 * replaces primaries that are alive, so only a test that kills one needs it.
 */
export async function clusteredServers(nodeTimeoutMs = 600_000): Promise<RedisTopology> {
  const folder = await mkdtemp(join(tmpdir(), "rollcall-"))
  const servers: Engine[] = []
  for (let at = 0; at < 6; at += 1) {
    const file = `nodes-${at}.conf`
    // The second port is chosen, because the default one, the first plus 10 000, may be taken or too large.
    const bus = await redisServer()
    const settings = [
      "--cluster-enabled",
      "yes",
      "--cluster-config-file",
      file,
      "--cluster-node-timeout",
      `${SET_UP_TIMEOUT_MS}`,
      // While the cluster is set up, no replica takes the place of a primary that is slow.
      "--cluster-replica-no-failover",
      "yes",
      "--repl-diskless-sync-delay",
      "0",
    ]
    servers.push(
      await redisServer(["--dir", folder, "--cluster-port", `${bus.port}`, ...settings, "--protected-mode", "no"]),
    )
  }
  await Promise.all(servers.map((server) => server.start()))
  await joinCluster(
    servers.map(({ port }) => port),
    nodeTimeoutMs,
  )
  return {
    options: {
      // A node opens seven connections, and the driver's own limit of 5 s is too short for that on a busy machine.
      cluster: { rootNodes: servers.map(({ url }) => ({ url })), defaults: { socket: { connectTimeout: 60_000 } } },
    },
    async killPrimary(channel) {
      for (const { port, kill } of servers) {
        const [[, ordinary], [, sharded]] = (await Promise.all(
          ["NUMSUB", "SHARDNUMSUB"].map((count) => send(port, ["PUBSUB", count, channel])),
        )) as [[string, number], [string, number]]
        if (Number(ordinary) + Number(sharded) > 0) return kill()
      }
      throw new Error(`expected a server with subscribers of ${channel}, got none`)
    },
    close: () => killAll(servers, folder),
  }
}

/** Makes a cluster of six empty servers. The first three are the primaries. */
async function joinCluster(ports: readonly number[], nodeTimeoutMs: number): Promise<void> {
  const clients = await Promise.all(ports.map((port) => redisClient(`redis://127.0.0.1:${port}`)))
  const ask = async (at: number, ...command: string[]): Promise<string> =>
    String(await clients[at]!.sendCommand(command))
  const each = <Answer>(run: (at: number) => Promise<Answer>): Promise<Answer[]> =>
    Promise.all(ports.map((_, at) => run(at)))
  const shows = (at: number, command: readonly string[], isExpected: (text: string) => boolean): Promise<void> =>
    answered(() => ask(at, ...command), isExpected)
  try {
    const ids = await each((at) => ask(at, "CLUSTER", "MYID"))
    const busPorts = (await each((at) => ask(at, "CLUSTER", "NODES"))).map((text) => /@(\d+)/.exec(text)![1]!)
    // Of two servers that claim one slot, the one with the higher epoch gets it. If all start with the same epoch, they change
    // it at some later time, and a server can take back a slot that it has just given away.
    await each((at) => ask(at, "CLUSTER", "SET-CONFIG-EPOCH", `${at + 1}`))
    const borders = [0, 5461, 10923, 16384]
    await Promise.all(
      [0, 1, 2].map((at) => ask(at, "CLUSTER", "ADDSLOTSRANGE", `${borders[at]}`, `${borders[at + 1]! - 1}`)),
    )
    // Each server meets all others. By gossip alone, they would learn of each other later.
    await each(async (at) => {
      for (let other = 0; other < at; other += 1) {
        await ask(at, "CLUSTER", "MEET", "127.0.0.1", `${ports[other]!}`, busPorts[other]!)
      }
    })
    await each((at) => shows(at, ["CLUSTER", "NODES"], (text) => ids.every((id) => text.includes(id))))
    await Promise.all([3, 4, 5].map((at) => ask(at, "CLUSTER", "REPLICATE", ids[at - 3]!)))
    await Promise.all(
      [3, 4, 5].map((at) => shows(at, ["INFO", "replication"], (text) => text.includes("link_status:up"))),
    )
    await each((at) => shows(at, ["CLUSTER", "INFO"], (text) => text.includes("cluster_state:ok")))
    await each((at) => shows(at, ["CLUSTER", "NODES"], (text) => (text.match(/ slave|,slave/g) ?? []).length === 3))
    await each((at) =>
      ask(at, "CONFIG", "SET", "cluster-node-timeout", `${nodeTimeoutMs}`, "cluster-replica-no-failover", "no"),
    )
  } finally {
    for (const client of clients) client.destroy()
  }
}

/** Sends one command to a server. */
async function send(port: number, command: readonly string[]): Promise<unknown> {
  const client = await redisClient(`redis://127.0.0.1:${port}`)
  try {
    return await client.sendCommand([...command])
  } finally {
    client.destroy()
  }
}

/** Asks until the answer is the expected one. The only limit is the timeout of the test. */
async function answered<Answer>(ask: () => Promise<Answer>, isExpected: (answer: Answer) => boolean): Promise<void> {
  while (!isExpected(await ask())) await new Promise((resolve) => setTimeout(resolve, 20))
}

async function killAll(servers: readonly Engine[], folder?: string): Promise<void> {
  await Promise.all(servers.map((server) => server.kill()))
  if (folder !== undefined) await rm(folder, { recursive: true, force: true })
}

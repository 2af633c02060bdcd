import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createClient } from "redis"
import { redisSentinel, redisServer, type Engine } from "./engine.js"

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

/** A primary, two replicas, and three sentinels. */
export async function watchedServers(): Promise<RedisTopology> {
  const folder = await mkdtemp(join(tmpdir(), "rollcall-"))
  const primary = await redisServer(["--dir", folder, "--repl-diskless-sync-delay", "0"])
  await primary.start()
  const replicas = [0, 1].map(() =>
    redisServer(["--dir", folder, "--repl-diskless-sync-delay", "0", "--replicaof", `127.0.0.1 ${primary.port}`]),
  )
  const sentinels = [0, 1, 2].map(() => redisSentinel(primary.port, folder))
  const others = await Promise.all([...replicas, ...sentinels])
  for (const server of others) await server.start()
  const ports = others.slice(2).map(({ port }) => port)
  // A sentinel can replace the primary once it knows the replicas and the other sentinels.
  for (const port of ports) {
    await answered(port, ["SENTINEL", "REPLICAS", "main"], (answer) => (answer as unknown[]).length === 2)
    await answered(port, ["SENTINEL", "SENTINELS", "main"], (answer) => (answer as unknown[]).length === 2)
  }
  const sentinelRootNodes = ports.map((port) => ({ host: "127.0.0.1", port }))
  return {
    options: { sentinel: { name: "main", sentinelRootNodes } },
    killPrimary: () => primary.kill(),
    suspendPrimary: () => primary.signal("SIGSTOP"),
    close: () => killAll([primary, ...others], folder),
  }
}

/** A cluster of three primaries, each with a replica. */
export async function clusteredServers(): Promise<RedisTopology> {
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
      "1500",
      "--repl-diskless-sync-delay",
      "0",
    ]
    servers.push(
      await redisServer(["--dir", folder, "--cluster-port", `${bus.port}`, ...settings, "--protected-mode", "no"]),
    )
  }
  for (const server of servers) await server.start()
  const ask = async (at: number, ...command: string[]): Promise<unknown> => send(servers[at]!.port, command)
  const ids = await Promise.all(servers.map((_, at) => ask(at, "CLUSTER", "MYID")))
  const first = await busPort(servers[0]!.port)
  for (let at = 1; at < 6; at += 1) {
    await ask(at, "CLUSTER", "MEET", "127.0.0.1", `${servers[0]!.port}`, first)
  }
  const borders = [0, 5461, 10923, 16384]
  for (let at = 0; at < 3; at += 1) {
    await ask(at, "CLUSTER", "ADDSLOTSRANGE", `${borders[at]}`, `${borders[at + 1]! - 1}`)
  }
  for (let at = 0; at < 6; at += 1) {
    await answered(servers[at]!.port, ["CLUSTER", "NODES"], (text) =>
      ids.every((id) => String(text).includes(String(id))),
    )
  }
  for (let at = 0; at < 3; at += 1) {
    await ask(at + 3, "CLUSTER", "REPLICATE", String(ids[at]))
    await answered(servers[at + 3]!.port, ["INFO", "replication"], (text) => String(text).includes("link_status:up"))
  }
  for (const { port } of servers) {
    await answered(port, ["CLUSTER", "INFO"], (text) => String(text).includes("cluster_state:ok"))
    await answered(port, ["CLUSTER", "NODES"], (text) => (String(text).match(/ slave|,slave/g) ?? []).length === 3)
  }
  return {
    options: { cluster: { rootNodes: servers.map(({ url }) => ({ url })) } },
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

async function busPort(port: number): Promise<string> {
  const text = String(await send(port, ["CLUSTER", "NODES"]))
  return /@(\d+)/.exec(text)![1]!
}

/** Sends one command to a server. */
async function send(port: number, command: readonly string[]): Promise<unknown> {
  const client = await createClient({ url: `redis://127.0.0.1:${port}` }).connect()
  try {
    return await client.sendCommand([...command])
  } finally {
    client.destroy()
  }
}

/** Sends a command until its answer is the expected one. The only limit is the timeout of the test. */
async function answered(
  port: number,
  command: readonly string[],
  isExpected: (answer: unknown) => boolean,
): Promise<void> {
  while (!isExpected(await send(port, command))) await new Promise((resolve) => setTimeout(resolve, 20))
}

async function killAll(servers: readonly Engine[], folder?: string): Promise<void> {
  await Promise.all(servers.map((server) => server.kill()))
  if (folder !== undefined) await rm(folder, { recursive: true, force: true })
}

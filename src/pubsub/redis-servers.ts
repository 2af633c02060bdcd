import type { RedisClientOptions, RedisClusterOptions, RedisSentinelOptions } from "redis"
import { SLOTS } from "./redis-slots.ts"
import { helloOf, type RedisClient } from "./redis-connection.ts"
import type { RedisServer, RedisSession } from "./redis-session.ts"

/** Finds the servers to connect to, and connects a session to them. It rejects if that is not possible now. */
export type ConnectRedis = (session: RedisSession) => Promise<void>

/** How often the session checks whether it is still connected to the right servers, in ms. */
const CHECK_PERIOD_MS = 5_000

/** Connects to one server, whether it is a primary or a replica. */
export function oneServer(options: RedisClientOptions): ConnectRedis {
  return async (session) => void (await session.addServer(options, false))
}

/**
 * Connects to the first of several servers that is reachable and not a replica.
 *
 * All nodes have to meet on one server. A node that starts after the first server has returned connects to it, while
 * older nodes are still connected to the second one. So a session on a later server checks whether an earlier one is back.
 */
export function firstOf(servers: readonly RedisClientOptions[]): ConnectRedis {
  return async (session) => {
    const index = await firstThat(servers, (server) => session.addServer(server, true))
    if (index === 0) return
    session.every(CHECK_PERIOD_MS, async () => {
      const isPrimary = async (server: RedisClientOptions): Promise<void> => {
        const role = await session.ask(server, roleOf)
        if (role === "replica") throw new Error("expected a primary server, got a replica")
      }
      await firstThat(servers.slice(0, index), isPrimary)
      session.lost(new Error("a server that comes earlier in the list is reachable again"))
    })
  }
}

/** Connects to the primary that the sentinels name. */
export function sentinels({ name, ...options }: RedisSentinelOptions): ConnectRedis {
  return async (session) => {
    let address: RedisAddress | undefined
    await firstThat(options.sentinelRootNodes, async ({ host, port }) => {
      const sentinel = addressed(options.sentinelClientOptions, { host, port })
      const answer: unknown = await session.ask(sentinel, (client) =>
        client.sendCommand(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name]),
      )
      if (!Array.isArray(answer)) throw new Error(`expected the sentinel to know the primary ${JSON.stringify(name)}`)
      address = { host: String(answer[0]), port: Number(answer[1]) }
    })
    await session.addServer(addressed(options.nodeClientOptions, mapped(address!, options.nodeAddressMap)), true)
  }
}

/**
 * Connects to a cluster. From Redis 7 on, each channel belongs to the server of its hash slot (sharded pub/sub), so that a
 * message goes to one server only. Before that, one server is enough, since each message goes to all of them: a random one,
 * so that the nodes do not burden the same one.
 */
export function cluster(options: ClusterOptions, random: () => number): ConnectRedis {
  /** The addresses of the last session. When the root nodes are all gone, these may not be. */
  let known: readonly RedisClientOptions[] = []
  return async (session) => {
    let shards: readonly Shard[] = []
    await firstThat([...options.rootNodes, ...known] as RedisClientOptions[], async (root) => {
      shards = await session.ask(withDefaults(root, options), (client) => shardsOf(client, hostOf(root)))
      if (shards.length === 0) throw new Error("expected a server of a cluster that serves slots, got none")
    })
    const optionsOf = ({ address }: Shard): RedisClientOptions =>
      addressed(options.defaults, mapped(address, options.nodeAddressMap))
    known = shards.map(optionsOf)
    const isSharded = options.sharded !== false
    const servers = await (isSharded
      ? Promise.all(known.map((server) => session.addServer(server, true)))
      : connectToAny(shuffled(known, random), session))
    if (!isSharded || session.version < 7) return
    const serverOfSlot = Array.from<RedisServer | undefined>({ length: SLOTS })
    for (const [at, { ranges }] of shards.entries()) {
      for (const [from, to] of ranges) serverOfSlot.fill(servers[at], from, to + 1)
    }
    if (serverOfSlot.includes(undefined)) {
      throw new Error("expected the cluster to serve all hash slots, got some without a server")
    }
    session.shard(serverOfSlot)
    // The driver reports most channels that move to another server, but not one that moves while an answer is pending.
    session.every(CHECK_PERIOD_MS, async () => {
      const now = await shardsOf(servers[0]!.publisher, shards[0]!.address.host)
      if (JSON.stringify(now) !== JSON.stringify(shards)) session.lost(new Error("the cluster has moved hash slots"))
    })
  }
}

/** The options of a cluster. */
export type ClusterOptions = RedisClusterOptions & { readonly sharded?: boolean }

interface RedisAddress {
  readonly host: string
  readonly port: number
}

/** A primary of a cluster, and its hash slots. */
interface Shard {
  readonly address: RedisAddress
  readonly ranges: readonly (readonly [from: number, to: number])[]
}

/** Returns the primaries of a cluster, sorted by address. */
async function shardsOf(client: RedisClient, host: string): Promise<Shard[]> {
  const answer: unknown = await client.sendCommand(["CLUSTER", "SLOTS"])
  const shards = new Map<string, { address: RedisAddress; ranges: [number, number][] }>()
  for (const [from, to, [ip, port]] of answer as [number, number, [string | null, number]][]) {
    // A server that does not know its own address leaves it out. It is the one that was asked.
    const address = { host: ip === null || ip === "" || ip === "?" ? host : String(ip), port: Number(port) }
    const key = `${address.host}:${address.port}`
    const shard = shards.get(key) ?? { address, ranges: [] }
    shard.ranges.push([Number(from), Number(to)])
    shards.set(key, shard)
  }
  return Array.from(shards)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, shard]) => ({ ...shard, ranges: shard.ranges.sort(([one], [other]) => one - other) }))
}

async function connectToAny(servers: readonly RedisClientOptions[], session: RedisSession): Promise<RedisServer[]> {
  const found: RedisServer[] = []
  await firstThat(servers, async (server) => found.push(await session.addServer(server, true)))
  return found
}

/**
 * Tries the candidates in turn. Returns the index of the first one for which `attempt` resolves.
 * @throws the last error if there is none
 */
async function firstThat<Candidate>(
  candidates: readonly Candidate[],
  attempt: (candidate: Candidate) => Promise<unknown>,
): Promise<number> {
  let last: unknown = new Error("expected at least one address, got none")
  for (const [index, candidate] of candidates.entries()) {
    try {
      await attempt(candidate)
      return index
    } catch (error) {
      last = error
    }
  }
  throw last
}

/** Returns options with another address. A URL would take precedence over it. */
function addressed(options: object | undefined, { host, port }: RedisAddress): RedisClientOptions {
  const { url: _url, socket, ...others } = (options ?? {}) as RedisClientOptions
  return { ...others, socket: { ...socket, host, port } }
}

function mapped(address: RedisAddress, map: RedisSentinelOptions["nodeAddressMap"]): RedisAddress {
  const key = `${address.host}:${address.port}`
  return (typeof map === "function" ? map(key) : map?.[key]) ?? address
}

function withDefaults(root: RedisClientOptions, { defaults }: RedisClusterOptions): RedisClientOptions {
  return { ...defaults, ...root, socket: { ...defaults?.socket, ...root.socket } } as RedisClientOptions
}

function hostOf({ url, socket }: RedisClientOptions): string {
  if (url !== undefined) return new URL(url).hostname
  return (socket as { host?: string } | undefined)?.host ?? "localhost"
}

async function roleOf(client: RedisClient): Promise<"primary" | "replica"> {
  return (await helloOf(client)).isPrimary === false ? "replica" : "primary"
}

/** Returns the items in a random order. */
function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  return items
    .map((item) => ({ item, order: random() }))
    .sort((one, other) => one.order - other.order)
    .map(({ item }) => item)
}

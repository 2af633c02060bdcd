import type { RedisClientOptions, RedisClusterOptions, RedisSentinelOptions } from "redis"
import { ConfigError, kindOf } from "../error.ts"
import { checkKnownNames } from "../known-names.ts"
import type { Names } from "../known-names.ts"
import { PINGING_OPTIONS } from "./option-names.ts"
import type { AnyRedisClient, RedisOptions } from "./redis.ts"
import { cluster, firstOf, oneServer, sentinels, type ClusterOptions, type ConnectRedis } from "./redis-servers.ts"

/**
 * Returns the options of the engine, and how it finds its servers.
 * @throws ConfigError when the options do not say that, or say it twice
 */
export async function redisServersOf(
  at: string | RedisOptions | AnyRedisClient,
  random: () => number,
): Promise<{ options: RedisOptions; connect: ConnectRedis }> {
  const options: RedisOptions =
    typeof at === "string" ? { url: at } : isPlain(at) ? (at as RedisOptions) : { client: at as AnyRedisClient }
  for (const name of Object.keys(options)) {
    const remedy = MISPLACED[name]
    if (remedy !== undefined) throw new ConfigError(`expected ${remedy}, got the option ${name}`)
  }
  checkKnownNames("an option of redis", options, OPTIONS)
  const isClient = options.client !== undefined && !isPlain(options.client)
  const places = ["url", "sentinel", "cluster"].filter((name) => options[name as keyof RedisOptions] !== undefined)
  if (isClient) places.push("a client")
  if (places.length > 1)
    throw new ConfigError(`expected one of url, sentinel, cluster and client, got ${places.join(" and ")}`)
  if (isClient) return { options, connect: await serversOfClient(options.client, random) }
  if (options.sentinel !== undefined) return { options, connect: sentinelsOf(options.sentinel) }
  if (options.cluster !== undefined) return { options, connect: clusterOf(options.cluster, random) }
  const client = (options.client ?? {}) as RedisClientOptions
  if (options.url === undefined) return { options, connect: oneServer(client) }
  const urls = [options.url].flat().map(checkedUrl)
  const servers = urls.map((url) => ({ ...client, url }))
  if (servers.length === 0) throw new ConfigError("expected at least one url, got none")
  return { options, connect: servers.length === 1 ? oneServer(servers[0]!) : firstOf(servers) }
}

const OPTIONS: Names<keyof RedisOptions> = {
  ...PINGING_OPTIONS,
  url: true,
  client: true,
  sentinel: true,
  cluster: true,
}

/** Options that would be ignored, and where they belong. Without this check, the engine would dial localhost. */
const MISPLACED: Readonly<Record<string, string>> = {
  host: "a url, or client: { socket: { host } }",
  port: "a url, or client: { socket: { port } }",
  socket: "client: { socket }",
  username: "a url with the user, or client: { username }",
  password: "a url with the password, or client: { password }",
  rootNodes: "cluster: { rootNodes }",
  sentinelRootNodes: "sentinel: { sentinelRootNodes }",
  sentinels: "sentinel: { name, sentinelRootNodes }",
}

const CLIENTS = "a client of createClient, createClientPool, createSentinel or createCluster of the package redis"

function isPlain(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

/** The parts of the driver's clients that are used here, whichever kind a client is. */
interface UnknownClient {
  readonly isOpen?: unknown
  readonly options?: unknown
  readonly _options?: { readonly rootNodes?: unknown }
  readonly totalClients?: unknown
  execute?(task: (client: { readonly options: RedisClientOptions }) => Promise<unknown>): Promise<unknown>
  getSentinelNode?(): unknown
  duplicate?(): unknown
}

/** Returns how to connect to the servers of an existing client. The client itself may be blocked by other commands. */
async function serversOfClient(given: object, random: () => number): Promise<ConnectRedis> {
  const client = given as UnknownClient
  if (Array.isArray(client._options?.rootNodes)) return clusterOf(client._options as RedisClusterOptions, random)
  if (typeof client.getSentinelNode === "function") return sentinelsOf(sentinelOptionsOf(given))
  if (typeof client.execute === "function" && typeof client.totalClients === "number") {
    if (client.isOpen !== true)
      throw new ConfigError("expected a pool that is open, got a closed one; call its connect first")
    let options: RedisClientOptions = {}
    await client.execute(async (member) => (options = member.options))
    return oneServer(options)
  }
  const isClient = typeof client.isOpen === "boolean" && typeof client.duplicate === "function"
  if (isClient) return oneServer(client.options ?? {})
  const name = (given as { constructor?: { name?: unknown } }).constructor?.name
  const got = typeof name === "string" && name !== "" ? `an instance of ${name}` : kindOf(given)
  throw new ConfigError(
    `expected ${CLIENTS} (6 or later), got ${got}; clients of other packages, such as ioredis, do not fit`,
  )
}

/**
 * Returns the options of a sentinel client. The driver keeps them private, but a duplicate is created from them: by the
 * constructor of the object that is duplicated.
 */
function sentinelOptionsOf(sentinel: object): RedisSentinelOptions {
  let options: unknown
  const constructor = function (given: unknown): void {
    options = given
  }
  const { duplicate, _self, commandOptions } = sentinel as Record<"duplicate" | "_self" | "commandOptions", unknown>
  const disguise = Object.assign(Object.create({ constructor }) as object, { _self, commandOptions })
  ;(duplicate as () => unknown).call(disguise)
  return options as RedisSentinelOptions
}

function sentinelsOf(options: RedisSentinelOptions): ConnectRedis {
  if (typeof options?.name !== "string")
    throw new ConfigError(`expected sentinel.name to be a string, got ${kindOf(options?.name)}`)
  checkNodes("sentinel.sentinelRootNodes", options.sentinelRootNodes)
  return sentinels(options)
}

function clusterOf(options: ClusterOptions, random: () => number): ConnectRedis {
  checkNodes("cluster.rootNodes", options?.rootNodes)
  return cluster(options, random)
}

function checkNodes(name: string, nodes: unknown): void {
  if (Array.isArray(nodes) && nodes.length > 0) return
  throw new ConfigError(`expected ${name} to be a list of at least one address, got ${kindOf(nodes)}`)
}

/** @throws ConfigError without the URL, which may contain a password */
function checkedUrl(url: unknown): string {
  try {
    const { protocol } = new URL(url as string)
    if (["redis:", "rediss:", "unix:"].includes(protocol)) return url as string
  } catch {}
  throw new ConfigError(`expected url to be redis[s]://[[user][:password]@][host][:port], got another ${typeof url}`)
}

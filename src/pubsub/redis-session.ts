import type { RedisClientOptions } from "redis"
import { setUnref, type Timers } from "../timers.ts"
import { connectUnanswering, engineUnanswering, publishRefused } from "./engine-refusals.ts"
import { Liveness, type LivenessTiming } from "./liveness.ts"
import { connectionOptions, helloOf, isRefusal } from "./redis-connection.ts"
import type { CreateRedisClient, RedisClient, RedisHello } from "./redis-connection.ts"
import { slotOf } from "./redis-slots.ts"

/** The options of a session. */
export interface RedisSessionOptions extends Required<LivenessTiming> {
  readonly createClient: CreateRedisClient
  readonly timers: Timers
  /** Called with each message that arrives on a subscribed channel. */
  onFrame(frame: Buffer): void
  /** Called once, when a connection of the session has failed. */
  onLost(cause: unknown): void
}

/** The two connections to one server: one for its messages, and one for all other commands. */
export interface RedisServer {
  readonly publisher: RedisClient
  readonly subscriber: RedisClient
  readonly pings: readonly [publisher: Liveness, subscriber: Liveness]
  /** The listener of all channels that are subscribed on this server. */
  onFrame(frame: Buffer): void
  /** The major version of the server; 0 if it does not say. */
  readonly version: number
}

/**
 * All connections that the engine has at one time. When one of them fails, all of them are useless: the engine closes the
 * session and opens a new one, which looks for the servers again.
 *
 * So the driver never reconnects by itself. It would connect to the old address for ever, even if another server has become
 * the primary, and one channel that the server no longer allows would keep it from becoming ready again.
 */
export class RedisSession {
  readonly #options: RedisSessionOptions
  readonly #clients = new Set<RedisClient>()
  readonly #servers: RedisServer[] = []
  readonly #timers = new Set<unknown>()
  /** Rejects what waits for an answer: the driver does not settle the promise of a connection that is destroyed meanwhile. */
  readonly #waiting = new Set<(error: unknown) => void>()
  /** By hash slot, for a cluster with sharded channels. Otherwise the first server has all channels. */
  #serverOfSlot: readonly (RedisServer | undefined)[] | undefined
  #isLost = false

  constructor(options: RedisSessionOptions) {
    this.#options = options
  }

  get isLost(): boolean {
    return this.#isLost
  }

  /** How long a server of the session has not answered, in ms. */
  get unansweredMs(): number {
    return Math.max(0, ...this.#servers.flatMap(({ pings }) => pings.map((ping) => ping.unansweredMs)))
  }

  /** The lowest major version of the servers. */
  get version(): number {
    return Math.min(...this.#servers.map((server) => server.version))
  }

  /**
   * Connects to the two ends of a server that messages will go through.
   *
   * @param mustBePrimary whether a replica is refused, now and whenever it becomes one: what is published on a replica
   * reaches only the clients of that replica
   */
  async addServer(options: RedisClientOptions, mustBePrimary: boolean): Promise<RedisServer> {
    // Two connections, so that slow reading on the subscriber does not delay the messages that this node publishes.
    const publisher = this.#client(options)
    const subscriber = this.#keep(publisher.duplicate())
    const hello = async (): Promise<RedisHello> => {
      const answer = await helloOf(publisher)
      if (mustBePrimary && answer.isPrimary === false) throw new Error("expected the primary server, got a replica")
      return answer
    }
    const connect = async (): Promise<RedisHello> => {
      await Promise.all([this.#connected(publisher), this.#connected(subscriber)])
      return this.#inTime(hello())
    }
    const { version } = await connect().catch((error: unknown) => {
      for (const client of [publisher, subscriber]) this.#discard(client)
      throw error
    })
    const pings: RedisServer["pings"] = [
      this.#pinged(() => (mustBePrimary ? hello().catch((error: unknown) => this.lost(error)) : publisher.ping())),
      this.#pinged(() => subscriber.ping()),
    ]
    const server = { publisher, subscriber, pings, onFrame: this.#options.onFrame, version }
    this.#servers.push(server)
    for (const client of [publisher, subscriber]) {
      client.on("error", (error) => this.lost(error)).on("end", () => this.lost(new Error("the connection was closed")))
    }
    subscriber.on("sharded-channel-moved", () => this.lost(new Error("a channel has moved to another server")))
    return server
  }

  /** Asks a server that gets no messages, over a connection of its own. */
  async ask<Answer>(options: RedisClientOptions, question: (client: RedisClient) => Promise<Answer>): Promise<Answer> {
    const client = this.#client(options)
    try {
      await this.#connected(client)
      return await this.#inTime(question(client))
    } finally {
      this.#discard(client)
    }
  }

  /** Sends each channel to the server of its hash slot, by sharded pub/sub. */
  shard(serverOfSlot: readonly (RedisServer | undefined)[]): void {
    this.#serverOfSlot = serverOfSlot
  }

  /** Calls `run` regularly, until the session is closed. */
  every(ms: number, run: () => Promise<void>): void {
    let timer: unknown
    const again = (): void => {
      this.#timers.delete(timer)
      if (this.#isLost) return
      timer = setUnref(this.#options.timers, () => void run().then(again, again), ms)
      this.#timers.add(timer)
    }
    again()
  }

  /** @returns a promise that rejects with `publish_refused` if the server does not allow it */
  publish(channel: string, frame: Buffer): Promise<unknown> {
    const { publisher, pings } = this.#serverOf(channel)
    const [ping] = pings
    const isSharded = this.#serverOfSlot !== undefined
    const sent = isSharded ? publisher.sPublish(channel, frame) : publisher.publish(channel, frame)
    return sent.then(
      // Behind many large messages, the answer to a ping may take long. Their own answers show that the server is there.
      () => ping.received(),
      (error: unknown) => {
        if (isRefusal(error)) throw publishRefused(error)
        this.lost(error)
        throw error
      },
    )
  }

  /** @returns a promise that rejects with the server's error if it does not allow the channel */
  subscribe(channel: string): Promise<void> {
    const { subscriber, onFrame } = this.#serverOf(channel)
    const isSharded = this.#serverOfSlot !== undefined
    return this.#checked(
      isSharded ? subscriber.sSubscribe(channel, onFrame, true) : subscriber.subscribe(channel, onFrame, true),
    )
  }

  unsubscribe(channel: string): Promise<void> {
    const { subscriber, onFrame } = this.#serverOf(channel)
    const isSharded = this.#serverOfSlot !== undefined
    return this.#checked(
      isSharded ? subscriber.sUnsubscribe(channel, onFrame, true) : subscriber.unsubscribe(channel, onFrame, true),
    )
  }

  /** Ends the session because of an error. Further calls do nothing. */
  lost(cause: unknown): void {
    if (this.#isLost) return
    this.#isLost = true
    this.#options.onLost(cause)
    this.close()
  }

  /** Closes all connections. */
  close(): void {
    this.#isLost = true
    for (const { pings } of this.#servers) for (const ping of pings) ping.stop()
    for (const timer of this.#timers) this.#options.timers.clear(timer)
    for (const client of this.#clients) this.#discard(client)
    for (const reject of this.#waiting) reject(new Error("the connections were closed"))
  }

  #serverOf(channel: string): RedisServer {
    const server = this.#serverOfSlot === undefined ? this.#servers[0] : this.#serverOfSlot[slotOf(channel)]
    if (server === undefined) throw new Error("expected an open session, got none")
    return server
  }

  async #checked(answer: Promise<unknown>): Promise<void> {
    try {
      await answer
    } catch (error) {
      if (!isRefusal(error)) this.lost(error)
      throw error
    }
  }

  #client(options: RedisClientOptions): RedisClient {
    return this.#keep(this.#options.createClient(connectionOptions(options)) as RedisClient)
  }

  #keep(client: RedisClient): RedisClient {
    // Without a listener, an error would end the process.
    client.on("error", () => {})
    this.#clients.add(client)
    return client
  }

  #discard(client: RedisClient): void {
    this.#clients.delete(client)
    client.destroy()
  }

  /** Connects, and rejects at the first failure. By itself, the driver would retry. */
  #connected(client: RedisClient): Promise<unknown> {
    return this.#inTime(
      new Promise((resolve, reject) => {
        client.once("error", reject)
        client.connect().then(resolve, reject)
      }),
    )
  }

  /** Rejects if the server does not answer: a suspended one accepts connections, and then sends nothing. */
  #inTime<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const { timers, pingTimeoutMs } = this.#options
    const ms = Math.max(CONNECT_TIMEOUT_MS, pingTimeoutMs)
    return new Promise((resolve, reject) => {
      const timer = timers.set(() => reject(connectUnanswering("Redis", ms)), ms)
      this.#waiting.add(reject)
      this.#timers.add(timer)
      const settled = (): void => {
        timers.clear(timer)
        this.#timers.delete(timer)
        this.#waiting.delete(reject)
      }
      answer.finally(settled).then(resolve, reject)
    })
  }

  #pinged(ping: () => Promise<unknown>): Liveness {
    const { timers, pingIntervalMs, pingTimeoutMs } = this.#options
    const onLost = (): void => this.lost(engineUnanswering("Redis", pingTimeoutMs))
    return new Liveness({ timers, pingIntervalMs, pingTimeoutMs, ping, onLost })
  }
}

/** How long a connection may take until it can be used, in ms. */
const CONNECT_TIMEOUT_MS = 5_000

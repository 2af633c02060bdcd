import type { RedisClientOptions } from "redis"
import { loadOptionalPeer } from "../optional-peer.ts"
import { EnginePubSub } from "./engine-pubsub.ts"
import { engineUnreachable } from "./engine-unreachable.ts"
import type { Engine } from "./engine.ts"
import { deliverEnvelope, encodeEnvelope } from "./envelope.ts"
import type { PubSub, PubSubOptions } from "./pubsub.ts"
import { reconnectDelay } from "./reconnect-delay.ts"
import { subjectNames } from "./subject-names.ts"

/** The options of `redis`. */
export interface RedisOptions extends PubSubOptions {
  /** `redis[s]://[[user][:password]@][host][:port]`; `redis://localhost:6379` by default. */
  readonly url?: string
  /** Further options of the driver: TLS, credentials. This engine sets reconnecting, timeouts and queueing itself. */
  readonly client?: RedisClientOptions
}

/**
 * Connects to a Redis server as the bus, or to a Redis cluster, in which `PUBLISH` reaches all of its servers.
 *
 * After the first connection it reconnects for ever: after at most 50 ms, then after up to twice as long each time, at
 * most 2 s, with jitter. A server that does not answer a ping counts as gone after 20 s at the latest. Messages that are
 * published while the engine is disconnected are dropped, because the driver's own queue has no bound.
 *
 * @throws ConfigError when the package `redis` is not installed
 * @throws RollcallError `engine_unreachable` when the first connection fails, or when the server refuses the subscription
 * to this node's own channel, which carries the messages that are sent to this node only
 */
export async function redis(at: string | RedisOptions = {}): Promise<PubSub> {
  const options: RedisOptions = typeof at === "string" ? { url: at } : at
  const { createClient } = await loadOptionalPeer("This engine needs", "redis", () => import("redis"))
  const publisher = createClient({
    ...options.client,
    ...(options.url === undefined ? {} : { url: options.url }),
    disableOfflineQueue: true,
    pingInterval: 5_000,
    // By default the driver creates an abort signal and a timer for every command.
    commandOptions: { timeout: undefined } as object,
    socket: { ...options.client?.socket, socketTimeout: 15_000, reconnectStrategy } as object,
  })
  // Two connections, so that slow reading on the subscriber does not delay the messages that this node publishes.
  const subscriber = publisher.duplicate()
  const clients = [publisher, subscriber]

  const onFrame = (frame: Buffer): void => deliverEnvelope(pubsub, frame)
  const publish = (channel: string, topic: string, bytes: Uint8Array): Promise<unknown> =>
    publisher.publish(channel, encodeEnvelope({ namespace: pubsub.namespace, from: pubsub.node, topic, bytes }))
  const engine: Engine = {
    subscribe: (topic) => subscriber.subscribe(names.topic(topic), onFrame, true),
    unsubscribe: (topic) => subscriber.unsubscribe(names.topic(topic), onFrame, true),
    publish: (topic, bytes) => publish(names.topic(topic), topic, bytes),
    send: (node, topic, bytes) => publish(names.node(node), topic, bytes),
    async close() {
      for (const client of clients) client.destroy()
    },
  }
  const pubsub = new EnginePubSub(options, engine, "disconnected")
  const names = subjectNames(pubsub.namespace)

  // A client is ready once the driver has sent all of its subscriptions again.
  const updateStatus = (): void =>
    pubsub.setStatus(clients.every((client) => client.isReady) ? "connected" : "disconnected")
  for (const client of clients) client.on("error", updateStatus).on("error", (error) => pubsub.report(error))
  try {
    await Promise.all(clients.map(connectOnce))
    await subscriber.subscribe(names.node(pubsub.node), onFrame, true)
  } catch (cause) {
    await pubsub.close()
    throw engineUnreachable("Redis", cause)
  }
  for (const client of clients) client.on("ready", updateStatus)
  updateStatus()
  return pubsub
}

function reconnectStrategy(attempt: number): number {
  return reconnectDelay(attempt, Math.random())
}

/** Connects, and rejects at the first failure. By itself, the driver would retry. */
function connectOnce(client: {
  connect(): Promise<unknown>
  once(event: "error", listener: (error: unknown) => void): unknown
}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    client.once("error", reject)
    client.connect().then(resolve, reject)
  })
}

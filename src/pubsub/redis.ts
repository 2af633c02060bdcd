import type { RedisClientOptions } from "redis"
import { subjectNames } from "./subject-names.ts"
import { loadOptionalPeer } from "../optional-peer.ts"
import { unreachable } from "./engine-unreachable.ts"
import { EnginePubSub } from "./engine-pubsub.ts"
import type { Engine } from "./engine.ts"
import { accept, seal } from "./envelope.ts"
import type { PubSub, PubSubOptions } from "./pubsub.ts"

/** What `redis` takes. */
export interface RedisOptions extends PubSubOptions {
  /** `redis[s]://[[user][:password]@][host][:port]`; `redis://localhost:6379` by default. */
  readonly url?: string
  /** Anything else the driver should know: TLS, credentials. Its reconnecting and queueing are this engine's to set. */
  readonly client?: RedisClientOptions
}

/**
 * Joins the bus of a Redis server (or cluster: `PUBLISH` reaches all of its nodes).
 *
 * The first connection has to succeed: rejects with `RollcallError` `engine_unreachable`, or `ConfigError` without the
 * package `redis`. From then on it reconnects for ever, after 50 ms, doubling up to 2 s. A server that leaves a
 * ping unanswered counts as gone after 20 s at the latest. What is published meanwhile is dropped: the driver's own queue for
 * such times has no bound.
 */
export async function redis(at: string | RedisOptions = {}): Promise<PubSub> {
  const options: RedisOptions = typeof at === "string" ? { url: at } : at
  const { createClient } = await loadOptionalPeer("This engine needs", "redis", () => import("redis"))
  const publisher = createClient({
    ...options.client,
    ...(options.url === undefined ? {} : { url: options.url }),
    disableOfflineQueue: true,
    pingInterval: 5_000,
    // The driver's default puts an abort signal and its timer on every single command.
    commandOptions: { timeout: undefined } as object,
    socket: { ...options.client?.socket, socketTimeout: 15_000, reconnectStrategy: backoff } as object,
  })
  // Two connections: a subscriber that falls behind must not hold up what this node has to say.
  const subscriber = publisher.duplicate()
  const both = [publisher, subscriber]

  const hear = (frame: Buffer): void => accept(endpoint, frame)
  const post = (channel: string, topic: string, bytes: Uint8Array): Promise<unknown> =>
    publisher.publish(channel, seal({ namespace: endpoint.namespace, from: endpoint.node, topic, bytes }))
  const engine: Engine = {
    listen: (topic) => subscriber.subscribe(name.topic(topic), hear, true),
    unlisten: (topic) => subscriber.unsubscribe(name.topic(topic), hear, true),
    publish: (topic, bytes) => post(name.topic(topic), topic, bytes),
    send: (node, topic, bytes) => post(name.node(node), topic, bytes),
    async close() {
      for (const each of both) each.destroy()
    },
  }
  const endpoint = new EnginePubSub(options, engine, "disconnected")
  const name = subjectNames(endpoint.namespace)

  // `ready` comes after the driver has subscribed again to all it was subscribed to.
  const look = (): void => endpoint.become(both.every((each) => each.isReady) ? "connected" : "disconnected")
  for (const each of both) {
    each.on("error", look).on("error", (error) => endpoint.report(error))
  }
  try {
    await Promise.all(both.map(connect))
    await subscriber.subscribe(name.node(endpoint.node), hear, true)
  } catch (cause) {
    await endpoint.close()
    throw unreachable("Redis", cause)
  }
  for (const each of both) each.on("ready", look)
  look()
  return endpoint
}

function backoff(retries: number): number {
  return Math.min(2_000, 50 * 2 ** retries)
}

/** Connects, or rejects at the first failure, where the driver alone would go on trying. */
function connect(client: {
  connect(): Promise<unknown>
  once(event: "error", listener: (error: unknown) => void): unknown
}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    client.once("error", reject)
    client.connect().then(resolve, reject)
  })
}

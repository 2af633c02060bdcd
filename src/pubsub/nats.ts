import { loadOptionalPeer } from "../optional-peer.ts"
import { EnginePubSub } from "./engine-pubsub.ts"
import { engineUnreachable } from "./engine-unreachable.ts"
import type { Engine } from "./engine.ts"
import { deliverEnvelope, encodeEnvelope } from "./envelope.ts"
import { ChunkAssembler, chunksOf, isChunk } from "./message-chunks.ts"
import type { PubSub, PubSubOptions } from "./pubsub.ts"
import { subjectNames } from "./subject-names.ts"

/** The options of `nats`. */
export interface NatsOptions extends PubSubOptions {
  /** `nats://[user:password@ or token@]host:port`, one or several of one cluster; `nats://127.0.0.1:4222` by default. */
  readonly url?: string | readonly string[]
  /** Further options of the driver's `connect`: TLS, credentials. */
  readonly client?: Readonly<Record<string, unknown>>
}

/**
 * The part of the driver that is used here. Its own types fail under `exactOptionalPropertyTypes`, and importing them
 * would pass these errors on to the users of this package.
 */
interface Driver {
  connect(options: Record<string, unknown>): Promise<Connection>
}

interface Connection {
  readonly info?: { readonly max_payload: number }
  subscribe(subject: string, options: { callback(error: Error | null, message: Message): void }): Subscription
  publish(subject: string, payload: Uint8Array): void
  flush(): Promise<void>
  status(): AsyncIterable<{ readonly type: string; readonly error?: Error }>
  close(): Promise<void>
}

interface Message {
  readonly data: Uint8Array
}

interface Subscription {
  readonly closed: Promise<Error | undefined>
  isClosed(): boolean
  unsubscribe(): void
}

/** The server's default, in bytes; used until the driver knows the server's own. */
const DEFAULT_MAX_PAYLOAD = 1024 * 1024

/**
 * Connects to the bus of a NATS server or cluster.
 *
 * After the first connection it reconnects for ever: at once, then every 250 to 750 ms at random. A server that leaves
 * two pings, 5 s apart, unanswered counts as gone. Messages that are published while the engine is disconnected are
 * dropped: the driver would buffer them without a bound, and discard them when it reconnects.
 *
 * A frame beyond the server's `max_payload` (1 MiB unless configured) is sent in chunks. The state of a topic with ten
 * thousand users is larger than that.
 *
 * @throws ConfigError when the package `@nats-io/transport-node` is not installed
 * @throws RollcallError `engine_unreachable` when the first connection fails, or when the server refuses the subject of
 * this node, on which it would receive what is sent to it alone
 */
export async function nats(at: string | NatsOptions = {}): Promise<PubSub> {
  const options: NatsOptions = typeof at === "string" ? { url: at } : at
  const { connect } = await loadOptionalPeer<Driver>(
    "This engine needs",
    "@nats-io/transport-node",
    // oxlint-disable-next-line typescript/no-unnecessary-type-assertion -- without it the compiler checks the driver's own types
    () => import("@nats-io/transport-node" as string),
  )
  const connecting = connect({
    // Half a second on average. With the driver's own jitter of 100 ms all nodes would reconnect nearly at once.
    reconnectTimeWait: 250,
    reconnectJitter: 500,
    reconnectJitterTLS: 500,
    pingInterval: 5_000,
    ...(options.url === undefined ? {} : addressOf([options.url].flat())),
    ...options.client,
    noEcho: true,
    maxReconnectAttempts: -1,
    // By default the driver gives up after two authentication errors in a row. A server that is still loading its
    // users at its start gives such errors.
    ignoreAuthErrorAbort: true,
  })
  const connection = await connecting.catch((cause: unknown) => {
    throw engineUnreachable("NATS", cause)
  })

  const onMessage = (error: Error | null, { data }: Message): void => {
    if (error !== null) return pubsub.report(error)
    const message = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    const frame = isChunk(message) ? chunks.add(message) : message
    if (frame !== undefined) deliverEnvelope(pubsub, frame)
  }
  let flushing: Promise<void> | undefined
  /** One round trip for all messages of this microtask turn: the driver does not say when a single message has left. */
  const flushed = (): Promise<void> => {
    flushing ??= Promise.resolve().then(() => {
      flushing = undefined
      return connection.flush()
    })
    return flushing
  }
  const publish = (subject: string, topic: string, bytes: Uint8Array): Promise<void> => {
    const frame = encodeEnvelope({ namespace: pubsub.namespace, from: pubsub.node, topic, bytes })
    const maxSize = connection.info?.max_payload ?? DEFAULT_MAX_PAYLOAD
    if (frame.length <= maxSize) connection.publish(subject, frame)
    else for (const chunk of chunksOf(frame, pubsub.node, maxSize)) connection.publish(subject, chunk)
    return flushed()
  }
  /** Resolves once the server has confirmed a subscription; rejects with its reason if it refuses. */
  const confirmed = async (subscription: Subscription): Promise<void> => {
    await connection.flush().catch((error: unknown) => {
      // The driver may reject this before it reports `disconnect`. The rejection would then look like a refusal.
      pubsub.setStatus("disconnected")
      throw error
    })
    if (subscription.isClosed()) throw (await subscription.closed) ?? new Error("the server ended the subscription")
  }
  const subscriptions = new Map<string, Subscription>()
  const engine: Engine = {
    async subscribe(topic) {
      const existing = subscriptions.get(topic)
      const subscription = existing ?? connection.subscribe(names.topic(topic), { callback: onMessage })
      subscriptions.set(topic, subscription)
      await confirmed(subscription).finally(() => subscription.isClosed() && subscriptions.delete(topic))
    },
    async unsubscribe(topic) {
      subscriptions.get(topic)?.unsubscribe()
      subscriptions.delete(topic)
    },
    publish: (topic, bytes) => publish(names.topic(topic), topic, bytes),
    send: (node, topic, bytes) => publish(names.node(node), topic, bytes),
    close: () => connection.close(),
  }
  const pubsub = new EnginePubSub(options, engine)
  const names = subjectNames(pubsub.namespace)
  const chunks = new ChunkAssembler(pubsub.maxBufferedBytes, () => pubsub.drop("incomplete"))

  const followStatus = async (): Promise<void> => {
    for await (const status of connection.status()) {
      if (status.type === "disconnect") pubsub.setStatus("disconnected")
      else if (status.type === "reconnect") {
        // The driver has repeated its subscriptions; they are active once the server answers what was sent after them.
        await connection.flush().then(
          () => pubsub.setStatus("connected"),
          () => {},
        )
      } else if (status.type === "error") pubsub.report(status.error)
    }
    await pubsub.close()
  }
  followStatus().catch((error: unknown) => pubsub.report(error))
  try {
    await confirmed(connection.subscribe(names.node(pubsub.node), { callback: onMessage }))
  } catch (cause) {
    await pubsub.close()
    throw engineUnreachable("NATS", cause)
  }
  return pubsub
}

/** Returns the servers, and the credentials of the first URL that has any: the driver ignores credentials in a URL. */
function addressOf(servers: string[]): { servers: string[]; user?: string; pass?: string; token?: string } {
  for (const server of servers) {
    const [, user, pass] = /^\w+:\/\/([^:@/]+)(?::([^@/]*))?@/.exec(server) ?? []
    if (user === undefined) continue
    const name = decodeURIComponent(user)
    return pass === undefined ? { servers, token: name } : { servers, user: name, pass: decodeURIComponent(pass) }
  }
  return { servers }
}

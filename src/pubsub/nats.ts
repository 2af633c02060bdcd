import { subjectNames } from "./subject-names.ts"
import { loadOptionalPeer } from "../optional-peer.ts"
import { unreachable } from "./engine-unreachable.ts"
import { EnginePubSub } from "./engine-pubsub.ts"
import type { Engine } from "./engine.ts"
import { accept, seal } from "./envelope.ts"
import { ChunkAssembler, isChunk, chunksOf } from "./message-chunks.ts"
import type { PubSub, PubSubOptions } from "./pubsub.ts"

/** What `nats` takes. */
export interface NatsOptions extends PubSubOptions {
  /** `nats://[user:password@ or token@]host:port`, one or several of one cluster; `nats://127.0.0.1:4222` by default. */
  readonly url?: string | readonly string[]
  /** Anything else the driver's `connect` should know: TLS, credentials. */
  readonly client?: Readonly<Record<string, unknown>>
}

/**
 * What is used of the driver. Its own types do not stand under `exactOptionalPropertyTypes`, and ours would hand that
 * on to whoever imports them.
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

/**
 * Joins the bus of a NATS server or cluster.
 *
 * The first connection has to succeed: rejects with `RollcallError` `engine_unreachable`, or `ConfigError` without the
 * package `@nats-io/transport-node`. From then on it reconnects for ever, every half second. A server that leaves two
 * pings, 5 s apart, unanswered counts as gone. What is published meanwhile is dropped: the driver would keep it without
 * a bound, and throw it away when it reconnects. Payloads beyond the server's `max_payload` (1 MiB unless configured)
 * travel in parts: a presence of ten thousand people is larger than that, so refusing is no option.
 */
export async function nats(at: string | NatsOptions = {}): Promise<PubSub> {
  const options: NatsOptions = typeof at === "string" ? { url: at } : at
  const { connect } = await loadOptionalPeer<Driver>(
    "This engine needs",
    "@nats-io/transport-node",
    () => import("@nats-io/transport-node" as string),
  )
  const connecting = connect({
    reconnectTimeWait: 500,
    pingInterval: 5_000,
    ...(options.url === undefined ? {} : addressed([options.url].flat())),
    ...options.client,
    noEcho: true,
    maxReconnectAttempts: -1,
    // By default two refusals in a row, as from a server that is still reading its users, end the reconnecting.
    ignoreAuthErrorAbort: true,
  })
  const connection = await connecting.catch((cause: unknown) => {
    throw unreachable("NATS", cause)
  })

  const hear = (error: Error | null, { data }: Message): void => {
    if (error !== null) return endpoint.report(error)
    const frame = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    if (!isChunk(frame)) return accept(endpoint, frame)
    const whole = assembly.add(frame)
    if (whole !== undefined) accept(endpoint, whole)
  }
  let flushing: Promise<void> | undefined
  /** One round trip for all that is sent in a turn: the driver says nothing of a single message's leaving. */
  const flushed = (): Promise<void> => {
    flushing ??= Promise.resolve().then(() => {
      flushing = undefined
      return connection.flush()
    })
    return flushing
  }
  const post = (channel: string, topic: string, bytes: Uint8Array): Promise<void> => {
    const frame = seal({ namespace: endpoint.namespace, from: endpoint.node, topic, bytes })
    const max = connection.info?.max_payload ?? 1024 * 1024
    if (frame.length <= max) connection.publish(channel, frame)
    else for (const part of chunksOf(frame, endpoint.node, max)) connection.publish(channel, part)
    return flushed()
  }
  const subscriptions = new Map<string, Subscription>()
  const engine: Engine = {
    async listen(topic) {
      const subscription = subscriptions.get(topic) ?? connection.subscribe(name.topic(topic), { callback: hear })
      subscriptions.set(topic, subscription)
      await connection.flush()
      if (!subscription.isClosed()) return
      subscriptions.delete(topic)
      throw (await subscription.closed) ?? new Error("the server ended the subscription")
    },
    async unlisten(topic) {
      subscriptions.get(topic)?.unsubscribe()
      subscriptions.delete(topic)
    },
    publish: (topic, bytes) => post(name.topic(topic), topic, bytes),
    send: (node, topic, bytes) => post(name.node(node), topic, bytes),
    close: () => connection.close(),
  }
  const endpoint = new EnginePubSub(options, engine)
  const name = subjectNames(endpoint.namespace)
  const assembly = new ChunkAssembler(endpoint.maxBufferedBytes, () => endpoint.drop("incomplete"))

  const follow = async (): Promise<void> => {
    for await (const status of connection.status()) {
      if (status.type === "disconnect") endpoint.become("disconnected")
      // The driver has sent its subscriptions; they stand once the server has answered what was sent after them.
      else if (status.type === "reconnect")
        await connection.flush().then(
          () => endpoint.become("connected"),
          () => {},
        )
      else if (status.type === "error") endpoint.report(status.error)
    }
    await endpoint.close()
  }
  follow().catch((error: unknown) => endpoint.report(error))
  try {
    connection.subscribe(name.node(endpoint.node), { callback: hear })
    await connection.flush()
  } catch (cause) {
    await endpoint.close()
    throw unreachable("NATS", cause)
  }
  return endpoint
}

/** Servers, and the credentials of the first that has any: the driver overlooks those in a URL. */
function addressed(servers: string[]): { servers: string[]; user?: string; pass?: string; token?: string } {
  for (const server of servers) {
    const [, user, pass] = /^\w+:\/\/([^:@/]+)(?::([^@/]*))?@/.exec(server) ?? []
    if (user === undefined) continue
    const name = decodeURIComponent(user)
    return pass === undefined ? { servers, token: name } : { servers, user: name, pass: decodeURIComponent(pass) }
  }
  return { servers }
}

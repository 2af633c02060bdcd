import { checkKnownNames } from "../known-names.ts"
import { loadOptionalPeer } from "../optional-peer.ts"
import { systemTimers } from "../timers.ts"
import { EnginePubSub } from "./engine-pubsub.ts"
import { engineUnanswering, publishRefused, subscribeRefused } from "./engine-refusals.ts"
import { engineUnreachable } from "./engine-unreachable.ts"
import type { Engine } from "./engine.ts"
import { deliverEnvelope, encodeEnvelope } from "./envelope.ts"
import { Liveness, type LivenessTiming } from "./liveness.ts"
import { ChunkAssembler, chunksOf, isChunk } from "./message-chunks.ts"
import { addressOf, delayFirstReconnect } from "./nats-driver.ts"
import type { NatsDriver, NatsError, NatsMessage, NatsSubscription } from "./nats-driver.ts"
import { isProbe, NodeProbe } from "./node-probe.ts"
import { PINGING_OPTIONS } from "./option-names.ts"
import { pingTimingOf } from "./ping-timing.ts"
import type { PubSub, PubSubOptions } from "./pubsub.ts"
import { ReportsOnce } from "./reports-once.ts"
import { subjectNames } from "./subject-names.ts"

/** The options of `nats`. */
export interface NatsOptions extends PubSubOptions, LivenessTiming {
  /** One `nats://[user:password@ or token@]host:port`, or several of one cluster. Default `nats://127.0.0.1:4222`. */
  readonly url?: string | readonly string[]
  /** Further options of the driver's `connect`: TLS, credentials. */
  readonly client?: Readonly<Record<string, unknown>>
}

/** The default `max_payload` of a NATS server, in bytes. It is used until the driver knows the server's setting. */
const DEFAULT_MAX_PAYLOAD = 1024 * 1024

/** The maximum delay of the first reconnect, in ms. */
const FIRST_RECONNECT_MS = 250

/** After how many pings a refused subscription is requested again. */
const PINGS_PER_RETRY = 10

/**
 * Connects to the bus of a NATS server or cluster.
 *
 * It pings the server each second. A server that does not answer within 3 s counts as gone, so a suspended server and a
 * half-open connection are noticed after at most 4 s. After the first connection it reconnects for ever: after at most
 * 250 ms, then every 250 to 750 ms at random. Messages that are published while the engine is disconnected are dropped: the
 * driver would buffer them without a bound, and discard them when it reconnects.
 *
 * A frame beyond the server's `max_payload` (1 MiB unless configured) is sent in chunks. The state of a topic with ten
 * thousand users is larger than that.
 *
 * @throws ConfigError when the package `@nats-io/transport-node` is not installed
 * @throws RollcallError `engine_unreachable` when the first connection fails, or when the server refuses the subscription
 * to this node's own subject, which carries the messages that are sent to this node only
 */
export async function nats(at: string | NatsOptions = {}): Promise<PubSub> {
  const options: NatsOptions = typeof at === "string" ? { url: at } : at
  checkKnownNames("an option of nats", options, { ...PINGING_OPTIONS, url: true, client: true })
  const timing = pingTimingOf(options)
  const { connect } = await loadOptionalPeer<NatsDriver>(
    "This engine needs",
    "@nats-io/transport-node",
    // oxlint-disable-next-line typescript/no-unnecessary-type-assertion -- without it the compiler checks the driver's own types
    () => import("@nats-io/transport-node" as string),
  )
  let wasConnected = false
  let lostServer: string | undefined
  const isFirstReconnect = (): boolean => {
    const isFirst = wasConnected
    wasConnected = false
    return isFirst
  }
  const connecting = connect({
    // Half a second on average. With the driver's own jitter of 100 ms all nodes would reconnect nearly at once.
    reconnectTimeWait: 250,
    reconnectJitter: 500,
    reconnectJitterTLS: 500,
    timeout: Math.max(5_000, timing.pingTimeoutMs),
    ...delayFirstReconnect(isFirstReconnect, () => lostServer, FIRST_RECONNECT_MS, Math.random),
    ...(options.url === undefined ? {} : addressOf([options.url].flat())),
    ...options.client,
    noEcho: true,
    maxReconnectAttempts: -1,
    // By default the driver gives up after two authentication errors in a row. A server that starts reports such errors
    // until it has loaded its users.
    ignoreAuthErrorAbort: true,
  })
  const connection = await connecting.catch((cause: unknown) => {
    throw engineUnreachable("NATS", cause)
  })

  const onMessage = (error: Error | null, { data }: NatsMessage): void => {
    // The server refuses the subscription, which is reported where it is confirmed.
    if (error !== null) return
    const message = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    if (isProbe(message)) return probe.receive(message)
    const frame = isChunk(message) ? chunks.add(message) : message
    if (frame !== undefined) deliverEnvelope(pubsub, frame)
  }
  let flushing: Promise<void> | undefined
  /** Makes one round trip for all messages of a microtask, because the driver does not report when one message has left. */
  const flushed = (): Promise<void> => {
    flushing ??= Promise.resolve().then(() => {
      flushing = undefined
      return connection.flush().then(() => liveness?.received())
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
  /** Resolves once the server has confirmed a subscription. Rejects with the server's reason if it refuses. */
  const confirmed = async (subscription: NatsSubscription): Promise<void> => {
    await connection.flush().catch((error: unknown) => {
      // The driver may reject this before it reports `disconnect`. The rejection would then look like a refusal.
      pubsub.setStatus("disconnected", error)
      throw error
    })
    if (subscription.isClosed()) throw (await subscription.closed) ?? new Error("the server ended the subscription")
  }
  const subscribeTo = (subject: string): NatsSubscription => connection.subscribe(subject, { callback: onMessage })
  const subscriptions = new Map<string, NatsSubscription>()
  /** The topics whose refusal is an answer to `subscribe`. */
  const unconfirmed = new Set<string>()
  const engine: Engine = {
    async subscribe(topic) {
      const subscription = subscriptions.get(topic) ?? subscribeTo(names.topic(topic))
      subscriptions.set(topic, subscription)
      unconfirmed.add(topic)
      await confirmed(subscription).finally(() => {
        unconfirmed.delete(topic)
        if (subscription.isClosed()) subscriptions.delete(topic)
      })
    },
    async unsubscribe(topic) {
      subscriptions.get(topic)?.unsubscribe()
      subscriptions.delete(topic)
      refusedTopics.delete(topic)
      pubsub.restore(topic)
    },
    publish: (topic, bytes) => publish(names.topic(topic), topic, bytes),
    send: (node, topic, bytes) => publish(names.node(node), topic, bytes),
    async close() {
      liveness?.stop()
      await connection.close()
    },
    get unansweredMs() {
      return liveness?.unansweredMs ?? 0
    },
  }
  const pubsub = new EnginePubSub(options, engine, "disconnected")
  const names = subjectNames(pubsub.namespace)
  const chunks = new ChunkAssembler(pubsub.maxBufferedBytes, () => pubsub.drop("incomplete"))
  const probe = new NodeProbe(pubsub.node, pubsub.report)
  /** What is reported once in each outage. */
  const reports = new ReportsOnce(pubsub.report)
  const refusals = new ReportsOnce(pubsub.report)
  const ownSubject = names.node(pubsub.node)
  /** The topics that the server no longer allows, although this node was subscribed to them. */
  const refusedTopics = new Set<string>()
  let own: NatsSubscription
  let liveness: Liveness | undefined
  let pings = 0
  /** Whether the server has refused the last probe. */
  let isProbeRefused = false

  /** Sends a probe to this node's own name, and sets the status: a node that may not send is of no use to the others. */
  const ping = async (): Promise<void> => {
    isProbeRefused = false
    if (own.isClosed()) own = subscribeTo(ownSubject)
    connection.publish(ownSubject, probe.message)
    await connection.flush()
    liveness?.received()
    // The driver reports errors of the server through an iterator, some microtasks later.
    await new Promise((resolve) => systemTimers.soon(() => resolve(undefined)))
    if (isProbeRefused) return
    if (own.isClosed()) {
      const error = subscribeRefused(pubsub.node, await own.closed)
      reports.report(error)
      return pubsub.setStatus("disconnected", error)
    }
    pings += 1
    await restoreRefused(pings % PINGS_PER_RETRY === 0)
    wasConnected = true
    reports.clear()
    pubsub.setStatus("connected")
  }

  /** Reports the topics that the server has ended since they were confirmed, and requests them again from time to time. */
  const restoreRefused = async (isRetry: boolean): Promise<void> => {
    for (const [topic, subscription] of subscriptions) {
      if (!subscription.isClosed() || unconfirmed.has(topic)) continue
      if (!refusedTopics.has(topic)) {
        refusedTopics.add(topic)
        pubsub.revoke(topic, await subscription.closed)
      } else if (isRetry) {
        const again = subscribeTo(names.topic(topic))
        subscriptions.set(topic, again)
        await confirmed(again).then(
          () => {
            refusedTopics.delete(topic)
            pubsub.restore(topic)
          },
          () => undefined,
        )
      }
    }
  }

  const refused = (error: NatsError): void => {
    // A refused subscription is reported where it is confirmed.
    if (error.operation === "subscription") return
    const refusal = publishRefused(error)
    refusals.report(refusal)
    if (error.subject !== ownSubject) return pubsub.drop("refused")
    isProbeRefused = true
    pubsub.setStatus("disconnected", refusal)
  }

  const lost = (cause: unknown): void => {
    lostServer = connection.getServer?.()
    pubsub.setStatus("disconnected", cause)
    reports.report(cause)
    liveness?.stop()
    liveness = undefined
    void connection.reconnect().catch(() => undefined)
    // The driver first waits until the socket has sent what it buffers, which it never does if the server does not read.
    connection.protocol?.transport?.socket?.destroy()
  }
  const watch = (): void => {
    liveness?.stop()
    const onLost = (): void => lost(engineUnanswering("NATS", timing.pingTimeoutMs))
    liveness = new Liveness({ ...timing, timers: systemTimers, ping, onLost })
  }

  const followStatus = async (): Promise<void> => {
    for await (const { type, error } of connection.status()) {
      if (type === "disconnect") {
        pubsub.setStatus("disconnected", pubsub.problem ?? "the connection was lost")
        liveness?.stop()
      } else if (type === "reconnect") {
        // The driver has sent its subscriptions again. They are active once the server answers the flush that follows them.
        watch()
        // Not awaited, because the refusal of this ping arrives through this loop.
        ping().catch(() => undefined)
      } else if (type === "error" && error !== undefined) {
        if (error.operation === undefined) reports.report(error)
        else refused(error)
      }
    }
    await pubsub.close()
  }
  followStatus().catch((error: unknown) => pubsub.report(error))
  try {
    own = subscribeTo(ownSubject)
    await confirmed(own)
    watch()
    await ping()
  } catch (cause) {
    await pubsub.close()
    throw engineUnreachable("NATS", cause)
  }
  return pubsub
}

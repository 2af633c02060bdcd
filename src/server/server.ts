import { deferred } from "../pubsub/deferred.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import { systemTimers } from "../timers.ts"
import { createTracker } from "../tracker/tracker.ts"
import type { Tracker, TrackerOptions } from "../tracker/tracker.ts"
import { DISCONNECTED } from "../wire/close-codes.ts"
import { PRESENCE_DIFF } from "../wire/events.ts"
import { encodeBody } from "../wire/message.ts"
import { Bus } from "./cluster/bus.ts"
import type { BusHandlers } from "./cluster/bus.ts"
import { shutDown } from "./lifecycle/shutdown.ts"
import { Counters } from "./operations/counters.ts"
import { AdmissionControl } from "./admission/admission-control.ts"
import { FetchedFields } from "./presence/fetched.ts"
import { Fastlane } from "./channel/fastlane.ts"
import type { AnyAssigns, ChannelHandlers } from "./channel/handlers.ts"
import { limitsOf, windowOf } from "./limits.ts"
import type { Listening, ListenOptions } from "./lifecycle/listen.ts"
import type { SocketHandlers } from "./admission/mount.ts"
import { Startup } from "./lifecycle/startup.ts"
import type { OperationsHandler } from "./operations/handler.ts"
import { proxiesOf, secretOf } from "./server-options.ts"
import type { ServerOptions } from "./server-options.ts"
import { Presence } from "./presence/presence.ts"
import { nodeName, randomText, workerSecret } from "./role.ts"
import type { Role } from "./role.ts"
import { Routes } from "./channel/routes.ts"
import { nonThrowing } from "./logger.ts"
import type { Logger } from "./logger.ts"
import type { SocketRuntime } from "./connection/socket.ts"
import type { Stats } from "./operations/stats.ts"
import type { Endpoint } from "./transport.ts"
import { FairQueue } from "./connection/fair-queue.ts"

/** A server of the Phoenix Channels protocol, with presence. */
export interface Server<Assigns extends object = AnyAssigns> extends AsyncDisposable {
  readonly presence: Presence
  readonly role: Role
  /** What a transport talks to. */
  readonly endpoint: Endpoint
  /** Mounts a path for clients to connect to: with `/socket`, at `/socket/websocket` and `/socket/longpoll`. @throws ConfigError */
  socket(path: string, handlers?: SocketHandlers<Assigns>): void
  /** Serves the topics of a pattern: an exact one, or a prefix and `*`. The first pattern that matches serves (P11). */
  channel(pattern: string, handlers: ChannelHandlers<Assigns>): void
  /** Sends an event to every client of a topic. @throws RollcallError `bad_payload`, TypeError, as `channel.push` */
  broadcast(topic: string, event: string, payload?: unknown): void
  /** Ends all connections of an id with 1001, so that their clients come back, asking anew (P18). */
  disconnect(id: string): void
  /**
   * Listens on a port (0: any free one) of all interfaces, or as the options say. With `workers`, this program is forked
   * as often; the primary only forks and relays, and each worker, which comes here as well, serves as a node of its own.
   * SIGTERM and SIGINT close the server and end the process, unless the options say otherwise.
   * @throws RollcallError `address_in_use`, and `closed` when `close` was called before this is done
   */
  listen(port: number | ListenOptions): Promise<Listening>
  /**
   * Serves the mounted paths on an HTTP server of one's own; all others stay with the request listeners that it has now.
   * @throws RollcallError `closed` when `close` was called before this is done
   */
  attach(httpServer: import("node:http").Server): Promise<void>
  /** What this server is at this moment, and what it has counted. */
  stats(): Stats
  /**
   * What answers `/metrics`, `/health` and `/ready` on an HTTP server of one's own; Express takes it as it is, at any path.
   * `listen({ operations })` gives them a port of their own.
   * @throws ConfigError when `prom-client` is not installed
   */
  operations(): Promise<OperationsHandler>
  /**
   * Lets nobody in any more, tells the other nodes that this one's people are gone, and then the clients to go, with 1012
   * so that they come back to another, in batches (`drainBatch`). Resolves when the last is gone, and what `left` handlers
   * still do is done; what does not end by itself is not waited for longer than some seconds.
   */
  close(): Promise<void>
}

/** Makes a server. Nothing is opened before `listen` or `attach`. */
export function createServer<Assigns extends object = AnyAssigns>(options: ServerOptions = {}): Server<Assigns> {
  return new ChannelsServer<Assigns>(options)
}

class ChannelsServer<Assigns extends object> implements Server<Assigns> {
  readonly presence: Presence
  readonly endpoint: Endpoint

  readonly #runtime: SocketRuntime
  readonly #counts: Counters
  readonly #tracker: Tracker
  readonly #pubsub: PubSub | undefined
  readonly #bus: Bus | undefined
  readonly #secret: string
  readonly #opening: Startup
  readonly #door = new AdmissionControl(() => this.#runtime)
  readonly #trackedWork = new Set<Promise<void>>()
  #closing: Promise<void> | undefined
  #pids = 0

  constructor(options: ServerOptions) {
    const limits = limitsOf(options)
    const { timers = systemTimers, random = Math.random } = options
    const logger = nonThrowing(options.logger ?? console)
    const fastlane = new Fastlane()
    const counts = new Counters(options.meter, (error) => logger.error("a meter failed", { error }))
    const count = (name: string, by = 1): void => counts.count(name, by)
    const node = options.pubsub?.node ?? nodeName(options.node)
    const pubsub = options.pubsub ?? workersPubSub(node, logger)
    const bus = pubsub && new Bus(pubsub, timers, limits.subscribeTimeoutMs, this.#busHandlers())
    const { fetch } = options
    const extension =
      fetch &&
      new FetchedFields({
        fetch,
        timers,
        timeoutMs: limits.fetchTimeoutMs,
        failed(topic, error) {
          count("failed_fetches")
          logger.error("a fetch failed", { topic, error })
        },
      })
    this.#tracker = trackerOf(options, {
      pubsub,
      timers,
      random,
      count,
      onError: (error) => logger.error("the tracker reports", { error }),
    })
    this.presence = new Presence({
      tracker: this.#tracker,
      timers,
      windowMs: windowOf(options.presenceWindowMs),
      maxMetaBytes: limits.maxMetaBytes,
      maxMetasPerKey: limits.maxMetasPerKey,
      extension,
      observeSize: (size) => counts.observe("presence_diff_size", size),
      failed: (topic, error) => logger.error("a listener of presence diffs failed", { topic, error }),
      // Every node makes its own diffs of what the tracker says: they never cross the bus (T39).
      broadcast: (topic, diff, skip) => {
        fastlane.broadcast(topic, PRESENCE_DIFF, { payload: diff }, skip)
      },
    })
    this.#runtime = {
      limits,
      timers,
      logger,
      fastlane,
      count,
      presence: this.presence,
      routes: new Routes<ChannelHandlers>(),
      fairQueue: new FairQueue(timers),
      nextPid: () => String((this.#pids += 1)),
      broadcast: (topic, event, payload, skip) => {
        const body = encodeBody(payload)
        bus?.broadcast(topic, event, body)
        fastlane.broadcast(topic, event, { payload, body }, skip && ((subscriber) => subscriber === skip))
      },
      subscribe: (topic) => bus?.join(topic),
      unsubscribe: (topic) => bus?.leave(topic),
      gone: (socket) => {
        count("disconnects")
        this.#door.connections.delete(socket)
      },
      trackWork: (work) => {
        this.#trackedWork.add(work)
        void work.finally(() => this.#trackedWork.delete(work))
      },
    }
    this.#counts = counts
    this.#pubsub = pubsub
    this.#bus = bus
    this.#secret = secretOf(options) ?? workerSecret() ?? randomText(32)
    this.endpoint = this.#endpoint(node, proxiesOf(options.trustProxy))
    this.#opening = new Startup({ server: this, counts, logger, timers })
  }

  get role(): Role {
    return this.#opening.role
  }

  socket(path: string, handlers: SocketHandlers<Assigns> = {}): void {
    this.#door.mount(path, handlers as SocketHandlers<object>)
  }

  channel(pattern: string, handlers: ChannelHandlers<Assigns>): void {
    this.#runtime.routes.add(pattern, handlers as unknown as ChannelHandlers)
  }

  broadcast(topic: string, event: string, payload: unknown = {}): void {
    this.#runtime.broadcast(topic, event, payload)
  }

  disconnect(id: string): void {
    this.#bus?.disconnect(id)
    this.#disconnect(id)
  }

  #disconnect(id: string): void {
    for (const socket of this.#door.connections.named(id)) socket.closeInTurn(DISCONNECTED)
  }

  listen(port: number | ListenOptions): Promise<Listening> {
    return this.#opening.listen(typeof port === "number" ? { port } : port)
  }

  attach(httpServer: import("node:http").Server): Promise<void> {
    return this.#opening.attach(httpServer)
  }

  stats(): Stats {
    const { fastlane } = this.#runtime
    return {
      node: this.endpoint.node,
      status: this.#closing !== undefined ? "closing" : this.#opening.opened.length > 0 ? "listening" : "idle",
      bus: this.#pubsub?.status,
      connections: this.#door.connections.size,
      channels: fastlane.channels,
      topics: fastlane.topics,
      trackerRows: this.#tracker.size,
      nodes: this.#tracker.nodes(),
      counters: this.#counts.counters(),
      sizes: this.#counts.sizes(),
    }
  }

  async operations(): Promise<OperationsHandler> {
    const [{ operationsHandler }, { reportOn }] = await Promise.all([
      import("./operations/handler.ts"),
      import("./operations/report.ts"),
    ])
    return operationsHandler(await reportOn(this), this.#runtime.logger)
  }

  close(): Promise<void> {
    this.#opening.end()
    // Later than at once: what is told to go may ask for it again.
    this.#closing ??= Promise.resolve().then(() => this.#close())
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    try {
      await shutDown({
        door: this.#door,
        opened: this.#opening.opened,
        tracker: this.#tracker,
        presence: this.presence,
        trackedWork: this.#trackedWork,
        pubsub: this.#pubsub,
        runtime: this.#runtime,
      })
    } finally {
      await this.#opening.undo()
    }
  }

  #busHandlers(): BusHandlers {
    return {
      broadcast: (topic, event, body, payload) => this.#runtime.fastlane.broadcast(topic, event, { payload, body }),
      disconnect: (id) => this.#disconnect(id),
      lost: () => {
        this.#runtime.count("bus_breaks")
        this.#runtime.logger.error("the bus to the other nodes is away", { node: this.endpoint.node })
      },
      stopped: (reason) => this.#runtime.count(`bus_${reason}`),
      dropped: (error) => {
        this.#runtime.count("bus_drops")
        this.#runtime.logger.warn("a message between nodes was dropped", { error })
      },
    }
  }

  #endpoint(node: string, proxies: number): Endpoint {
    const { limits, timers, count } = this.#runtime
    return {
      limits,
      timers,
      count,
      node,
      pubsub: this.#pubsub,
      proxies,
      secret: this.#secret,
      paths: (transport) => this.#door.paths(transport),
      admit: (handshake) => this.#door.admit(handshake),
    }
  }
}

function trackerOf({ tracker = {} }: ServerOptions, standard: TrackerOptions): Tracker {
  return "track" in tracker ? tracker : createTracker({ ...standard, ...tracker })
}

/** A worker's way to the others, unless it was given an engine. */
function workersPubSub(node: string, logger: Logger): PubSub | undefined {
  if (workerSecret() === undefined) return undefined
  const arriving = import("../pubsub/ipc.ts").then(({ ipc }) => ipc({ node }))
  return deferred(node, arriving, (error) => logger.error("a worker does not reach its primary", { error }))
}

import { monotonicTimers } from "../monotonic-timers.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import type { Services } from "../services/services.ts"
import { systemTimers } from "../timers.ts"
import type { Tracker } from "../tracker/tracker.ts"
import { DISCONNECTED } from "../wire/close-codes.ts"
import { PRESENCE_DIFF } from "../wire/events.ts"
import { Payload } from "../wire/payload.ts"
import { SERIALIZERS } from "../wire/serializers.ts"
import { AdmissionControl } from "./admission/admission-control.ts"
import type { SocketHandlers } from "./admission/mount.ts"
import { Fastlane } from "./channel/fastlane.ts"
import type { AnyAssigns, ChannelHandlers } from "./channel/handlers.ts"
import { routeOf } from "./channel/defined-room.ts"
import { Routes } from "./channel/routes.ts"
import { logUnknown } from "./unknown-names.ts"
import { Bus } from "./cluster/bus.ts"
import type { BusHandlers } from "./cluster/bus.ts"
import { FairQueue } from "./connection/fair-queue.ts"
import type { ConnectionContext } from "./connection/connection-context.ts"
import { supabaseDialect } from "./dialects/supabase.ts"
import type { Listening, ListenOptions } from "./lifecycle/listen-options.ts"
import { shutDown } from "./lifecycle/shutdown.ts"
import { Startup } from "./lifecycle/startup.ts"
import { limitsOf } from "./limits.ts"
import { nonThrowing } from "./logger.ts"
import { Counters } from "./operations/counters.ts"
import type { OperationsHandler } from "./operations/http-handler.ts"
import type { Stats } from "./operations/stats.ts"
import { fetchedFieldsOf } from "./presence/fetched-fields.ts"
import { Presence } from "./presence/presence.ts"
import { windowOf } from "./presence-window.ts"
import { pubsubOfWorker } from "./cluster/worker-pubsub.ts"
import { OwnServices } from "./own-services.ts"
import { nodeName, randomHex, workerSecret } from "./role.ts"
import type { Role } from "./role.ts"
import type { Server } from "./server.ts"
import { checkedOptions, secretOf, trackerOf } from "./server-options.ts"
import type { ServerOptions } from "./server-options.ts"
import type { Endpoint } from "./transport.ts"
import type { AttachableServer } from "./transports/attachable.ts"
import { proxiesOf, trustedProxies } from "./trusted-proxies.ts"

/**
 * Creates a server. It opens nothing before `listen` or `attach`.
 * @throws ConfigError for an option that cannot work
 */
export function createServer<Assigns extends object = AnyAssigns>(options: ServerOptions = {}): Server<Assigns> {
  return new ChannelsServer<Assigns>(options)
}

/**
 * Creates the parts of a server and connects them. A broadcast goes to the bus and to the clients of this node. A diff of the
 * tracker goes to the clients of this node only.
 */
class ChannelsServer<Assigns extends object> implements Server<Assigns> {
  readonly presence: Presence
  readonly endpoint: Endpoint

  readonly #context: ConnectionContext
  readonly #counters: Counters
  readonly #tracker: Tracker
  readonly #pubsub: PubSub | undefined
  readonly #bus: Bus | undefined
  readonly #startup: Startup
  readonly #services: OwnServices
  readonly #admission = new AdmissionControl(() => this.#context)
  readonly #trackedWork = new Set<Promise<void>>()
  #closing: Promise<void> | undefined
  #channelsOpened = 0

  constructor(options: ServerOptions) {
    const limits = limitsOf(checkedOptions(options))
    const proxies = { proxies: proxiesOf(options.trustProxy), trustedProxies: trustedProxies(options.trustProxy) }
    const secret = secretOf(options) ?? workerSecret() ?? randomHex(32)
    const timers = monotonicTimers(options.timers ?? systemTimers)
    const { random = Math.random } = options
    const logger = nonThrowing(options.logger ?? console)
    const windowMs = windowOf(options.presenceWindowMs, (error) => logger.error("presenceWindowMs failed", { error }))
    const node = options.pubsub?.node ?? nodeName(options.node)

    this.#counters = new Counters(options.meter, (error) => logger.error("a meter failed", { error }))
    this.#pubsub = options.pubsub ?? pubsubOfWorker(node, logger)
    this.#bus = this.#pubsub && new Bus(this.#pubsub, timers, limits.subscribeTimeoutMs, this.#busHandlers())
    this.#tracker = trackerOf(options, {
      pubsub: this.#pubsub,
      timers,
      random,
      count: (name) => this.#counters.count(name),
      onError: (error) => logger.error("the tracker reported an error", { error }),
    })
    this.#services = new OwnServices({
      ...options.services,
      tracker: this.#tracker,
      pubsub: this.#pubsub,
      timers,
      random,
      count: (name) => this.#counters.count(name),
      onError: (error) => logger.error("a service reported an error", { error }),
    })
    const fastlane = new Fastlane()
    const unmatched = "a client joined a topic that no channel serves"
    const routes: Routes<ChannelHandlers> = new Routes(
      logUnknown("topic", unmatched, { timers, logger }, () => ({ served: routes.patterns })),
    )
    this.presence = new Presence({
      ...limits,
      tracker: this.#tracker,
      timers,
      windowMs,
      count: (name) => this.#counters.count(name),
      updateFailed: (topic, error) => logger.warn("a held presence update was refused", { topic, error }),
      fetchedFields: fetchedFieldsOf(options, {
        timers,
        timeoutMs: limits.fetchTimeoutMs,
        logger,
        counters: this.#counters,
      }),
      lastSeen: options.lastSeen,
      keysFailed: (error) => logger.error("a listener of presence keys failed", { error }),
      observeSize: (size) => this.#counters.observe("presence_diff_size", size),
      failed: (topic, error) => logger.error("a listener of presence diffs failed", { topic, error }),
      hasClients: (topic) => fastlane.has(topic),
      // Not sent over the bus: each node makes its own diffs from the reports of its own tracker (T39).
      broadcast: (topic, diff, skip) => {
        fastlane.broadcastOrFail(topic, PRESENCE_DIFF, Payload.plain(diff), skip)
      },
    })
    this.#context = {
      limits,
      timers,
      logger,
      fastlane,
      presence: this.presence,
      routes,
      leftOut: logUnknown("field", "a field of me is left out, because allow does not name it", { timers, logger }),
      fairQueue: new FairQueue(timers),
      serializers: [...(options.serializers ?? []), ...SERIALIZERS],
      count: (name, by) => this.#counters.count(name, by),
      dialects: { supabase: supabaseDialect(this.presence, (name) => this.#counters.count(name)) },
      countRefusal: (reason) => this.#counters.countRefusal(reason),
      nextPid: () => String((this.#channelsOpened += 1)),
      broadcast: (topic, event, payload, skip) => {
        const shared = Payload.of(payload).checked()
        this.#bus?.broadcast(topic, event, shared)
        fastlane.broadcast(topic, event, shared, skip && ((subscriber) => subscriber === skip))
      },
      subscribe: (topic) => this.#bus?.join(topic),
      unsubscribe: (topic) => this.#bus?.leave(topic),
      gone: (socket, ending) => {
        this.#counters.count("disconnects")
        this.#admission.forget(socket, ending)
      },
      trackWork: (work) => {
        this.#trackedWork.add(work)
        void work.finally(() => this.#trackedWork.delete(work))
      },
    }
    this.endpoint = {
      limits,
      compression: options.compression === true,
      timers,
      node,
      ...proxies,
      secret,
      pubsub: this.#pubsub,
      count: (name, by) => this.#counters.countCustom(name, by),
      paths: (transport) => this.#admission.paths(transport),
      unknownPath: (path) => this.#admission.unknownPath(path),
      admit: (handshake) => this.#admission.admit(handshake),
      permits: (path, source) => this.#admission.permits(path, source),
    }
    this.#startup = new Startup({ server: this, counters: this.#counters, logger, timers, random })
  }

  get role(): Role {
    return this.#startup.role
  }

  get services(): Services {
    return this.#services.get()
  }

  socket(path: string, handlers: SocketHandlers<Assigns> = {}): void {
    this.#admission.mount(path, handlers)
  }

  channel(room: Parameters<typeof routeOf>[0], handlers: object): void {
    this.#context.routes.add(...routeOf(room, handlers, this.#context))
  }

  broadcast(topic: string, event: string, payload: unknown = {}): void {
    this.#context.broadcast(topic, event, payload)
  }

  disconnect(id: string): void {
    this.#bus?.disconnect(id)
    this.#disconnectHere(id)
  }

  #disconnectHere(id: string): void {
    for (const socket of this.#admission.connections.withId(id)) socket.closeInTurn(DISCONNECTED)
    this.presence.kept.disconnect(id)
  }

  listen(port: number | string | ListenOptions, host?: string): Promise<Listening> {
    return this.#startup.listen(port, host)
  }

  attach(httpServer: AttachableServer): Promise<void> {
    return this.#startup.attach(httpServer)
  }

  stats(): Stats {
    const { fastlane } = this.#context
    const outage = this.#bus?.outage
    return {
      node: this.endpoint.node,
      status: this.#closing !== undefined ? "closing" : this.#startup.opened.size > 0 ? "listening" : "idle",
      bus: this.#pubsub?.status,
      busAwaySince: outage?.since,
      busAwayMs: outage?.lastedMs ?? 0,
      busProblem: outage?.problem,
      busRefusals: this.#bus?.refusals ?? [],
      connections: this.#admission.connections.size,
      channels: fastlane.channels,
      topics: fastlane.topics,
      trackerRows: this.#tracker.size,
      nodes: this.#tracker.nodes(),
      ...this.#counters.report(),
      services: this.#services.stats(),
    }
  }

  async operations(): Promise<OperationsHandler> {
    const [{ operationsHandler }, { reportOn }] = await Promise.all([
      import("./operations/http-handler.ts"),
      import("./operations/report.ts"),
    ])
    return operationsHandler(await reportOn(this.#startup), this.#context.logger)
  }

  close(): Promise<void> {
    this.#startup.close()
    // In a later microtask: a handler that the shutdown calls may call `close` again, and must get the same promise.
    this.#closing ??= Promise.resolve().then(() => this.#close())
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    try {
      await shutDown({
        admission: this.#admission,
        opened: this.#startup.opened,
        services: this.#services,
        tracker: this.#tracker,
        presence: this.presence,
        trackedWork: this.#trackedWork,
        pubsub: this.#pubsub,
        context: this.#context,
      })
    } finally {
      await this.#startup.undo()
    }
  }

  /** Returns the handlers of messages from the other nodes. */
  #busHandlers(): BusHandlers {
    return {
      broadcast: (topic, event, payload) => this.#context.fastlane.broadcast(topic, event, payload),
      disconnect: (id) => this.#disconnectHere(id),
      connectionLost: ({ since, problem }) => {
        this.#counters.count("bus_breaks")
        this.#context.logger.error("the connection to the bus is lost", { node: this.endpoint.node, since, problem })
      },
      connectionRestored: ({ since, lastedMs }) => {
        this.#context.logger.warn("the connection to the bus is back", { node: this.endpoint.node, since, lastedMs })
      },
      refusingJoins: ({ since, problem }) => {
        const message = "joins of new topics are refused until the bus is connected"
        this.#context.logger.error(message, { node: this.endpoint.node, since, problem })
      },
      engineFailed: (error) => this.#context.logger.error("the bus reported an error", { error }),
      droppedByEngine: (reason) => this.#counters.count(`bus_${reason}`),
      dropped: (error) => {
        this.#counters.count("bus_drops")
        this.#context.logger.warn("a message between nodes was dropped", { error })
      },
    }
  }
}

import { digestOf, dominates } from "../crdt/clock.ts"
import { Generations } from "../crdt/generations.ts"
import { RollcallError } from "../error.ts"
import { quote } from "../quote.ts"
import { BusAdapter, type BusAdapterOptions } from "./bus-adapter.ts"
import { DeltaWindow } from "./delta-window.ts"
import { HeartbeatScheduler, type HeartbeatSchedulerOptions } from "./heartbeat-scheduler.ts"
import { Incarnation } from "./incarnation.ts"
import { Isolation, type IsolationOptions } from "./isolation.ts"
import { Membership, type NodeStatus, type StatusChange } from "./membership.ts"
import { newRef, nodeOf } from "./replica-ref.ts"
import type { Shard, ShardChange } from "./shard.ts"
import type { TrackerTiming } from "./timing.ts"
import type { TrackedMeta } from "./topic-diff.ts"
import type { Heartbeat, Message, Sender, TransferRequest, TransferResponse } from "./tracker-messages.ts"
import { TransferRequests } from "./transfer-requests.ts"
import { TransferSender } from "./transfer-sender.ts"

/** The options of a shard's replication. */
export interface ReplicationOptions
  extends TrackerTiming, BusAdapterOptions, HeartbeatSchedulerOptions, IsolationOptions {
  readonly shard: Shard
}

/**
 * Keeps one shard in sync with the same shard on the other nodes. It connects the set, which knows neither time nor
 * network, with the timers and the bus.
 *
 * It implements T26 to T34 and D5 to D12. Own changes are broadcast as one delta per window, with the own clock. A heartbeat
 * without a delta also carries a digest of all clocks. A node that lacks something sends a transfer request to one other node.
 */
export class Replication {
  readonly #options: ReplicationOptions
  readonly #shard: Shard
  readonly #membership: Membership
  readonly #bus: BusAdapter
  readonly #scheduler: HeartbeatScheduler
  readonly #incarnation: Incarnation
  readonly #isolation: Isolation
  readonly #window: DeltaWindow
  readonly #transferRequests: TransferRequests
  readonly #transferSender: TransferSender
  #generations: Generations<TrackedMeta>
  /**
   * The own clock up to which own changes were sent. Those of an open delta window are not announced: other nodes would
   * request what they are about to get.
   */
  #sentClock = 0
  /** The number of periods since the last heartbeat. */
  #silentPeriods = 0
  /** Whether the next heartbeat requests one of each other node: after the start, and after an absence. */
  #needsHeartbeats = true
  #isCrowdedReported = false

  constructor(options: ReplicationOptions) {
    const { shard, pubsub, timers, downPeriodMs, count, onError } = options
    this.#options = options
    this.#shard = shard
    this.#membership = new Membership(options)
    this.#generations = new Generations(options.maxDeltaSizes)
    this.#incarnation = new Incarnation({
      node: pubsub.node,
      own: shard,
      downPeriodMs,
      count,
      onError,
      restart: () => this.#restart(),
    })
    this.#scheduler = new HeartbeatScheduler(options, {
      unansweredMs: () => pubsub.unansweredMs,
      nextDeadline: () => this.#membership.nextDeadline(),
      checkTimeouts: (now) => shard.notify(...this.#apply(this.#membership.checkTimeouts(now))),
      periodStarted: () => this.#heartbeat(this.#silentPeriods >= options.maxSilentPeriods),
      absenceEnded: (ms, now) => {
        this.#membership.extendDeadlines(ms, now)
        this.#silentPeriods = Infinity
        this.#needsHeartbeats = true
      },
    })
    this.#isolation = new Isolation(options, () => {
      const nodes = this.#membership.replicas().map(({ ref }) => nodeOf(ref))
      shard.notify(...nodes.flatMap((node) => this.#apply(this.#membership.nodeDown(node))))
    })
    this.#transferRequests = new TransferRequests({
      timers,
      random: options.random,
      periodMs: options.broadcastPeriodMs,
      clocks: () => this.#shard.clocks(this.#sentClock),
      clockOf: (ref) => shard.clockOf(ref),
      isUp: (node) => this.#membership.currentRef(node) !== undefined,
      sendRequest: (node, clocks) =>
        this.#bus.send(node, { type: "transferRequest", ...this.#sender, clocks, acceptsPacked: true }),
      requestClocks: (node) => this.#bus.send(node, this.#heartbeatWith(undefined, "clocks")),
    })
    this.#transferSender = new TransferSender({
      timers,
      maxMessageBytes: options.maxMessageBytes,
      sendChunk: (node, chunk, maxBytes) =>
        this.#bus.send(node, { type: "transferResponse", ...this.#sender, ...chunk }, maxBytes),
    })
    this.#bus = new BusAdapter(options, {
      // After an absence, and after the start, clocks are exchanged at once instead of in the next period (D12).
      connected: () => {
        this.#needsHeartbeats = true
        this.#isolation.ended()
        this.#scheduler.start()
        this.#heartbeat()
      },
      disconnected: (unansweredMs) => {
        this.#scheduler.suspend(unansweredMs)
        this.#isolation.began(unansweredMs)
      },
      nodeDown: (node) => shard.notify(...this.#apply(this.#membership.nodeDown(node))),
      received: (message, node) => this.#receive(message, node),
    })
    this.#window = new DeltaWindow(options, () => this.#bus.isConnected && this.#heartbeat(false))
    shard.onLocalChange = () => this.#bus.isConnected && this.#window.open(this.#membership.size + 1)
    this.#bus.open()
  }

  /** Sends a goodbye, and stops sending. The other nodes drop this node's rows at once, not after a down period (T33). */
  goodbye(): void {
    this.#bus.publish({ type: "goodbye", ...this.#sender })
    this.#bus.stopSending()
  }

  close(): void {
    this.#shard.onLocalChange = undefined
    this.#bus.close()
    this.#scheduler.stop()
    this.#isolation.ended()
    this.#transferRequests.stop()
    this.#transferSender.stop()
    this.#window.stop()
  }

  /** Returns the other nodes that are up or down. */
  nodes(): NodeStatus[] {
    return this.#membership.nodes(this.#now())
  }

  get #sender(): Sender {
    return { ref: this.#shard.ref, shards: this.#options.shards }
  }

  /**
   * Broadcasts the changes since the last heartbeat (T27). If there are no changes, it sends only if `evenIfEmpty`.
   */
  #heartbeat(evenIfEmpty = true): void {
    const delta = this.#shard.takeDelta()
    this.#sentClock = this.#shard.clock
    if (delta !== undefined) this.#generations.push(delta)
    else if (!evenIfEmpty) return void (this.#silentPeriods += 1)
    this.#silentPeriods = 0
    const requests = this.#needsHeartbeats ? "heartbeat" : "nothing"
    // If the delta is too large, only the clock is sent. It shows the other nodes that they lack the delta, and they request
    // it and get it in chunks.
    if (!this.#bus.publish(this.#heartbeatWith(delta, requests))) {
      this.#bus.publish(this.#heartbeatWith(undefined, requests))
    }
    this.#needsHeartbeats = false
  }

  /**
   * Returns a heartbeat. All clocks are sent only when they are requested, since they are as many as there are nodes. Beside a
   * delta there is no digest: the sender has changed something that no other node has seen yet, so it would differ.
   */
  #heartbeatWith(delta: Heartbeat["delta"], requests: Heartbeat["requests"], hasAllClocks = false): Heartbeat {
    const all =
      hasAllClocks || delta === undefined || requests !== "nothing" ? this.#shard.clocks(this.#sentClock) : undefined
    return {
      type: "heartbeat",
      ...this.#sender,
      clocks: hasAllClocks && all ? all : new Map([[this.#shard.ref, this.#sentClock]]),
      digest: all && digestOf(all),
      delta,
      previousRef: this.#incarnation.previousRef,
      requests,
    }
  }

  #receive(message: Message, node: string): void {
    const { ref } = message
    this.#scheduler.detectPause()
    this.#membership.recordMessage(ref, this.#now())
    switch (message.type) {
      case "heartbeat":
        return this.#onHeartbeat(message, node)
      case "goodbye":
        return this.#shard.notify(...this.#apply(this.#membership.goodbye(ref, this.#now())))
      case "staleRefNotice":
        return this.#incarnation.receivedStaleRefNotice(message, this.#now())
      case "transferRequest":
        if (this.#isKnown(ref)) return this.#respond(message, node)
        // Counter-example: its answer to the first heartbeat of this node was lost in a split.
        if (this.#membership.awaits(ref)) this.#bus.send(node, this.#heartbeatWith(undefined, "heartbeat"))
        return undefined
      case "transferResponse":
        return this.#isKnown(ref) ? this.#onTransferResponse(message, node) : undefined
    }
  }

  #respond({ ref, clocks, acceptsPacked }: TransferRequest, node: string): void {
    // Otherwise the requester's clocks would make the other nodes request own changes that they are about to get.
    this.#window.closeEarly()
    // A delta for a node that has seen nothing may lack all of some replicas, and still be large.
    const isNew = [...clocks].every(([other, clock]) => clock === 0 || other === ref)
    const payload = (isNew ? undefined : this.#generations.extract(clocks)) ?? this.#shard.extract(ref, clocks)
    this.#transferSender.send(node, payload, acceptsPacked)
  }

  #onHeartbeat({ ref, clocks, digest, delta, previousRef, requests }: Heartbeat, node: string): void {
    const { effect, changes } = this.#membership.heartbeat(ref, this.#now(), previousRef, clocks.get(ref))
    if (effect === "crowded") return this.#onCrowded(node)
    if (effect === "stale") return this.#onStaleRef(ref, node)
    // The listeners get the status changes and the delta of one message as one diff.
    const diffs = this.#apply(changes)
    if (delta !== undefined) {
      diffs.push(this.#shard.merge(delta))
      this.#generations.push(delta)
    }
    diffs.push(...this.#dropReplacedRows())
    if (effect === "appeared" || requests !== "nothing") {
      // A node of an earlier release, which sends no digest, needs all clocks to choose the node that it asks.
      const hasAllClocks = requests === "clocks" || (requests === "heartbeat" && digest === undefined)
      this.#bus.send(node, this.#heartbeatWith(undefined, "nothing", hasAllClocks))
    }
    this.#transferRequests.receivedClocks(node, clocks, digest, requests === "heartbeat")
    this.#incarnation.receivedClocks(clocks, this.#now())
    this.#shard.notify(...diffs)
  }

  #onCrowded(node: string): void {
    this.#options.count("tracker_refused_crowded")
    const most = this.#membership.size
    const message = `expected at most ${most} other nodes that are up, got ${quote(node)} as one more; its presences are ignored`
    if (!this.#isCrowdedReported) this.#options.onError(new RollcallError("crowded", message))
    this.#isCrowdedReported = true
  }

  #onTransferResponse({ payload, hasMore, index }: TransferResponse, node: string): void {
    const before = this.#shard.clocks()
    const diffs = [this.#shard.merge(payload), ...this.#dropReplacedRows()]
    if (payload.mode === "delta") this.#generations.push(payload)
    else this.#generations.clear()
    const hasNews = !dominates(before, this.#shard.clocks())
    this.#transferRequests.receivedResponse(node, index, hasMore, hasNews)
    this.#shard.notify(...diffs)
  }

  /** Drops the rows that waited for the state of their node's new ref, if it has arrived. */
  #dropReplacedRows(): ShardChange[] {
    return this.#apply(this.#membership.stateArrived((ref) => this.#shard.clockOf(ref)))
  }

  /**
   * Sends a stale-ref notice to the sender of a stale ref. If that node is alive, it restarts under a new ref.
   */
  #onStaleRef(staleRef: string, node: string): void {
    // The counter's older name is public.
    this.#options.count("tracker_refused_departed")
    if (this.#membership.detectNameConflict(staleRef, this.#now())) this.#incarnation.reportNameConflict(node)
    const currentRef = this.#membership.currentRef(node)
    this.#bus.send(node, { type: "staleRefNotice", ...this.#sender, staleRef, currentRef })
  }

  /** Continues under a new ref. The visible rows stay as they are. */
  #restart(): void {
    this.#shard.restart(newRef(this.#options.pubsub.node, this.#options.random), this.#membership.replicasInSet())
    this.#generations = new Generations(this.#options.maxDeltaSizes)
    this.#heartbeat()
  }

  /** Returns whether a ref is known here, up or down. If not, its message is counted as refused. */
  #isKnown(ref: string): boolean {
    if (this.#membership.has(ref)) return true
    this.#options.count(`tracker_refused_${this.#membership.isStale(ref) ? "departed" : "unknown"}`)
    return false
  }

  /**
   * Applies status changes of other replicas to the set, and returns the resulting changes. The caller notifies the
   * listeners.
   */
  #apply(changes: readonly StatusChange[]): ShardChange[] {
    return changes.map((change) => {
      if (change.to === "permdown") {
        this.#generations.remove(change.ref)
        // A node that continues under a new ref is still asked for what is missing.
        const node = nodeOf(change.ref)
        if (this.#membership.currentRef(node) === undefined) this.#transferRequests.forget(node)
      }
      return this.#shard.setStatus(change)
    })
  }

  #now(): number {
    return this.#options.timers.now()
  }
}

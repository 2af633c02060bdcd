import { setUnref } from "../timers.ts"
import { dominates } from "../crdt/clock.ts"
import { Generations } from "../crdt/generations.ts"
import type { Diff } from "../crdt/set-diff.ts"
import { RollcallError } from "../error.ts"
import { TransferSender } from "./transfer-sender.ts"
import { TransferRequests } from "./transfer-requests.ts"
import { BusAdapter, type BusAdapterOptions } from "./bus-adapter.ts"
import { Membership, type Change, type NodeStatus } from "./membership.ts"
import type { StaleRefNotice, Heartbeat, Message, TransferAnswer } from "./tracker-messages.ts"
import type { TrackerTiming } from "./timing.ts"
import { HeartbeatScheduler, type HeartbeatSchedulerOptions } from "./heartbeat-scheduler.ts"
import { newRef, nodeOf } from "./replica-ref.ts"
import type { Shard } from "./shard.ts"

/** What a shard's replication is given. */
export interface ReplicationOptions extends TrackerTiming, BusAdapterOptions, HeartbeatSchedulerOptions {
  readonly shard: Shard
}

/**
 * Keeps one shard in step with its likes on the other nodes: the only place where the set meets time and the network.
 *
 * T26 to T34, with D5 to D12. Own changes leave as one delta per window; clocks travel with each heartbeat, and whoever
 * sees that it lacks something asks one of those who know the most.
 */
export class Replication {
  readonly #options: ReplicationOptions
  readonly #shard: Shard
  readonly #node: string
  readonly #membership: Membership
  readonly #link: BusAdapter
  readonly #pulse: HeartbeatScheduler
  readonly #catchUp: TransferRequests
  readonly #answers: TransferSender
  #generations: Generations
  #silentPeriods = 0
  /** Whether we have been away, and have not asked yet what the others have seen since. */
  #away = true
  #window: unknown
  /** The ref before the last restart. */
  #former: string | undefined
  /** When we were last buried, and since when again and again. */
  #buriedAt = -Infinity
  #buriedSince = -Infinity
  #disputed = false
  /** When we last restarted since others had seen more of us than there was. */
  #overtakenAt = -Infinity
  #crowded = false

  constructor(options: ReplicationOptions) {
    const { shard, pubsub, timers } = options
    this.#options = options
    this.#shard = shard
    this.#node = pubsub.node
    this.#membership = new Membership(options)
    this.#generations = new Generations(options.maxDeltaSizes)
    this.#pulse = new HeartbeatScheduler(options, {
      deadline: () => this.#membership.deadline(),
      judge: (now) => this.#tell(this.#take(this.#membership.judge(now))),
      period: () => this.#heartbeat(this.#silentPeriods >= options.maxSilentPeriods),
      absent: (ms, now) => {
        this.#membership.forgive(ms, now)
        this.#silentPeriods = Infinity
        this.#away = true
      },
    })
    this.#catchUp = new TransferRequests({
      node: this.#node,
      timers,
      clocks: () => shard.set.clocks(),
      stands: (node) => this.#membership.standing(node) !== undefined,
      ask: (node, clocks) => this.#link.send(node, { type: "request", ...this.#sender, clocks }),
    })
    this.#answers = new TransferSender({
      timers,
      maxMessageBytes: options.maxMessageBytes,
      send: (node, payload, more, maxBytes) =>
        this.#link.send(node, { type: "answer", ...this.#sender, payload, more }, maxBytes),
    })
    this.#link = new BusAdapter(options, {
      // Whatever ends an absence, the one before the start included, sends out clocks at once, and asks for others' (D12).
      up: () => {
        this.#away = true
        this.#pulse.start()
        this.#heartbeat()
      },
      down: () => this.#pulse.suspend(),
      nodeDown: (node) => this.#tell(this.#take(this.#membership.nodeDown(node))),
      message: (message, node) => this.#onMessage(message, node),
    })
    shard.onLocalChange = () => this.#openWindow()
    this.#link.open()
  }

  /** Has the others drop this node's rows at once, instead of after a down period (T33), and says nothing afterwards. */
  goodbye(): void {
    this.#link.publish({ type: "goodbye", ...this.#sender })
    this.#link.mute()
  }

  /** Stops. */
  close(): void {
    this.#shard.onLocalChange = undefined
    this.#link.close()
    this.#pulse.stop()
    this.#catchUp.stop()
    this.#answers.stop()
    this.#options.timers.clear(this.#window)
  }

  /** The other nodes that are known of here. */
  nodes(): NodeStatus[] {
    return this.#membership.nodes(this.#now())
  }

  get #sender(): { readonly ref: string; readonly shards: number } {
    return { ref: this.#shard.set.ref, shards: this.#options.shards }
  }

  /** Own changes are gathered from the first one on: a storm of joins is one delta. */
  #openWindow(): void {
    if (this.#window !== undefined || !this.#link.connected) return
    const close = (): void => {
      this.#window = undefined
      if (this.#link.connected) this.#heartbeat(false)
    }
    this.#window = setUnref(this.#options.timers, close, this.#options.deltaWindowMs)
  }

  /** Sends what happened since the last one, and our clocks (T27); with nothing to tell only if it is time to. */
  #heartbeat(evenIfEmpty = true): void {
    const delta = this.#shard.set.takeDelta()
    if (delta !== undefined) this.#generations.push(delta)
    else if (!evenIfEmpty) return void (this.#silentPeriods += 1)
    this.#silentPeriods = 0
    // A delta that is too large is asked for, and answered in pieces.
    if (!this.#link.publish(this.#heartbeatOf(delta, this.#away))) {
      this.#link.publish(this.#heartbeatOf(undefined, this.#away))
    }
    this.#away = false
  }

  #heartbeatOf(delta: Heartbeat["delta"], asks: boolean): Heartbeat {
    const clocks = this.#shard.set.clocks()
    return { type: "heartbeat", ...this.#sender, clocks, delta, former: this.#former, asks }
  }

  #onMessage(message: Message, node: string): void {
    const { ref } = message
    this.#pulse.notice()
    // Whatever it says, it lives.
    this.#membership.touch(ref, this.#now())
    switch (message.type) {
      case "heartbeat":
        return this.#onHeartbeat(message, node)
      case "goodbye":
        return this.#tell(this.#take(this.#membership.goodbye(ref, this.#now())))
      case "burial":
        return this.#onBurial(message)
      case "request": {
        if (!this.#knows(ref)) return
        const payload = this.#generations.extract(message.clocks) ?? this.#shard.set.extract(ref, message.clocks)
        return this.#answers.answer(node, payload)
      }
      case "answer":
        return this.#knows(ref) ? this.#onAnswer(message, node) : undefined
    }
  }

  #onHeartbeat({ ref, clocks, delta, former, asks }: Heartbeat, node: string): void {
    const { verdict, changes } = this.#membership.heartbeat(ref, this.#now(), former)
    if (verdict === "crowded") return this.#onCrowded(node)
    if (verdict === "departed") return this.#onDeparted(ref, node)
    const diffs = this.#take(changes)
    if (delta !== undefined) {
      diffs.push(this.#shard.set.merge(delta))
      this.#generations.push(delta)
    }
    if (verdict === "appeared" || asks) this.#link.send(node, this.#heartbeatOf(undefined, false))
    this.#catchUp.heard(node, clocks)
    const { set } = this.#shard
    if ((clocks.get(set.ref) ?? 0) > set.clock) this.#onOvertaken()
    this.#tell(diffs)
  }

  /**
   * Restarts under a new ref, since another node has seen more of the present one than there was. None that works as it
   * should can; it was told nonsense, and would take whatever we do next for long over.
   */
  #onOvertaken(): void {
    this.#options.count("tracker_overtaken")
    const now = this.#now()
    // Nonsense that comes again and again is no reason to restart again and again.
    if (now - this.#overtakenAt <= this.#options.downPeriodMs) return
    this.#overtakenAt = now
    this.#restart()
  }

  #onCrowded(node: string): void {
    this.#options.count("tracker_refused_crowded")
    if (this.#crowded) return
    this.#crowded = true
    const message = `expected at most ${this.#membership.refs().length} other nodes that are up, got ${JSON.stringify(node)} as one more`
    this.#options.onError(new RollcallError("crowded", message))
  }

  #onAnswer({ payload, more }: TransferAnswer, node: string): void {
    const { set } = this.#shard
    const before = set.clocks()
    const diff = set.merge(payload)
    if (payload.mode === "delta") this.#generations.push(payload)
    else this.#generations.clear()
    if (more) this.#catchUp.continued()
    // An answer that brought us nowhere is no reason to ask again.
    else if (!dominates(before, set.clocks())) this.#catchUp.answered(node)
    this.#tell([diff])
  }

  /** Tells a node that its ref is over here; it restarts if it is alive, and nobody hears it if it is not. */
  #onDeparted(ref: string, node: string): void {
    this.#options.count("tracker_refused_departed")
    if (this.#membership.disputes(ref, this.#now())) this.#reportConflict(node)
    const by = this.#membership.standing(node)
    this.#link.send(node, { type: "burial", ...this.#sender, buried: ref, by })
  }

  /**
   * Restarts under a new ref, since the present one will not be heard any more (D9).
   *
   * Where another stands in its place, that is mostly our own past, come late: of a node that was restarted twice in a
   * moment, twice. Again and again for a down period it is another living node of this name: each would bury the other for
   * ever, so the one that notices keeps still for as long as it is told (D6).
   */
  #onBurial({ buried, by }: StaleRefNotice): void {
    if (buried !== this.#shard.set.ref) return
    if (by !== undefined) {
      const now = this.#now()
      const { downPeriodMs } = this.#options
      if (now - this.#buriedAt > downPeriodMs) this.#buriedSince = now
      this.#buriedAt = now
      if (now - this.#buriedSince > downPeriodMs) return this.#disputed ? undefined : this.#reportConflict(this.#node)
    }
    this.#disputed = false
    this.#restart()
  }

  #restart(): void {
    this.#former = this.#shard.set.ref
    const refs = this.#membership.refs()
    const outOfSight = refs.filter((ref) => this.#membership.standing(nodeOf(ref)) !== ref)
    this.#shard.restart(newRef(this.#node, this.#options.random), refs, outOfSight)
    this.#generations = new Generations(this.#options.maxDeltaSizes)
    this.#heartbeat()
  }

  #reportConflict(node: string): void {
    if (node === this.#node) this.#disputed = true
    this.#options.count("tracker_name_conflicts")
    const message = `expected each living node to have a name of its own, got two named ${JSON.stringify(node)}`
    this.#options.onError(new RollcallError("name_conflict", message))
  }

  #knows(ref: string): boolean {
    if (this.#membership.has(ref)) return true
    this.#options.count(`tracker_refused_${this.#membership.isDeparted(ref) ? "departed" : "unknown"}`)
    return false
  }

  /** Takes steps of the replicas' lives in the set; they are told later, with what else the message brings. */
  #take(changes: readonly Change[]): Diff[] {
    const { set } = this.#shard
    return changes.map(({ ref, to }) => {
      if (to === "up") return set.replicaUp(ref)
      if (to === "down") return set.replicaDown(ref)
      this.#generations.remove(ref)
      this.#catchUp.forget(nodeOf(ref))
      return set.removeReplica(ref)
    })
  }

  #tell(diffs: readonly Diff[]): void {
    this.#shard.tell(...diffs)
  }

  #now(): number {
    return this.#options.timers.now()
  }
}

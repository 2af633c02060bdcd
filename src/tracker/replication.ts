import { dominates, nodesToAsk, restrict, type NodeClock, type VersionVector } from "../crdt/clock.ts"
import { Generations } from "../crdt/deltas.ts"
import type { Diff } from "../crdt/diff.ts"
import { RollcallError } from "../error.ts"
import type { PubSub, PubSubStatus } from "../pubsub/pubsub.ts"
import type { Timers } from "../timers.ts"
import { Membership, type Change } from "./membership.ts"
import {
  decodeMessage,
  encodeMessage,
  type Burial,
  type Heartbeat,
  type Message,
  type TransferAnswer,
} from "./messages.ts"
import type { TrackerTiming } from "./options.ts"
import { newRef, nodeOf } from "./ref.ts"
import type { Shard } from "./shard.ts"

/** How long clocks are gathered before one of those who know more is asked, in ms. */
const GATHER_MS = 25

/** What a shard's replication is given. */
export interface ReplicationOptions extends TrackerTiming {
  readonly shard: Shard
  readonly topic: string
  /** How many shards the tracker has; whoever says another number is refused. */
  readonly shards: number
  readonly pubsub: PubSub
  readonly timers: Timers
  readonly random: () => number
  readonly count: (name: string) => void
  readonly onError: (error: unknown) => void
}

/**
 * Keeps one shard in step with its likes on the other nodes: the only place where the set meets time and the network.
 *
 * Rules 26 to 34, with D5 to D12. Own changes leave as one delta per window; clocks travel with each heartbeat, and whoever
 * sees that it lacks something asks one of those who know the most.
 */
export class Replication {
  readonly #options: ReplicationOptions
  readonly #shard: Shard
  readonly #node: string
  readonly #membership: Membership
  #generations: Generations
  /** The clocks heard last, by node. */
  readonly #heard = new Map<string, NodeClock>()
  /** Whom we have asked and who has said nothing since: perhaps it cannot. */
  readonly #asked = new Set<string>()
  readonly #refusedPools = new Set<string>()
  readonly #undos: (() => void)[] = []

  #subscribed = false
  #closed = false
  #disconnectedAt: number | undefined
  #silentPeriods = 0
  /** When the next period begins. */
  #periodAt = 0
  /** When the timer was to fire. */
  #wakeAt = Infinity
  /** Until then nobody is judged: it was us who could not hear (D11). */
  #judgeFrom = -Infinity
  /** The ref before the last restart. */
  #former: string | undefined
  #buriedAt = -Infinity
  #disputed = false
  #wakeTimer: unknown
  #windowTimer: unknown
  #gatherTimer: unknown

  constructor(options: ReplicationOptions) {
    this.#options = options
    this.#shard = options.shard
    this.#node = options.pubsub.node
    this.#membership = new Membership(options)
    this.#generations = new Generations(options.maxDeltaSizes)
    this.#shard.onLocalChange = () => this.#openWindow()
    this.#start()
  }

  /** Stops; with a goodbye, the others drop this node's rows at once instead of after a down period (rule 33). */
  close(goodbye: boolean): void {
    if (this.#closed) return
    if (goodbye && this.#connected) this.#publish({ type: "goodbye", ...this.#sender })
    this.#closed = true
    this.#shard.onLocalChange = undefined
    for (const undo of this.#undos) undo()
    for (const timer of [this.#wakeTimer, this.#windowTimer, this.#gatherTimer]) this.#options.timers.clear(timer)
  }

  get #connected(): boolean {
    return this.#subscribed && !this.#closed && this.#options.pubsub.status === "connected"
  }

  get #sender(): { readonly ref: string; readonly shards: number } {
    return { ref: this.#shard.set.ref, shards: this.#options.shards }
  }

  #start(): void {
    const { pubsub, topic, onError } = this.#options
    this.#undos.push(pubsub.onStatus((status) => this.#onStatus(status)))
    const undo = pubsub.onNodeDown?.((node) => this.#tell(this.#take(this.#membership.nodeDown(node))))
    if (undo !== undefined) this.#undos.push(undo)
    if (pubsub.status !== "connected") this.#disconnectedAt = this.#now()
    pubsub
      .subscribe(topic, (bytes, from) => this.#receive(bytes, from))
      .then(
        (unsubscribe) => {
          if (this.#closed) return unsubscribe()
          this.#undos.push(unsubscribe)
          this.#subscribed = true
          this.#present()
        },
        (error: unknown) => this.#closed || onError(error),
      )
  }

  #onStatus(status: PubSubStatus): void {
    if (status === "connected") this.#present()
    else this.#disconnectedAt ??= this.#presentUntil()
  }

  /** What every absence ends with, the one before the start included (D12): clocks go out at once, and periods begin anew. */
  #present(): void {
    if (!this.#connected) return
    const now = this.#now()
    // Nobody could be heard while the engine was away, and a silence that nobody listened to tells nothing.
    if (this.#disconnectedAt !== undefined) this.#forgive(now - this.#disconnectedAt, now)
    this.#disconnectedAt = undefined
    this.#heartbeat()
    // Nodes that came back together, as after an engine's restart, would speak together ever after.
    this.#periodAt = now + this.#options.broadcastPeriodMs * (1 - this.#options.random() / 4)
    this.#arm()
  }

  /** Sees that this process has been stopped or blocked, by the first thing that happens in it again (D11). */
  #noticeAbsence(): void {
    const now = this.#now()
    const until = this.#presentUntil()
    if (until === now) return
    this.#forgive(now - until, now)
    this.#wakeAt = now
    this.#periodAt = now
    this.#silentPeriods = Infinity
  }

  /** Until when this process was sure to run: now, unless it has been stopped or blocked for longer than a period (D11). */
  #presentUntil(): number {
    const now = this.#now()
    const { broadcastPeriodMs } = this.#options
    // The last sign of our own life may be a period older than the moment that was missed.
    return now - this.#wakeAt > broadcastPeriodMs ? this.#wakeAt - broadcastPeriodMs : now
  }

  #forgive(absence: number, now: number): void {
    this.#membership.forgive(absence, now)
    this.#judgeFrom = now + this.#options.broadcastPeriodMs
  }

  #arm(): void {
    const now = this.#now()
    this.#options.timers.clear(this.#wakeTimer)
    const deadline = Math.max(this.#membership.deadline(), this.#judgeFrom)
    this.#wakeAt = Math.max(now, Math.min(this.#periodAt, deadline))
    this.#wakeTimer = this.#set(() => this.#wake(), this.#wakeAt - now)
  }

  #wake(): void {
    if (!this.#connected) return
    const now = this.#now()
    this.#noticeAbsence()
    if (now >= this.#judgeFrom) this.#tell(this.#take(this.#membership.judge(now)))
    if (now >= this.#periodAt) {
      this.#periodAt = now + this.#options.broadcastPeriodMs
      this.#heartbeat(this.#silentPeriods >= this.#options.maxSilentPeriods)
    }
    this.#arm()
  }

  /** Own changes are gathered from the first one on: a storm of joins is one delta. */
  #openWindow(): void {
    if (this.#windowTimer !== undefined || !this.#connected) return
    this.#windowTimer = this.#set(() => {
      this.#windowTimer = undefined
      if (this.#connected) this.#heartbeat()
    }, this.#options.deltaWindowMs)
  }

  #heartbeat(evenIfEmpty = true): void {
    const { set } = this.#shard
    const delta = set.takeDelta()
    if (delta !== undefined) this.#generations.push(delta)
    else if (!evenIfEmpty) return void (this.#silentPeriods += 1)
    this.#silentPeriods = 0
    this.#publish(this.#heartbeatOf(delta))
  }

  #heartbeatOf(delta: Heartbeat["delta"]): Heartbeat {
    const clocks = this.#shard.set.clocks()
    return { type: "heartbeat", ...this.#sender, clocks, delta, former: this.#former }
  }

  #receive(bytes: Uint8Array, from: string): void {
    if (this.#closed) return
    this.#noticeAbsence()
    const message = decodeMessage(bytes, this.#options.maxMessageBytes)
    if (typeof message === "string") return this.#options.count(`tracker_refused_${message}`)
    const node = nodeOf(message.ref)
    if (node === this.#node) return this.#options.count("tracker_refused_echo")
    if (node !== from) return this.#options.count("tracker_refused_sender")
    if (message.shards !== this.#options.shards) return this.#refusePool(node, message.shards)
    this.#handle(message, node)
  }

  #handle(message: Message, node: string): void {
    const { ref } = message
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
        if (!this.#admits(ref)) return
        const { set } = this.#shard
        const payload = this.#generations.extract(message.clocks) ?? set.extract(ref, message.clocks)
        return this.#send(node, { type: "answer", ...this.#sender, payload })
      }
      case "answer": {
        if (!this.#admits(ref)) return
        return this.#onAnswer(message, node)
      }
    }
  }

  #onHeartbeat({ ref, clocks, delta, former }: Heartbeat, node: string): void {
    const now = this.#now()
    const { verdict, changes } = this.#membership.heartbeat(ref, now, former)
    if (verdict === "crowded") return this.#options.count("tracker_refused_crowded")
    if (verdict === "departed") return this.#onDeparted(ref, node)
    const diffs = this.#take(changes)
    if (delta !== undefined) {
      diffs.push(this.#shard.set.merge(delta))
      this.#generations.push(delta)
    }
    this.#heard.set(node, { name: node, clocks })
    this.#asked.delete(node)
    if (verdict === "appeared") {
      this.#send(node, this.#heartbeatOf(undefined))
    }
    this.#gather(clocks)
    this.#tell(diffs)
  }
  #onAnswer({ payload }: TransferAnswer, node: string): void {
    const { set } = this.#shard
    const before = set.clocks()
    const diff = set.merge(payload)
    if (payload.mode === "delta") this.#generations.push(payload)
    else this.#generations.clear()
    // A delta may bring us a part of the way only. One that brought us nowhere is no reason to ask again.
    if (!dominates(before, set.clocks())) {
      this.#asked.delete(node)
      for (const { clocks } of this.#heard.values()) this.#gather(clocks)
    }
    this.#tell([diff])
  }

  /** Tells a node that its ref is over here; it restarts if it is alive, and nobody hears it if it is not. */
  #onDeparted(ref: string, node: string): void {
    this.#options.count("tracker_refused_departed")
    if (this.#membership.disputes(ref, this.#now())) this.#reportConflict(node)
    const by = this.#membership.standing(node)
    this.#send(node, { type: "burial", ...this.#sender, buried: ref, by })
  }

  /**
   * Restarts under a new ref, since the present one will not be heard any more (D9).
   *
   * Where another stands in its place, that is mostly our own past, come late. Twice in a row it is another living node
   * of this name: each would bury the other for ever, so the one that notices keeps still for as long as it is told (D6).
   */
  #onBurial({ buried, by }: Burial): void {
    if (buried !== this.#shard.set.ref) return
    if (by !== undefined) {
      const now = this.#now()
      const again = now - this.#buriedAt <= this.#options.permdownPeriodMs
      this.#buriedAt = now
      if (again) return this.#disputed ? undefined : this.#reportConflict(this.#node)
    }
    this.#disputed = false
    const refs = this.#membership.refs()
    const outOfSight = refs.filter((ref) => this.#membership.standing(nodeOf(ref)) !== ref)
    this.#shard.restart(newRef(this.#node, this.#options.random), refs, outOfSight)
    this.#generations = new Generations(this.#options.maxDeltaSizes)
    this.#former = buried
    this.#heartbeat()
  }

  #reportConflict(node: string): void {
    if (node === this.#node) this.#disputed = true
    this.#options.count("tracker_name_conflicts")
    const message = `Two living nodes are both named ${JSON.stringify(node)}; expected each to have a name of its own`
    this.#options.onError(new RollcallError("name_conflict", message))
  }

  #refusePool(node: string, shards: number): void {
    this.#options.count("tracker_refused_pool")
    if (this.#refusedPools.has(node) || this.#refusedPools.size >= 1024) return
    this.#refusedPools.add(node)
    const expected = `expected the poolSize ${this.#options.shards} of this node on all others`
    this.#options.onError(new RollcallError("pool_size_mismatch", `${expected}, got ${shards} from ${node}`))
  }

  /** Whether a ref is one of ours to talk with. */
  #admits(ref: string): boolean {
    if (this.#membership.has(ref)) return true
    this.#options.count(`tracker_refused_${this.#membership.isDeparted(ref) ? "departed" : "unknown"}`)
    return false
  }

  /**
   * Waits for others to say what they have seen, if `clocks` say that something is missing here: one of them is asked then,
   * instead of each, and what was only overtaken on its way is there by then.
   */
  #gather(clocks: VersionVector): void {
    if (this.#gatherTimer !== undefined || !this.#lacks(clocks)) return
    this.#gatherTimer = this.#set(() => {
      this.#gatherTimer = undefined
      this.#ask()
    }, GATHER_MS)
  }

  #ask(): void {
    const own = this.#shard.set.clocks()
    // Replicas that are not in sight here are no reason to ask: the answer would not speak of them.
    const heard = [...this.#heard.values()]
      .filter(({ name }) => !this.#asked.has(name) && this.#membership.standing(name) !== undefined)
      .map(({ name, clocks }) => ({ name, clocks: restrict(clocks, own) }))
    for (const name of nodesToAsk(heard, { name: this.#node, clocks: own })) {
      this.#asked.add(name)
      this.#send(name, { type: "request", ...this.#sender, clocks: own })
    }
  }

  #lacks(clocks: VersionVector): boolean {
    const own = this.#shard.set.clocks()
    return !dominates(own, restrict(clocks, own))
  }

  #take(changes: readonly Change[]): Diff[] {
    const { set } = this.#shard
    return changes.map(({ ref, to }) => {
      if (to === "up") return set.replicaUp(ref)
      if (to === "down") return set.replicaDown(ref)
      this.#generations.remove(ref)
      if (this.#membership.standing(nodeOf(ref)) === undefined) this.#forget(nodeOf(ref))
      return set.removeReplica(ref)
    })
  }

  #forget(node: string): void {
    this.#heard.delete(node)
    this.#asked.delete(node)
  }

  #tell(diffs: readonly Diff[]): void {
    this.#shard.tell(...diffs)
  }

  #publish(message: Message): void {
    this.#out(() => this.#options.pubsub.publish(this.#options.topic, encodeMessage(message)))
  }

  #send(node: string, message: Message): void {
    this.#out(() => this.#options.pubsub.send(node, this.#options.topic, encodeMessage(message)))
  }

  /** What cannot be sent is reported: the others see by the clocks that they lack it, and ask. */
  #out(send: () => void): void {
    if (this.#closed) return
    try {
      send()
    } catch (error) {
      this.#options.count("tracker_unsent")
      this.#options.onError(error)
    }
  }

  #now(): number {
    return this.#options.timers.now()
  }

  /** A timer that does not keep a process alive, where the platform can tell. */
  #set(run: () => void, ms: number): unknown {
    const timer = this.#options.timers.set(run, ms)
    ;(timer as { unref?: () => void } | undefined)?.unref?.()
    return timer
  }
}

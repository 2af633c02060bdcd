import { ConfigError, kindOf } from "../../error.ts"
import { checkKnownNames } from "../../known-names.ts"
import { guard } from "../../listeners.ts"
import type { Undo } from "../../listeners.ts"
import { quote } from "../../quote.ts"
import { isServicesTopic } from "../../services/instance-row.ts"
import { setUnref } from "../../timers.ts"
import type { Timers } from "../../timers.ts"
import type { Diff, Row, Tracker } from "../../tracker/tracker.ts"
import { isOwnRow, nodeOfRow } from "./own-row.ts"

/** A key that got its first presence in any topic, or lost its last one. */
export interface KeyChange {
  readonly key: string
  readonly online: boolean
}

/** The options of `watchKeys`. */
export interface WatchKeysOptions {
  /** How long a key must stay without a presence until its listener is called, in ms; 0 by default. */
  readonly graceMs?: number
}

/** Called with a key that went offline, and the time, in ms since 1970. */
export type LastSeen = (key: string, at: number) => void | PromiseLike<void>

/** What the index needs. */
export interface OnlineKeysOptions {
  readonly tracker: Tracker
  readonly timers: Timers
  readonly wallClock: () => number
  readonly lastSeen: LastSeen | undefined
  /** Called with what a listener throws, and with what `lastSeen` throws or rejects with. */
  readonly failed: (error: unknown) => void
}

/** The presences of one key in all topics. */
interface OnlineKey {
  count: number
  /** Whether this node has had one of them since the key came online. */
  wasOwn: boolean
}

/** One key of one listener. */
interface Watched {
  /** What the listener knows. */
  isOnline: boolean
  timer: unknown
  report(isOnline: boolean): void
}

/** The largest delay of a timer. */
const MAX_MS = 2 ** 31 - 1

/**
 * Which keys are online in any topic: an index of the tracker's rows. A change costs what changed, not what is online.
 *
 * It is built when it is used first, so that servers that never ask for it pay nothing. The instances of services are rows,
 * too, but nobody's presence, so they are left out.
 */
export class OnlineKeys {
  readonly #options: OnlineKeysOptions
  readonly #watched = new Map<string, Set<Watched>>()
  #keys: Map<string, OnlineKey> | undefined
  #isStopped = false

  constructor(options: OnlineKeysOptions) {
    this.#options = options
    if (options.lastSeen !== undefined) this.#built()
  }

  has(key: string): boolean {
    return this.#built().has(key)
  }

  /**
   * Calls the listener when one of the keys comes online, or has been offline for the grace.
   * @throws ConfigError for an invalid grace
   */
  watch(keys: Iterable<string>, listener: (change: KeyChange) => void, options: WatchKeysOptions = {}): Undo {
    checkKnownNames("an option of watchKeys", options, { graceMs: true })
    const { graceMs = 0 } = options
    // A text is iterable, too: by its letters.
    if (typeof keys === "string") throw new ConfigError(`expected a list of keys, got the text ${quote(keys)}`)
    if (typeof listener !== "function") throw new ConfigError(`expected a listener, got ${kindOf(listener)}`)
    if (!(typeof graceMs === "number" && graceMs >= 0 && graceMs <= MAX_MS)) {
      const got = typeof graceMs === "number" ? String(graceMs) : kindOf(graceMs)
      throw new ConfigError(`expected graceMs to be a time from 0 to ${MAX_MS} ms, got ${got}`)
    }
    const undos = Array.from(new Set(keys), (key) => this.#watchKey(key, listener, graceMs))
    return () => {
      for (const undo of undos) undo()
    }
  }

  /** Ends all graces: a server that closes reports nothing more. */
  stop(): void {
    this.#isStopped = true
    for (const set of this.#watched.values()) for (const { timer } of set) this.#options.timers.clear(timer)
    this.#watched.clear()
  }

  #watchKey(key: string, listener: (change: KeyChange) => void, graceMs: number): Undo {
    const { timers, failed } = this.#options
    let set = this.#watched.get(key)
    if (set === undefined) this.#watched.set(key, (set = new Set()))
    const tell = (online: boolean): void => {
      watched.isOnline = online
      called(failed, () => listener({ key, online }))
    }
    const watched: Watched = {
      isOnline: this.has(key),
      timer: undefined,
      report(isOnline) {
        timers.clear(watched.timer)
        watched.timer = undefined
        if (isOnline === watched.isOnline) return
        if (isOnline || graceMs === 0) tell(isOnline)
        else watched.timer = setUnref(timers, () => tell(false), graceMs)
      },
    }
    set.add(watched)
    return () => {
      timers.clear(watched.timer)
      if (set.delete(watched) && set.size === 0 && this.#watched.get(key) === set) this.#watched.delete(key)
    }
  }

  #built(): Map<string, OnlineKey> {
    if (this.#keys !== undefined) return this.#keys
    const { tracker } = this.#options
    if (tracker.rows === undefined) {
      throw new ConfigError(
        "expected a tracker with the method rows, which online, watchKeys and lastSeen need; got one without",
      )
    }
    const keys = (this.#keys = new Map<string, OnlineKey>())
    for (const row of tracker.rows()) if (isPresence(row.topic)) this.#add(keys, row)
    tracker.onDiff((diff) => this.#apply(keys, diff))
    return keys
  }

  #apply(keys: Map<string, OnlineKey>, diff: Diff): void {
    /** Each key that changed → whether it was online before. */
    const before = new Map<string, boolean>()
    const note = ({ key }: Row): void => void (before.has(key) || before.set(key, keys.has(key)))
    const gone: (() => void)[] = []
    const topics = Array.from(diff).filter(([topic]) => isPresence(topic))
    // All joins before all leaves: a user that moves to another topic is not offline in between.
    for (const row of topics.flatMap(([, { joins }]) => joins)) {
      note(row)
      this.#add(keys, row)
    }
    for (const row of topics.flatMap(([, { leaves }]) => leaves)) {
      note(row)
      const known = keys.get(row.key)
      if (known === undefined) continue
      known.count -= 1
      if (known.count > 0) continue
      keys.delete(row.key)
      gone.push(() => this.#seenLast(row, known.wasOwn))
    }
    // The listeners see the keys as they are after the whole diff.
    for (const report of gone) report()
    for (const [key, wasOnline] of before) if (wasOnline !== keys.has(key)) this.#report(key, !wasOnline)
  }

  #add(keys: Map<string, OnlineKey>, row: Row): void {
    const known = keys.get(row.key)
    if (known === undefined) keys.set(row.key, { count: 1, wasOwn: this.#isOwn(row) })
    else {
      known.count += 1
      known.wasOwn ||= this.#isOwn(row)
    }
  }

  #report(key: string, isOnline: boolean): void {
    const set = this.#watched.get(key)
    if (set === undefined) return
    // A copy, since a listener may watch more.
    for (const watched of Array.from(set)) if (set.has(watched)) watched.report(isOnline)
  }

  #isOwn(row: Row): boolean {
    return this.#options.lastSeen !== undefined && isOwnRow(this.#options.tracker, row)
  }

  /**
   * Reports the time at one node: that which had presences of the key. If the node of the last one is gone, all others do,
   * since none of them knows what the others see.
   */
  #seenLast(last: Row, wasOwn: boolean): void {
    const { lastSeen, tracker, wallClock, failed } = this.#options
    if (lastSeen === undefined || this.#isStopped) return
    const node = nodeOfRow(last)
    const isUp = tracker.nodes().some((other) => other.node === node && other.status === "up")
    if (!wasOwn && isUp) return
    called(failed, () => lastSeen(last.key, wallClock()))
  }
}

/** Calls a callback, and passes what it throws or rejects with to `failed`: an async one would end the process otherwise. */
function called(failed: (error: unknown) => void, callback: () => void | PromiseLike<void>): void {
  guard(failed, () => void Promise.resolve(callback()).catch(failed))
}

const isPresence = (topic: string): boolean => !isServicesTopic(topic)

import { ConfigError, kindOf, RollcallError } from "../../error.ts"
import { isObject } from "../../json.ts"
import { checkKnownNames } from "../../known-names.ts"
import { quote } from "../../quote.ts"
import { setUnref } from "../../timers.ts"
import type { Timers } from "../../timers.ts"
import type { TrackedMeta, Tracker } from "../../tracker/tracker.ts"
import { isServicesTopic } from "../../services/instance-row.ts"
import { HEARTBEAT_TOPIC } from "../../wire/events.ts"
import { keyOf } from "../track-input.ts"

/** A presence that belongs to no connection: that of an agent, a bot or a job. */
export interface ProcessPresenceOptions {
  readonly topic: string
  /** A numeric key becomes its digits. */
  readonly key: string | number
  /** A JSON object; `{}` by default. */
  readonly meta?: object
  /** The time after which the presence ends, unless `renew` or `update` is called before, in ms. By default it has no end. */
  readonly ttlMs?: number
}

/** The presence of a process: see `Presence.track`. */
export interface ProcessPresence {
  readonly topic: string
  readonly key: string
  /** Whether it is tracked: neither expired nor ended. */
  readonly isTracked: boolean
  /**
   * Replaces the meta, by another one or by what a function returns for the current one, and renews the presence. Returns
   * the new `phx_ref`.
   * @throws RollcallError `not_tracked` when it has expired or ended; otherwise like `Presence.update`
   */
  update(meta: object | ((current: TrackedMeta) => object)): string
  /** Lets the presence live for another `ttlMs`. Returns `false` when it has expired or ended: track it again then. */
  renew(): boolean
  /** Removes the presence. A second call does nothing. */
  end(): void
}

/** What the presences of processes need. */
export interface ProcessPresencesOptions {
  readonly tracker: Tracker
  readonly timers: Timers
  /** Counts each presence that was not renewed in time. */
  count?(name: "expired_presences"): void
  readonly presence: {
    track(owner: Owner, key: string, meta: object): string
    update(owner: Owner, key: string, meta: object | ((current: TrackedMeta) => object)): string
  }
}

/** What holds a presence: a channel, or a process. */
interface Owner {
  readonly pid: string
  readonly topic: string
}

/** The largest delay of a timer. */
const MAX_MS = 2 ** 31 - 1

/**
 * Tracker → the number of its latest process. Two servers may share a tracker, and the pids of a node must differ. Those of
 * channels are plain numbers.
 */
const latest = new WeakMap<Tracker, number>()

/** The presences of this node that belong to no connection. */
export class ProcessPresences {
  readonly #options: ProcessPresencesOptions
  /** The ends of the presences that have not ended. */
  readonly #open = new Set<() => void>()
  #isClosed = false

  constructor(options: ProcessPresencesOptions) {
    this.#options = options
  }

  /** @throws ConfigError for an invalid option; RollcallError `closed`; otherwise like `Presence.track` */
  track(options: ProcessPresenceOptions): ProcessPresence {
    if (this.#isClosed) throw new RollcallError("closed", "expected a server that is open, got a closed one")
    const { topic, meta = {}, ttlMs } = checked(options)
    const key = keyOf(options.key)
    const { tracker, presence } = this.#options
    const number = (latest.get(tracker) ?? 0) + 1
    latest.set(tracker, number)
    const owner = { pid: `process-${number}`, topic }
    presence.track(owner, key, meta)
    const life = ttlMs === undefined ? undefined : this.#expiry(ttlMs, () => end())
    const end = (): void => {
      this.#open.delete(end)
      life?.end()
      tracker.untrack(owner.pid)
    }
    this.#open.add(end)
    const isTracked = (): boolean => tracker.getByPid(owner.pid, topic).length > 0
    return {
      topic,
      key,
      get isTracked() {
        return isTracked()
      },
      update: (change) => {
        if (!isTracked()) {
          const expected = `a presence in ${quote(topic)} that has neither expired nor ended`
          throw new RollcallError("not_tracked", `expected ${expected}, got one that has; track it again`)
        }
        const ref = presence.update(owner, key, change)
        life?.renew()
        return ref
      },
      renew: () => {
        if (!isTracked()) return false
        life?.renew()
        return true
      },
      end,
    }
  }

  /** Ends all presences, and refuses new ones. */
  close(): void {
    this.#isClosed = true
    for (const end of this.#open) end()
  }

  /** Calls `remove` once nothing was renewed for so long. A renewal sets no timer, since agents may renew often. */
  #expiry(ttlMs: number, remove: () => void): { renew(): void; end(): void } {
    const { timers, count } = this.#options
    let endsAt = timers.now() + ttlMs
    let timer: unknown
    const wait = (): void => void (timer = setUnref(timers, check, endsAt - timers.now()))
    const check = (): void => {
      if (timers.now() < endsAt) return wait()
      count?.("expired_presences")
      remove()
    }
    wait()
    return { renew: () => void (endsAt = timers.now() + ttlMs), end: () => timers.clear(timer) }
  }
}

function checked(options: ProcessPresenceOptions): ProcessPresenceOptions {
  if (!isObject(options)) throw new ConfigError(`expected { topic, key, meta, ttlMs }, got ${kindOf(options)}`)
  checkKnownNames("an option of track", options, { topic: true, key: true, meta: true, ttlMs: true })
  const { topic, ttlMs } = options as ProcessPresenceOptions
  checkedTopic(topic)
  if (ttlMs !== undefined && !(typeof ttlMs === "number" && ttlMs > 0 && ttlMs <= MAX_MS)) {
    const got = typeof ttlMs === "number" ? String(ttlMs) : kindOf(ttlMs)
    throw new ConfigError(`expected ttlMs to be a time above 0 and up to ${MAX_MS} ms, got ${got}`)
  }
  return options
}

/** Returns a topic that presences can be in. @throws ConfigError for any other one */
export function checkedTopic(topic: unknown): string {
  if (typeof topic !== "string") throw new ConfigError(`expected topic to be a string, got ${kindOf(topic)}`)
  // These belong to the protocol, and to services: no client could see a presence there.
  if (topic !== "" && topic !== HEARTBEAT_TOPIC && !isServicesTopic(topic)) return topic
  const got = topic === "" ? "an empty one" : quote(topic)
  throw new ConfigError(`expected a topic that clients can join, got ${got}; give it another name`)
}

import type { Undo } from "../../listeners.ts"
import { setUnref } from "../../timers.ts"
import type { Timers } from "../../timers.ts"
import type { ServerContext } from "../channel/server-context.ts"

/** A client that follows keys. */
export interface KeyFollower {
  /** Called after a key that it follows came online or went offline. Several changes of one pace are one call. */
  changed(keys: ReadonlySet<string>): void
}

interface SharedKey {
  isOnline: boolean
  readonly followers: Set<KeyFollower>
  readonly stop: Undo
}

/** What the index needs. */
export interface SharedKeysOptions {
  readonly presence: Pick<ServerContext["presence"], "online" | "watchKeys">
  readonly timers: Timers
  readonly graceMs: number
  readonly paceMs: number
}

/**
 * The keys that the clients of this node follow. Each key is watched once, with one grace, however many follow it, so that all of them
 * see the same. Changes are collected for `paceMs`.
 */
export class SharedKeys {
  readonly #options: SharedKeysOptions
  readonly #keys = new Map<string, SharedKey>()
  #pending = new Map<KeyFollower, Set<string>>()

  constructor(options: SharedKeysOptions) {
    this.#options = options
  }

  /** Whether a key that is followed is online, or was until a moment ago. */
  isOnline(key: string): boolean {
    return this.#keys.get(key)?.isOnline === true
  }

  follow(key: string, follower: KeyFollower): void {
    const shared = this.#keys.get(key) ?? this.#watch(key)
    shared.followers.add(follower)
  }

  unfollow(key: string, follower: KeyFollower): void {
    const shared = this.#keys.get(key)
    this.#pending.get(follower)?.delete(key)
    if (shared?.followers.delete(follower) !== true || shared.followers.size > 0) return
    shared.stop()
    this.#keys.delete(key)
  }

  /** Forgets a follower that has ended. */
  forget(follower: KeyFollower): void {
    this.#pending.delete(follower)
  }

  #watch(key: string): SharedKey {
    const { presence, graceMs } = this.#options
    const shared: SharedKey = {
      followers: new Set(),
      stop: presence.watchKeys(
        [key],
        ({ online }) => {
          shared.isOnline = online
          for (const follower of shared.followers) this.#changed(key, follower)
        },
        { graceMs },
      ),
      isOnline: presence.online(key),
    }
    this.#keys.set(key, shared)
    return shared
  }

  #changed(key: string, follower: KeyFollower): void {
    const { timers, paceMs } = this.#options
    if (this.#pending.size === 0) setUnref(timers, () => this.#flush(), paceMs)
    const keys = this.#pending.get(follower)
    if (keys === undefined) this.#pending.set(follower, new Set([key]))
    else keys.add(key)
  }

  #flush(): void {
    const pending = this.#pending
    this.#pending = new Map()
    for (const [follower, keys] of pending) follower.changed(keys)
  }
}

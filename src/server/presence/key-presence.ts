import { ConfigError, kindOf } from "../../error.ts"
import type { Undo } from "../../listeners.ts"
import { keyOf } from "../track-input.ts"
import { OnlineKeys } from "./online-keys.ts"
import type { KeyChange, WatchKeysOptions } from "./online-keys.ts"
import type { PresenceOptions } from "./presence-options.ts"

/** The part of `Presence` that is about keys in all topics. */
export class KeyPresence {
  readonly #keys: OnlineKeys

  constructor({ tracker, timers, lastSeen, wallClock = Date.now, keysFailed = () => {} }: PresenceOptions) {
    this.#keys = new OnlineKeys({ tracker, timers, lastSeen, wallClock, failed: keysFailed })
  }

  /**
   * Returns whether a key has a presence in any topic, on any node that is up.
   *
   * The first call of `online` or `watchKeys` builds an index of all keys. From then on, each costs the same, however many
   * are online.
   * @throws ConfigError when the key is neither a string nor a finite number, or a tracker of your own has no `rows`
   */
  online(key: string | number): boolean {
    return this.#keys.has(keyOf(key))
  }

  /**
   * Calls a listener when one of the keys comes online in its first topic, or goes offline in its last one. It is not called
   * for how they are now: ask `online`. Returns a function that removes the listener.
   *
   * Each node calls its own listeners. In a network split, each side reports what it sees: users on the other side go
   * offline, and come online when the split has ended.
   * @param options `graceMs` is how long a key must be offline before the listener is called; 0 by default. A key that
   * returns before is not reported.
   * @throws ConfigError as `online`, and for an invalid `graceMs`, or keys that are no list
   */
  watchKeys(keys: Iterable<string | number>, listener: (change: KeyChange) => void, options?: WatchKeysOptions): Undo {
    // The letters of a text would be watched, and of a number nothing.
    if (typeof keys !== "object" || keys === null || !(Symbol.iterator in keys)) {
      throw new ConfigError(`expected a list of keys, got ${kindOf(keys)}; a single key is ["ada"]`)
    }
    return this.#keys.watch(Array.from(keys, keyOf), listener, options)
  }

  /** Lets no grace end any more. */
  protected stopWatching(): void {
    this.#keys.stop()
  }
}

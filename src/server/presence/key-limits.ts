import { RollcallError } from "../../error.ts"
import type { Tracker } from "../../tracker/tracker.ts"

/** The limits of the keys under which channels are tracked. */
export interface KeyLimits {
  /** In characters; by default any number. */
  readonly maxKeyLength?: number
  /** By default any number. */
  readonly maxKeysPerChannel?: number
  readonly maxMetasPerKey: number
}

/** The channel to track, and its key. */
interface Tracked {
  readonly pid: string
  readonly topic: string
  readonly key: string
}

/**
 * Checks a key before a channel is tracked under it. A key often comes from the client, and is sent to all others of the topic.
 * @param kept how many metas under the key are of lost connections: the new one takes the place of such a meta
 * @throws RollcallError `key_too_long`, `too_many_keys` or `too_many_metas`
 */
export function checkKey(tracker: Tracker, { pid, topic, key }: Tracked, limits: KeyLimits, kept = 0): void {
  const { maxKeyLength = Infinity, maxKeysPerChannel = Infinity, maxMetasPerKey } = limits
  if (key.length > maxKeyLength) {
    const expected = `a presence key of at most ${maxKeyLength} characters (maxKeyLength)`
    throw new RollcallError("key_too_long", `expected ${expected}, got ${key.length}`)
  }
  const own = tracker.getByPid(pid, topic)
  // A key that the channel has already is not one more: the tracker refuses it as `already_tracked`.
  if (own.length >= maxKeysPerChannel && !own.some((row) => row.key === key)) {
    const expected = `at most ${maxKeysPerChannel} keys of one channel (maxKeysPerChannel)`
    throw new RollcallError("too_many_keys", `expected ${expected}, got one more`)
  }
  const count = tracker.countByKey?.(topic, key) ?? tracker.getByKey(topic, key).length
  if (count - kept >= maxMetasPerKey) {
    const expected = `at most ${maxMetasPerKey} metas under one key (maxMetasPerKey)`
    throw new RollcallError("too_many_metas", `expected ${expected}, got one more`)
  }
}

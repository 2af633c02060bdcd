/** Which keys are online in any topic: questions of a page to the whole server, through one channel. */
import { ConfigError, kindOf, type RollcallError } from "../error.ts"
import { ListenerSet, type Undo } from "../listeners.ts"
import { WATCH, WATCH_TOPIC } from "../wire/watched-keys.ts"
import type { KeyStatus, WatchChange, WatchedKey, WatchParams } from "../wire/watched-keys.ts"
import { warn } from "./callback-errors.ts"
import type { Connection } from "./connection.ts"
import { same } from "./metas.ts"
import type { Reason } from "./reason.ts"
import type { Entry, Snapshot, Status } from "./store.ts"
import { isWellFormed } from "./surrogates.ts"
import { select } from "./view.ts"

export type { KeyStatus } from "../wire/watched-keys.ts"

/** A key that has come online in its first topic, or has gone offline in its last one. */
export interface KeyChange {
  readonly key: string
  readonly online: boolean
}

/** The keys that one part of a page asks about. Its methods work unbound. */
export interface Online {
  /** The status of the channel, as that of a room. While it is `stale`, what was known last is shown. */
  readonly status: Status
  /** Why the channel is not live, as that of a room. */
  readonly reason: Reason | undefined
  /** Returns whether a key is online; `undefined` while that is not known, and for a key that was not asked for. */
  readonly get: (key: string) => KeyStatus | undefined
  /** Returns the keys that are known, in the order in which they were asked for. It is the same object until it changes. */
  readonly getSnapshot: () => ReadonlyMap<string, KeyStatus>
  /** Calls `listener` when the snapshot has changed. */
  readonly subscribe: (listener: () => void) => Undo
  /**
   * Calls `listener` with the keys that came online or went offline, also while the connection was away. It is not called for how keys
   * are at first: read the snapshot.
   */
  readonly onChange: (listener: (changes: readonly KeyChange[]) => void) => Undo
  /** Asks about these keys in place of the former ones. After `close`, does nothing. @throws ConfigError as `connection.online` */
  readonly set: (keys: readonly string[]) => void
  /** Asks about nothing any more: its snapshot is empty. The channel is left with the last one that is closed. */
  readonly close: () => void
}

/** A server may send a key again without taking back what it has sent before. */
export const statusOf = (key: Entry<WatchedKey> | undefined): KeyStatus | undefined => key?.metas.at(-1)!.status

/** @throws ConfigError for keys that are no list of strings */
export function checkKeys(keys: readonly string[]): void {
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === "string" && isWellFormed(key)))
    throw new ConfigError(`expected a list of keys, got ${kindOf(keys)}`)
}

/** Returns the method `online` of a connection. */
export function createOnline(open: Connection["room"]): Connection["online"] {
  /** Key → the number of those who ask about it. */
  const counts = new Map<string, number>()
  /** The keys to add or to remove. */
  const changed = new Set<string>()

  // Called for each join, also after a reconnect: it carries all keys.
  const params = (): WatchParams => {
    changed.clear()
    return { keys: [...counts.keys()] }
  }

  const count = (key: string, by: number): void => {
    const before = counts.get(key) ?? 0
    counts.set(key, before + by)
    if (!(before + by)) counts.delete(key)
    if (!before || !counts.has(key)) changed.add(key)
  }

  return (keys) => {
    let own = new Set<string>()
    let isClosed = false
    /** Another object when the keys have been replaced, or the channel has changed. */
    let from: readonly [Snapshot<WatchedKey>] | undefined
    const replaced = new ListenerSet<[isSilent: boolean]>()

    const flush = (): void => {
      // The next join carries what changes before it is sent, and the first view calls this again for what changes after that.
      if (!changed.size || room.status !== "live") return
      const all = [...changed]
      changed.clear()
      const change: WatchChange = {
        add: all.filter((key) => counts.has(key)),
        remove: all.filter((key) => !counts.has(key)),
      }
      room.push(WATCH, change).catch(({ code, message }: RollcallError) => code === "closed" || warn(message))
    }

    const set = (keys: readonly string[]): void => {
      checkKeys(keys)
      const former = own
      own = new Set(keys)
      from = undefined
      for (const key of own) count(key, 1)
      for (const key of former) count(key, -1)
    }

    set(keys)
    const room = open<WatchedKey>(WATCH_TOPIC, params)
    const undoFlush = room.subscribe(flush)
    // Not at once: the parts of a page ask in one turn, and frameworks stop and start their effects in one.
    queueMicrotask(flush)
    const { getSnapshot, subscribe } = select(
      {
        getSnapshot() {
          const snapshot = room.getSnapshot()
          return (from = from && from[0] === snapshot ? from : [snapshot])
        },
        subscribe(listener) {
          const undos = [room.subscribe(listener), replaced.add(listener)]
          return () => {
            for (const undo of undos) undo()
          }
        },
      },
      ([snapshot]) =>
        new Map(
          [...own].flatMap((key) => {
            const status = statusOf(snapshot.get(key))
            return status ? [[key, status]] : []
          }),
        ),
      (a, b) => same([...a], [...b]),
    )
    return {
      get status() {
        return room.status
      },
      get reason() {
        return room.reason
      },
      get: (key) => (own.has(key) ? statusOf(room.get(key)) : undefined),
      getSnapshot,
      subscribe,
      onChange: (listener) =>
        room.onChange((changes) => {
          const known = changes.flatMap(({ type, key, current, previous }) => {
            const online = statusOf(current) === "online"
            const isKnown =
              type === "update" && own.has(key) && ![current, previous].some((each) => statusOf(each) === "refused")
            return isKnown ? [{ key, online }] : []
          })
          if (known.length) listener(known)
        }),
      set(keys) {
        if (isClosed) return
        set(keys)
        queueMicrotask(flush)
        replaced.emit(warn as never, false)
      },
      close() {
        if (isClosed) return
        set([])
        isClosed = true
        queueMicrotask(flush)
        undoFlush()
        room.leave()
        replaced.emit(warn as never, false)
      },
    }
  }
}

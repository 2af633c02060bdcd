import { isJsonObject } from "../../json.ts"
import { PRESENCE_DIFF, PRESENCE_STATE } from "../../wire/events.ts"
import type { PresenceEntry } from "../../wire/presence-payloads.ts"
import type { WatchedKey } from "../../wire/watched-keys.ts"
import type { Awaitable } from "../awaitable.ts"
import { andThen } from "../awaitable.ts"
import type { Channel } from "../channel/handlers.ts"
import type { KeyFollower, SharedKeys } from "./shared-keys.ts"

/** What all questions of one route share. */
export interface KeyQuestionRules {
  readonly keys: SharedKeys
  readonly maxKeys: number
  readonly maxKeyLength: number
  /** Returns which of the keys a client may ask about. */
  permitted(keys: readonly string[]): Awaitable<ReadonlySet<string>>
  /** Returns a `phx_ref` that no other meta has. */
  nextRef(): string
  refused(keys: number): void
}

type Users = Record<string, PresenceEntry>
type Meta = WatchedKey & { readonly phx_ref: string; readonly phx_ref_prev?: string }

// Without a prototype, a key such as `__proto__` is one like any other.
const noUsers = (): Users => Object.create(null) as Users

/**
 * The keys that one client asks about, and what it knows of them. Refused keys are answered and forgotten, so that they cost no
 * memory, however many there are.
 */
export class KeyQuestion implements KeyFollower {
  readonly #channel: Pick<Channel, "push" | "ended">
  readonly #rules: KeyQuestionRules
  /** Permitted key → what the client knows of it. */
  readonly #known = new Map<string, Meta | undefined>()
  /** The keys that were refused, until the client is told. */
  #refused: string[] = []

  constructor(channel: Pick<Channel, "push" | "ended">, rules: KeyQuestionRules) {
    this.#channel = channel
    this.#rules = rules
  }

  /** Adds keys, after asking whether the client may know them. Those that are too long, or beyond `maxKeys`, are refused. */
  add(given: readonly string[]): Awaitable<void> {
    const { maxKeys, maxKeyLength, permitted } = this.#rules
    const keys = Array.from(new Set(given)).filter((key) => !this.#known.has(key))
    const asked = keys.filter((key) => key.length <= maxKeyLength).slice(0, maxKeys)
    return andThen(asked.length === 0 ? new Set<string>() : permitted(asked), (allowed) => {
      const inQuestion = new Set(asked)
      for (const key of keys) {
        if (inQuestion.has(key) && allowed.has(key) && this.#known.size < maxKeys) this.#known.set(key, undefined)
        else this.#refused.push(key)
      }
    })
  }

  /** Sends all keys, and follows them. To be called once, when the client has joined. */
  sendState(): void {
    this.#channel.push(PRESENCE_STATE, this.#diffOf(this.#known.keys()).joins)
  }

  /** Sends what the client does not know yet of these keys, and follows those that are new. */
  sendChanges(keys: Iterable<string>): void {
    this.#sendDiff(this.#diffOf(keys))
  }

  /** Removes keys, and takes back what was sent of them. */
  remove(keys: Iterable<string>): void {
    const leaves = noUsers()
    for (const key of keys) {
      const meta = this.#known.get(key)
      if (meta !== undefined) leaves[key] = { metas: [meta] }
      if (this.#known.delete(key)) this.#rules.keys.unfollow(key, this)
    }
    this.#sendDiff({ joins: noUsers(), leaves })
  }

  changed(keys: ReadonlySet<string>): void {
    this.sendChanges(keys)
  }

  /** Follows nothing any more. */
  end(): void {
    for (const key of this.#known.keys()) this.#rules.keys.unfollow(key, this)
    this.#known.clear()
    this.#rules.keys.forget(this)
  }

  #sendDiff(diff: { readonly joins: Users; readonly leaves: Users }): void {
    if (Object.keys(diff.joins).length + Object.keys(diff.leaves).length > 0) this.#channel.push(PRESENCE_DIFF, diff)
  }

  #diffOf(keys: Iterable<string>): { joins: Users; leaves: Users } {
    const [joins, leaves] = [noUsers(), noUsers()]
    for (const key of keys) {
      if (!this.#known.has(key)) continue
      const before = this.#known.get(key)
      if (before === undefined) this.#rules.keys.follow(key, this)
      const status = this.#rules.keys.isOnline(key) ? "online" : "offline"
      if (before?.status === status) continue
      if (before !== undefined) leaves[key] = { metas: [before] }
      const meta = { status, phx_ref: this.#rules.nextRef(), ...(before && { phx_ref_prev: before.phx_ref }) } as const
      joins[key] = { metas: [meta] }
      this.#known.set(key, meta)
    }
    this.#rules.refused(this.#refused.length)
    for (const key of this.#refused) joins[key] = { metas: [{ status: "refused", phx_ref: this.#rules.nextRef() }] }
    this.#refused = []
    return { joins, leaves }
  }
}

const isList = (list: unknown): boolean => Array.isArray(list) && list.every((key) => typeof key === "string")

/** Returns the lists of keys of a message; `undefined` if one of them is no list of strings. A missing list is empty. */
export function keysOf<Name extends string>(
  payload: unknown,
  ...names: readonly Name[]
): Record<Name, readonly string[]> | undefined {
  if (!isJsonObject(payload)) return undefined
  const lists = names.map((name) => [name, Object.hasOwn(payload, name) ? payload[name] : []] as const)
  return lists.every(([, list]) => isList(list)) ? (Object.fromEntries(lists) as never) : undefined
}

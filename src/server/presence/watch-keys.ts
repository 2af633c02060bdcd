import { ConfigError, kindOf } from "../../error.ts"
import { isJsonObject } from "../../json.ts"
import { checkKnownNames } from "../../known-names.ts"
import { INVALID_KEYS, WATCH } from "../../wire/watched-keys.ts"
import { andThen } from "../awaitable.ts"
import type { Awaitable } from "../awaitable.ts"
import type { AnyAssigns, Channel } from "../channel/handlers.ts"
import type { ServerHandlers } from "../channel/server-handlers.ts"
import { inspect, MAX_MS } from "../limits.ts"
import { randomHex } from "../role.ts"
import { KeyQuestion, keysOf } from "./key-question.ts"
import { SharedKeys } from "./shared-keys.ts"

/** The options of a channel by which pages ask which keys are online. */
export interface WatchChannelOptions<Assigns extends object = AnyAssigns> {
  /**
   * Returns which of these keys a client may ask about: a list of them, `true` for all, or `false` for none. The others are `refused`,
   * and the client does not learn whether they are online. It is asked when keys are added, and again after a reconnect.
   *
   * If it throws, the channel crashes as with any handler: its client joins again later, and asks again.
   */
  may(channel: Channel<Assigns>, keys: readonly string[]): Awaitable<boolean | Iterable<string>>
  /** How long a key must be without a presence until it is offline, in ms. Default 5000. */
  readonly graceMs?: number
  /** How long the changes for a client are collected for one message, in ms. Default 250. */
  readonly paceMs?: number
  /** The keys that one client may ask about, at a time and in one question. Further ones are refused. Default 1000. */
  readonly maxKeys?: number
}

/**
 * Returns the handlers of a channel by which pages ask which keys are online in any topic, on any node: `connection.online(keys)`.
 *
 * ```ts
 * server.channel("presence:watch", watchKeys({ may: ({ assigns }, keys) => friendsAmong(assigns.userId, keys) }))
 * ```
 *
 * Keys longer than `maxKeyLength` are refused.
 * @throws ConfigError for an invalid option
 */
export function watchKeys<Assigns extends object = AnyAssigns>(
  options: WatchChannelOptions<Assigns>,
): ServerHandlers<Assigns> {
  const { may, graceMs = 5_000, paceMs = 250, maxKeys = 1_000 } = (options as typeof options | undefined) ?? {}
  checkKnownNames("an option of watchKeys", options, { may: true, graceMs: true, paceMs: true, maxKeys: true })
  if (typeof may !== "function") throw new ConfigError(`expected watchKeys to get a function may, got ${kindOf(may)}`)
  for (const [name, ms] of Object.entries({ graceMs, paceMs })) {
    if (typeof ms === "number" && ms >= 0 && ms <= MAX_MS) continue
    throw new ConfigError(`expected ${name} to be a time from 0 to ${MAX_MS} ms, got ${inspect(ms)}`)
  }
  if (!(typeof maxKeys === "number" && maxKeys >= 1))
    throw new ConfigError(`expected maxKeys to be 1 or more, got ${inspect(maxKeys)}`)

  return ({ presence, timers, limits: { maxKeyLength }, count }) => {
    const keys = new SharedKeys({ presence, timers, graceMs, paceMs })
    const questions = new WeakMap<object, KeyQuestion>()
    // Unique also beside the metas of the node from which a client comes after a reconnect.
    const prefix = randomHex(4)
    let refs = 0
    const nextRef = (): string => `${prefix}${(refs += 1).toString(36)}`
    const refused = (by: number): void => {
      if (by > 0) count("refused_keys", by)
    }

    return {
      join(_topic, params, channel) {
        const lists = keysOf(params, "keys")
        if (lists === undefined) return invalid("keys", params)
        const permitted = (asked: readonly string[]) => andThen(may(channel, asked), (given) => allowed(given, asked))
        const question = new KeyQuestion(channel, { keys, maxKeys, maxKeyLength, permitted, nextRef, refused })
        questions.set(channel, question)
        return andThen(question.add(lists.keys), () => ({ ok: {} }))
      },
      joined(channel) {
        questions.get(channel)?.sendState()
      },
      left(channel) {
        questions.get(channel)?.end()
      },
      on: {
        [WATCH](payload, channel) {
          const lists = keysOf(payload, "add", "remove")
          const question = questions.get(channel)
          if (lists === undefined || question === undefined) return invalid("add and remove", payload)
          const { add, remove } = lists
          question.remove(remove)
          return andThen(question.add(add), () => {
            if (!channel.ended) question.sendChanges(add)
            return { ok: {} }
          })
        },
      },
    }
  }
}

const invalid = (names: string, payload: unknown): { error: object } => {
  const got = isJsonObject(payload) ? "other values" : kindOf(payload)
  return { error: { reason: INVALID_KEYS, message: `expected an object with ${names}, lists of strings, got ${got}` } }
}

/** @throws ConfigError for what is no answer of `may` */
function allowed(given: unknown, asked: readonly string[]): ReadonlySet<string> {
  if (typeof given === "boolean") return new Set(given ? asked : [])
  // A text would be taken for the list of its letters.
  if (typeof given === "object" && given !== null && Symbol.iterator in given) return new Set(given as Iterable<string>)
  throw new ConfigError(`expected may to return a list of keys, true or false, got ${kindOf(given)}`)
}

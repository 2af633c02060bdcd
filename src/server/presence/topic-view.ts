import type { PresenceEntry, PresenceState } from "../../wire/presence.ts"
import { Payload } from "../../wire/payload.ts"

/**
 * Who is in one topic, kept in step with its changes: a change costs the user whom it is about.
 *
 * A snapshot still costs a reference for each user, and a thousand people who come at once each take one. That is why
 * the users of the last snapshot are kept and not grouped anew.
 */
export class TopicView {
  readonly #find: (key: string) => PresenceEntry | undefined
  readonly #users = new Map<string, PresenceEntry>()
  #state: PresenceState | undefined
  #payload: Payload | undefined

  /** @param find a user as it is now, or `undefined` when nobody is there under the key */
  constructor(keys: Iterable<string>, find: (key: string) => PresenceEntry | undefined) {
    this.#find = find
    for (const key of keys) if (!this.#users.has(key)) this.#look(key)
  }

  get empty(): boolean {
    return this.#users.size === 0
  }

  /** Takes in that something changed under these keys. */
  changed(keys: Iterable<string>): void {
    for (const key of keys) this.#look(key)
    this.#state = undefined
    this.#payload = undefined
  }

  /** Everyone by key, frozen; the same object until something changes. Without a prototype, since a key may be `__proto__`. */
  get state(): PresenceState {
    if (this.#state !== undefined) return this.#state
    const state = Object.create(null) as Record<string, PresenceEntry>
    for (const [key, user] of this.#users) state[key] = user
    this.#state = Object.freeze(state)
    return this.#state
  }

  /** The state as JSON: encoded once, for however many clients. */
  get payload(): Payload {
    this.#payload ??= Payload.plain(this.state)
    return this.#payload
  }

  #look(key: string): void {
    const user = this.#find(key)
    if (user === undefined) this.#users.delete(key)
    else this.#users.set(key, user)
  }
}

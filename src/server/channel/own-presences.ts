import type { PresenceSelf } from "../../wire/introduction.ts"

/** A channel whose client is notified of its own presence. */
export interface OwnPresenceListener {
  readonly topic: string
  readonly pid: string
  /** Called at once when the presence was tracked, or has a new ref. */
  ownPresence(self: PresenceSelf): void
}

/**
 * Notifies channels of their own presence: the first one that a channel tracks in its topic, until that one is untracked.
 *
 * The pid identifies the channel, since an application may update a presence without the channel's object.
 */
export class OwnPresences {
  readonly #channels = new Map<string, { readonly listener: OwnPresenceListener; key?: string }>()
  readonly #isTracked: (channel: OwnPresenceListener, key: string) => boolean

  constructor(isTracked: (channel: OwnPresenceListener, key: string) => boolean) {
    this.#isTracked = isTracked
  }

  /** Notifies a channel from now on, until `unfollow`. */
  follow(listener: OwnPresenceListener): void {
    this.#channels.set(listener.pid, { listener })
  }

  unfollow(pid: string): void {
    this.#channels.delete(pid)
  }

  /** A presence was tracked or updated. */
  changed(pid: string, topic: string, key: string, ref: string): void {
    const channel = this.#channels.get(pid)
    if (channel === undefined || channel.listener.topic !== topic) return
    const isOther = channel.key !== undefined && channel.key !== key
    if (isOther && this.#isTracked(channel.listener, channel.key as string)) return
    channel.key = key
    channel.listener.ownPresence({ key, phx_ref: ref })
  }
}

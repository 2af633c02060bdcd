import { guard } from "../../listeners.ts"
import { PRESENCE_SELF } from "../../wire/introduction.ts"
import type { PresenceSelf } from "../../wire/introduction.ts"
import { Payload } from "../../wire/payload.ts"
import type { OwnPresenceListener, OwnPresences } from "./own-presences.ts"
import type { OutboxOwner } from "./outbox.ts"

type Owner = Pick<OutboxOwner, "joinRef" | "serializer" | "topic" | "write"> & { readonly pid: string }

/**
 * Sends a channel's own presence to its client: under which key, and with which ref, the client is in the states and diffs.
 *
 * It is sent at once, not behind pushes that are held: the client must know it before the state that contains it.
 */
export class OwnPresence implements OwnPresenceListener {
  readonly topic: string
  readonly pid: string
  readonly #channel: Owner
  readonly #presences: OwnPresences
  #isJoined = false
  /** What was tracked before the join was answered. Until then, the client expects no message. */
  #early: PresenceSelf | undefined

  constructor(channel: Owner, presences: OwnPresences) {
    this.topic = channel.topic
    this.pid = channel.pid
    this.#channel = channel
    this.#presences = presences
    presences.follow(this)
  }

  /** The join has been answered. */
  joined(): void {
    this.#isJoined = true
    if (this.#early !== undefined) this.ownPresence(this.#early)
  }

  ownPresence(self: PresenceSelf): void {
    if (!this.#isJoined) {
      this.#early = self
      return
    }
    const { joinRef, serializer, topic } = this.#channel
    // The client can do without the message. So a serializer that throws for it must not make `track` fail.
    guard(
      () => this.#channel.write(undefined),
      () => {
        const data = serializer.push(joinRef, topic, PRESENCE_SELF, Payload.of(self))
        this.#channel.write(data === undefined ? undefined : { data })
      },
    )
  }

  /** The channel has ended. */
  end(): void {
    this.#presences.unfollow(this.pid)
  }
}

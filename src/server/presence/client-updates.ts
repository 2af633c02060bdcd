import { RollcallError } from "../../error.ts"
import { isJsonObject } from "../../json.ts"
import type { Timers } from "../../timers.ts"
import type { Row, TrackedMeta, Tracker } from "../../tracker/tracker.ts"
import { FIELD_NOT_ALLOWED, META_NOT_OBJECT, NOT_TRACKED } from "../../wire/refusals.ts"
import type { Reply } from "../channel/reply.ts"
import { HeldUpdates } from "./held-updates.ts"
import type { HeldChange, UpdatedChannel } from "./held-updates.ts"
import { metaOf } from "./track-input.ts"

/** The rules by which `handleUpdate` checks a client's update. */
export interface UpdateRules {
  /** The fields that a client may set; others are refused. By default, any field. */
  readonly allow?: readonly string[]
  /** The key to update, when the channel tracks more than one. */
  readonly key?: string
}

/** The limits of clients' updates, and what is called when they are reached. */
export interface ClientUpdateLimits {
  /** How many updates of one channel are applied within a second; by default any number. */
  readonly maxUpdatesPerSecond?: number
  /** Called for each update that is held because of `maxUpdatesPerSecond`. */
  updateHeld?(): void
  /** Called when a held update cannot be applied any more. */
  updateFailed?(topic: string, error: unknown): void
}

interface ClientUpdatesOptions extends ClientUpdateLimits {
  readonly tracker: Tracker
  readonly timers: Timers
  readonly maxMetaBytes: number
  update(channel: UpdatedChannel, key: string, change: (current: TrackedMeta) => object): string
}

/** Handles the updates that clients send of their own metas. */
export class ClientUpdates {
  readonly #options: ClientUpdatesOptions
  readonly #held: HeldUpdates

  constructor(options: ClientUpdatesOptions) {
    this.#options = options
    const { timers, maxUpdatesPerSecond = Infinity } = options
    this.#held = new HeldUpdates({ timers, maxUpdatesPerSecond, apply: (...args) => this.#apply(...args) })
  }

  /** Handles `{ meta }`, and returns the reply to it. */
  handle(channel: UpdatedChannel, payload: unknown, rules: UpdateRules): Reply {
    const meta = (Object(payload) as { meta?: unknown }).meta
    if (!isJsonObject(meta)) return { error: { reason: META_NOT_OBJECT } }
    const foreign = rules.allow && Object.keys(meta).find((field) => !rules.allow?.includes(field))
    if (foreign !== undefined) return { error: { reason: FIELD_NOT_ALLOWED, field: foreign } }
    const rows = this.#options.tracker.getByPid(channel.pid, channel.topic)
    const row = rules.key === undefined ? rows[0] : rows.find(({ key }) => key === rules.key)
    if (row === undefined) return { error: { reason: rules.key === undefined ? NOT_TRACKED : "not_tracked" } }
    try {
      if (this.#held.mustHold(channel)) return this.#hold(channel, row, meta)
      return { ok: { phx_ref: this.#options.update(channel, row.key, (current) => ({ ...current, ...meta })) } }
    } catch (error) {
      if (error instanceof RollcallError) return { error: { reason: error.code } }
      throw error
    }
  }

  /**
   * Handles a whole meta that a client sends in the place of its own.
   * @throws RollcallError `meta_too_large`, `not_tracked`; ConfigError when JSON cannot write the meta
   */
  replace(channel: UpdatedChannel, key: string, meta: object): void {
    if (!this.#held.mustHold(channel)) {
      this.#options.update(channel, key, () => meta)
      return
    }
    this.#keep(channel, key, { fields: metaOf(meta, this.#options.maxMetaBytes), isWhole: true })
  }

  /** Returns a meta with what is held for it and not applied yet. */
  ahead(channel: Pick<UpdatedChannel, "pid">, key: string, current: TrackedMeta): TrackedMeta {
    return changed(current, this.#held.change(channel, key))
  }

  /** Drops what is held for a key, or for all keys of a channel. */
  drop(channel: Pick<UpdatedChannel, "pid">, key?: string): void {
    this.#held.drop(channel, key)
  }

  /** @throws RollcallError `meta_too_large`; ConfigError when JSON cannot write the meta */
  #hold(channel: UpdatedChannel, { key, meta }: Row, fields: object): Reply {
    const held = this.#held.change(channel, key)
    const change = { ...held, fields: { ...held.fields, ...fields } }
    metaOf(changed(meta, change), this.#options.maxMetaBytes)
    this.#keep(channel, key, change)
    return { ok: { phx_ref: meta.phx_ref } }
  }

  #keep(channel: UpdatedChannel, key: string, change: HeldChange): void {
    this.#held.hold(channel, key, change)
    this.#options.updateHeld?.()
  }

  #apply(channel: UpdatedChannel, key: string, change: HeldChange): void {
    try {
      this.#options.update(channel, key, (current) => changed(current, change))
    } catch (error) {
      this.#options.updateFailed?.(channel.topic, error)
    }
  }
}

const changed = (current: TrackedMeta, { fields, isWhole }: HeldChange): TrackedMeta =>
  isWhole ? { ...fields, phx_ref: current.phx_ref } : { ...current, ...fields }

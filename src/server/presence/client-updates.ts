import { ConfigError, RollcallError } from "../../error.ts"
import { isJsonObject } from "../../json.ts"
import type { StandardSchema } from "../../standard-schema.ts"
import type { Timers } from "../../timers.ts"
import type { Row, TrackedMeta, Tracker } from "../../tracker/tracker.ts"
import { FIELD_NOT_ALLOWED, META_NOT_OBJECT, NOT_TRACKED } from "../../wire/refusals.ts"
import { foreignField, keepChoices } from "../channel/choices.ts"
import { checkAllow, metaRefusal, validMeta } from "../channel/client-meta.ts"
import type { ClientMetaRules } from "../channel/client-meta.ts"
import type { Reply } from "../channel/reply.ts"
import { HeldUpdates } from "./held-updates.ts"
import type { MetaChange, UpdatedChannel } from "./held-updates.ts"
import { metaOf } from "../track-input.ts"

/** The rules by which `handleUpdate` checks a client's update. */
export interface UpdateRules {
  /** The fields that a client may set; others are refused. By default those of the channel's handlers, or any. */
  readonly allow?: readonly string[]
  /** The schema of the whole meta after the update. By default that of the defined room, or none. */
  readonly schema?: StandardSchema<unknown, object>
  /** The key to update, when the channel tracks more than one. */
  readonly key?: string
}

/** The limits of clients' updates, and what is called when they are reached. */
export interface ClientUpdateLimits {
  /** How many updates of one channel are applied within a second; by default any number. */
  readonly maxUpdatesPerSecond?: number
  /** Counts each update that is held because of `maxUpdatesPerSecond`, and each that is refused. */
  count?(name: "held_updates" | "refused_presences"): void
  /** Called when a held update cannot be applied any more. */
  updateFailed?(topic: string, error: unknown): void
}

interface ClientUpdatesOptions extends ClientUpdateLimits {
  readonly tracker: Tracker
  readonly timers: Timers
  readonly maxMetaBytes: number
  update(channel: UpdatedChannel, key: string, change: (current: TrackedMeta) => object): string
}

/** A channel, and which updates its handlers accept. */
type RuledChannel = UpdatedChannel & { readonly handlers?: ClientMetaRules }

/** Returns a meta with the fields of a change. A field that is `undefined` is removed, and with it the count of its choices. */
function merged(current: TrackedMeta, { fields, isWhole }: MetaChange): TrackedMeta {
  if (isWhole === true) return { ...fields, phx_ref: current.phx_ref }
  const removed = Object.entries(fields).flatMap(([field, value]) => (value === undefined ? [field] : []))
  if (removed.length === 0) return { ...current, ...fields }
  const left = Object.entries({ ...current, ...fields }).filter(([field]) => !removed.includes(field))
  return keepChoices(Object.fromEntries(left), (field) => !removed.includes(field)) as TrackedMeta
}

/**
 * Returns the fields that an update changes. A field that the client removes is `undefined`: it is listed in `remove`, and `null` for
 * servers that do not know that list.
 */
function fieldsOf(meta: Record<string, unknown>, remove: unknown): Record<string, unknown> {
  if (!Array.isArray(remove)) return meta
  const removed = (remove as unknown[]).filter((field) => typeof field === "string" && Object.hasOwn(meta, field))
  return { ...meta, ...Object.fromEntries(removed.map((field) => [field as string, undefined])) }
}

/** Returns the same as the schema of the change returns it. @throws RollcallError `invalid_meta` */
function changed(current: TrackedMeta, change: MetaChange): object {
  const meta = merged(current, change)
  return change.metaSchema === undefined ? meta : validMeta(change.metaSchema, meta)
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

  /** Handles `{ meta }` or `{ meta, remove }`, and returns the reply to it. @throws ConfigError for invalid rules */
  handle(channel: RuledChannel, payload: unknown, rules: UpdateRules): Reply {
    const reply = this.#handle(channel, payload, rules)
    if ("error" in reply) this.#options.count?.("refused_presences")
    return reply
  }

  #handle(channel: RuledChannel, payload: unknown, rules: UpdateRules): Reply {
    const { meta, remove: removed } = Object(payload) as { meta?: unknown; remove?: unknown }
    if (!isJsonObject(meta)) return { error: { reason: META_NOT_OBJECT } }
    const fields = fieldsOf(meta, removed)
    const { allow = channel.handlers?.allow, schema: metaSchema = channel.handlers?.metaSchema } = rules
    const foreign = foreignField(fields, checkAllow(allow))
    if (foreign !== undefined) return { error: { reason: FIELD_NOT_ALLOWED, field: foreign } }
    const rows = this.#options.tracker.getByPid(channel.pid, channel.topic)
    const row = rules.key === undefined ? rows[0] : rows.find(({ key }) => key === rules.key)
    if (row === undefined) return { error: { reason: rules.key === undefined ? NOT_TRACKED : "not_tracked" } }
    const change = { fields, metaSchema }
    try {
      if (this.#held.mustHold(channel)) return this.#hold(channel, row, change)
      return { ok: { phx_ref: this.#options.update(channel, row.key, (current) => changed(current, change)) } }
    } catch (error) {
      // With a schema, it is the schema that validates asynchronously, or returns something that is not JSON.
      if (error instanceof ConfigError && metaSchema !== undefined) throw error
      if (error instanceof RollcallError) return { error: metaRefusal(error) }
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
    return merged(current, this.#held.change(channel, key))
  }

  /** Drops what is held for a key, or for all keys of a channel. */
  drop(channel: Pick<UpdatedChannel, "pid">, key?: string): void {
    this.#held.drop(channel, key)
  }

  /** @throws RollcallError `meta_too_large`, `invalid_meta`; ConfigError when JSON cannot write the meta */
  #hold(channel: UpdatedChannel, { key, meta }: Row, { fields, metaSchema }: MetaChange): Reply {
    const held = this.#held.change(channel, key)
    const change = { ...held, fields: { ...held.fields, ...fields }, metaSchema }
    const checked = metaOf(changed(meta, change), this.#options.maxMetaBytes) as Record<string, unknown>
    // A schema may have left out a field. The server's program must not get it either when it updates the meta meanwhile.
    const kept = Object.entries(change.fields)
      .filter(([field, value]) => value === undefined || Object.hasOwn(checked, field))
      .map(([field, value]) => [field, value === undefined ? value : checked[field]] as const)
    this.#keep(channel, key, { ...change, fields: Object.fromEntries(kept) })
    return { ok: { phx_ref: meta.phx_ref } }
  }

  #keep(channel: UpdatedChannel, key: string, change: MetaChange): void {
    this.#held.hold(channel, key, change)
    this.#options.count?.("held_updates")
  }

  #apply(channel: UpdatedChannel, key: string, change: MetaChange): void {
    try {
      this.#options.update(channel, key, (current) => changed(current, change))
    } catch (error) {
      this.#options.updateFailed?.(channel.topic, error)
    }
  }
}

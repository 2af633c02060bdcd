/** The presence payloads on the wire: what `presence_state` and `presence_diff` carry. */

/**
 * One device of one user: the fields that the server tracks, and a unique reference.
 *
 * `phx_ref` is opaque and never used twice. After an update, `phx_ref_prev` is the reference that `phx_ref` replaces.
 */
export type Meta<Fields extends object = Record<string, unknown>> = Readonly<Fields> & {
  readonly phx_ref: string
  readonly phx_ref_prev?: string
}

/** One user: all metas under one key, oldest first, and the fields that the server's `fetch` added. */
export type PresenceEntry<Fields extends object = Record<string, unknown>> = {
  readonly metas: readonly Meta<Fields>[]
  readonly [extra: string]: unknown
}

/** Key → user: the payload of `presence_state`, and the map that `syncState` and `syncDiff` return. */
export type PresenceState<Fields extends object = Record<string, unknown>> = {
  readonly [key: string]: PresenceEntry<Fields>
}

/** The payload of `presence_diff`: under each key only the metas that joined or left. An update is in both maps. */
export type PresenceDiff<Fields extends object = Record<string, unknown>> = {
  readonly joins: PresenceState<Fields>
  readonly leaves: PresenceState<Fields>
}

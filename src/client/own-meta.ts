/**
 * Our own meta: the fields that the application gave us, and how far they have come. They travel with the join, as `me`, and in
 * updates. Updates are throttled, one at a time, and carry the last value of each field. After a rejoin, all fields are sent
 * again unless the server shows that it took them from the join.
 */
import { RollcallError } from "../error.ts"
import { isObject } from "../json.ts"
import type { Clock } from "../timers.ts"
import { CHOSEN } from "../wire/choices.ts"
import { nextCount } from "./choices.ts"
import { assertFits } from "./frame-size.ts"
import { same } from "./metas.ts"
import { checkNumbers } from "./option-checks.ts"
import type { Pushes } from "./pushes.ts"
import type { RoomChannel } from "./room-channel.ts"
import {
  createBatch,
  filter,
  jsonOf,
  payloadOf,
  merge,
  valueAt,
  without,
  type Batch,
  type Fields,
} from "./update-batch.ts"

/** Options of `room.update`. */
export interface UpdateOptions {
  /** After so many milliseconds without another update of these fields, they go back to what they were. Default: they stay. */
  readonly forMs?: number | undefined
  /** Whether the user chooses these fields for all of their devices: see `merged`. Default `false`. */
  readonly chosen?: boolean | undefined
}

/** Fields to change; one that is `undefined` is removed. */
type Change<F extends object> = { readonly [Field in keyof F]?: F[Field] | undefined }

/** What `room.update` takes: fields to change, or a function that gets our own fields and returns those to change. */
export type Patch<F extends object = Record<string, unknown>> = Change<F> | ((mine: Readonly<Partial<F>>) => Change<F>)

/** What our own meta needs of the room. */
export interface OwnRoom {
  readonly pushes: Pushes
  /** Returns the metas of all our devices, as far as they are known. */
  metas(): readonly Fields[]
  /** Whether one of them is of this room. */
  isOwn(meta: Fields): boolean
  /** Whether a state is expected that will show what the server took from the join. */
  isExpecting(): boolean
  /** The server has accepted an update, with this ref. */
  accepted(ref: unknown): void
  /** The server has refused an update, or has not answered it. */
  failed(error: RollcallError): void
}

export interface OwnMeta {
  /** A room takes over, perhaps from a former one of the same channel. What is in flight was sent in the same join. */
  bind(room: OwnRoom): void
  /**
   * Resolves when the server has acknowledged what carries the patch.
   * @throws RollcallError `bad_payload` or `payload_too_large`, ConfigError for `forMs`; then nothing has changed
   */
  update(patch: unknown, options?: UpdateOptions): Promise<void>
  /** Returns the params of a join. If the application gave `me`, it has our present fields. */
  carry(params: unknown): unknown
  /** The channel is joined, for the first time or again. */
  join(): void
  /** Sends what can be sent. */
  flush(): void
  /** The server has refused a join. Returns whether it may accept one with `me` as the application gave it. */
  refuse(): boolean
  /**
   * The channel broke. The server may or may not have received the update in flight, so it is sent again, unless the channel
   * crashed: then the update may have caused the crash, and the outcome of its push follows.
   */
  interrupt(isCrash: boolean): void
  /** The room is closed. Does nothing if another one has taken over. @param error the outcome of what is not acknowledged */
  stop(room: OwnRoom, error: RollcallError): void
}

const countsOf = (mine: Fields): Fields => Object(mine[CHOSEN]) as Fields

/** @param event the event of an update */
export function createOwnMeta({ flow, topic }: RoomChannel, event: string, throttleMs: number, timers: Clock): OwnMeta {
  let room: OwnRoom
  /** `me` of the last join. A server may have taken it or not. */
  let carried: Fields = {}
  /** What the server has acknowledged in this join, in an update or by showing it. */
  let acked: Fields = {}
  /** The ref in the server's last response. */
  let ackedRef: unknown
  /** What the server has not answered in time. */
  let unsure: Fields = {}
  /**
   * What is to be acknowledged: what was sent, and what was given since then. If the connection closes, the former is sent again
   * first, by itself and as the same object: if the connection closed because of it, `Flow` does not send it a third time, and
   * nothing else is lost.
   */
  let queue: Batch[] = []
  /** A new object for each push, also for one of a batch that is sent again. */
  let inFlight: object | undefined
  let isJoined = false
  /** Whether the last join carried more than what the application gave. */
  let isCarrying = false
  /** Whether the next join carries no more, because a server may have failed for it. */
  let isPlain = false
  let earliestSendAt = -Infinity
  let timer: unknown
  /** What the fields go back to, and the counters of their choices. */
  const expiries = new Map<string, readonly [before: unknown, count: unknown, timer: unknown]>()

  const unsent = (): Fields[] => queue.flatMap(({ fields, payload }) => (payload ? [] : [fields]))
  const unsettled = (): Fields => merge(unsure, ...queue.map(({ fields }) => fields))

  /** Our own meta, as the server shows it. */
  const shown = (): Fields | undefined => room.metas().find(room.isOwn)
  /** What the server has of ours. If its program has changed our meta since our last update, what it shows counts. */
  const known = (own: Fields | undefined): Fields => (own && own["phx_ref"] !== ackedRef ? own : { ...own, ...acked })

  /** Our own fields, as the application has given them, beside those that the server has set. */
  const ours = (): Fields => {
    const own = shown()
    const {
      phx_ref: _ref,
      phx_ref_prev: _prev,
      ...mine
    } = {
      ...(own ?? carried),
      ...known(own),
      ...unsettled(),
    } as Fields
    return mine
  }

  const add = (fields: Fields): Promise<void> => {
    let last = queue.at(-1)
    if (!last || last.payload) queue.push((last = createBatch()))
    last.fields = merge(last.fields, fields)
    supersede()
    flush()
    return last.outcome
  }

  /** Leaves out of what is sent again the fields that have a newer value. */
  const supersede = (): void => {
    const [first, newer] = queue
    if (inFlight || !newer) return
    const fields = without(first!.fields, newer.fields)
    if (!same(fields, first!.fields)) Object.assign(first!, { fields, payload: undefined })
  }

  const expire = (field: string, before: unknown, count: unknown, ms: number): void => {
    const run = (): void => {
      expiries.delete(field)
      // Otherwise what we had before would seem to be chosen later than what another device has chosen before.
      const counts = countsOf(ours())
      const former = without(counts, { [field]: 0 })
      const isChosen = valueAt(counts, field) !== count
      void add({
        [field]: before,
        ...(isChosen && { [CHOSEN]: count === undefined ? former : merge(former, { [field]: count }) }),
      })
    }
    expiries.set(field, [before, count, timers.set(run, ms)])
  }

  const flush = (): void => {
    const [batch] = queue
    if (!batch || !isJoined || inFlight || (isCarrying && room.isExpecting())) return
    if (!batch.payload) {
      const { fields } = batch
      const own = shown()
      const now = known(own)
      const isUnknown = (field: string): boolean =>
        Object.hasOwn(unsure, field) || (!own && Object.hasOwn(carried, field) && !Object.hasOwn(acked, field))
      batch.fields = filter(fields, (field) => isUnknown(field) || !same(valueAt(now, field), fields[field]))
      acked = merge(acked, without(fields, batch.fields))
      if (!Object.keys(batch.fields).length) {
        queue.shift()
        // Its last fields may have a newer value there.
        batch.resolve(queue[0]?.outcome)
        return flush()
      }
    }
    const wait = earliestSendAt - timers.now()
    timers.clear(timer)
    if (wait > 0) {
      timer = timers.set(flush, wait)
      return
    }
    if (!flow.isFree(flush, flush)) return
    const sent = (inFlight = {})
    earliestSendAt = timers.now() + throttleMs
    room.pushes.send(
      event,
      (batch.payload ??= payloadOf(batch.fields)),
      undefined,
      (error, response) => {
        if (error?.code === "closed") batch.reject(error)
        // After a disconnect, the outcome of this push, such as its timeout, no longer matters.
        if (inFlight !== sent) return
        inFlight = undefined
        queue.shift()
        if (error) {
          const { code, message, reason } = error
          if (code === "timeout") unsure = merge(unsure, batch.fields)
          const failure = new RollcallError(code === "push_rejected" ? "update_rejected" : code, message, { reason })
          batch.reject(failure)
          room.failed(failure)
        } else {
          acked = merge(acked, batch.fields)
          unsure = without(unsure, batch.fields)
          ackedRef = (response as { phx_ref?: unknown } | null)?.phx_ref
          batch.resolve()
          room.accepted(ackedRef)
        }
        flush()
      },
      true,
    )
  }

  return {
    bind(next) {
      room = next
      if (inFlight) unsure = merge(unsure, queue.shift()!.fields)
      inFlight = undefined
    },
    update(patch, { forMs, chosen } = {}) {
      checkNumbers({ forMs })
      const mine = ours()
      const isFunction = typeof patch === "function"
      let fields = jsonOf(isFunction ? (patch as (mine: Fields) => unknown)(mine) : patch)
      // `(mine) => ({ ...mine, status })` changes only `status`: the fields that the server sets do not become ours, and others that
      // expire do so in time. A function that changes nothing makes its fields stay.
      const isChange = (field: string): boolean => !same(valueAt(mine, field), fields[field])
      if (isFunction && (forMs !== undefined || Object.keys(fields).some(isChange)))
        fields = filter(fields, (field) => isChange(field) || (forMs !== undefined && expiries.has(field)))
      const names = Object.keys(fields)
      if (chosen) {
        const others = room.metas().filter((meta) => !room.isOwn(meta))
        const counts = names.map((field) => [field, nextCount(others, mine, field, fields[field])])
        fields = { ...fields, [CHOSEN]: { ...countsOf(mine), ...Object.fromEntries(counts) } }
      }
      if (isFunction) fields = filter(fields, isChange)
      // After a rejoin, all fields are sent in one message.
      assertFits(flow.maxBytes, topic, event, payloadOf(merge(acked, unsettled(), fields)))
      for (const field of names) {
        const [before, count, running] = expiries.get(field) ?? [valueAt(mine, field), valueAt(countsOf(mine), field)]
        timers.clear(running)
        expiries.delete(field)
        if (forMs !== undefined) expire(field, before, count, forMs)
      }
      return add(fields)
    },
    carry(params) {
      const { me } = Object(params) as { readonly me?: unknown }
      isCarrying = false
      carried = {}
      if (!isObject(me)) return params
      // What was sent when the connection closed may have closed it. Alone in an update, it cannot do so more than twice.
      const mine = merge(acked, unsure, ...unsent())
      isCarrying = !isPlain && Object.keys(mine).length > 0
      carried = isCarrying ? merge(me, mine) : me
      return isCarrying ? { ...(params as object), me: carried } : params
    },
    join() {
      if (isJoined) return flush()
      const again = merge(acked, unsure, ...unsent())
      acked = unsure = {}
      ackedRef = undefined
      isPlain = false
      isJoined = true
      earliestSendAt = timers.now()
      const [first] = queue
      void add(first?.payload ? without(again, first.fields) : again)
    },
    flush,
    refuse: () => (isPlain = isCarrying),
    interrupt(isCrash) {
      isJoined = false
      isPlain = isCrash
      if (isCrash) return
      inFlight = undefined
      supersede()
    },
    stop(closed, error) {
      if (room !== closed) return
      isJoined = false
      for (const batch of queue) batch.reject(error)
      queue = []
      inFlight = undefined
      timers.clear(timer)
      for (const [, , running] of expiries.values()) timers.clear(running)
    },
  }
}

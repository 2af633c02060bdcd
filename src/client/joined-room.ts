/** A joined topic: its users, our own meta, its messages, and whether the view is up to date. */
import { RollcallError } from "../error.ts"
import { guard } from "../listeners.ts"
import type { Clock } from "../timers.ts"
import { PRESENCE_DIFF, PRESENCE_STATE, PRESENCE_UPDATE } from "../wire/events.ts"
import { PRESENCE_SELF } from "../wire/introduction.ts"
import { TEMPORARY_REFUSALS } from "../wire/refusals.ts"
import { createVolatile } from "./broadcast.ts"
import { createErrors, warn } from "./callback-errors.ts"
import { JoinRejected, PARAMS_FAILED } from "./errors.ts"
import { createGrace, type Grace } from "./grace.ts"
import { same } from "./metas.ts"
import { createOwnMeta, type OwnMeta, type OwnRoom } from "./own-meta.ts"
import { checkNumbers } from "./option-checks.ts"
import { createPushes } from "./pushes.ts"
import { createReady } from "./ready.ts"
import { connectionReason, OFFLINE, type Reason } from "./reason.ts"
import type { BroadcastOptions, Room } from "./room.ts"
import type { RoomChannel } from "./room-channel.ts"
import type { RoomOptions } from "./room-options.ts"
import { createSelf, type Self } from "./self.ts"
import { createStore, type Store, type Entry, type Status } from "./store.ts"
import { createSync, type Sync } from "./sync.ts"
import { createUserViews, select } from "./view.ts"

/** What the next room of a topic takes over, and with it the channel. */
type Former<F extends object> = readonly [
  store: Store<F>,
  self: Self<F>,
  reason: Reason | undefined,
  sync: ReturnType<Sync<F>["handOver"]>,
  ownMeta: OwnMeta,
  grace: ReturnType<Grace<F>["handOver"]>,
]

/** A room, and what gives its place to the next one. */
export type JoinedRoom<F extends object> = readonly [room: Room<F>, handOver: () => Former<F>]

/**
 * Returns a room that joins at once.
 *
 * @param release called at each `leave`; returns how many hold the room then: none closes it, less than none leaves its topic
 * @param timers time the updates
 * @param former of a room of the same topic that is left: this one goes on from its view
 */
export function createRoom<F extends object>(
  given: RoomChannel,
  options: RoomOptions,
  release: () => number,
  timers: Clock,
  former?: Former<F>,
): JoinedRoom<F> {
  const { key, updateEvent = PRESENCE_UPDATE, updateThrottleMs = 100, broadcastThrottleMs = 50 } = options
  let { readyTimeoutMs = 10_000 } = options
  let readyTimer: unknown
  let hasWarned = false
  let isAwaited: boolean | undefined
  let settleJoined: { resolve: (response: unknown) => void; reject: (error: RollcallError) => void } | undefined
  const { topic } = given
  const errors = createErrors()
  const names = { state: PRESENCE_STATE, diff: PRESENCE_DIFF, ...options.events }
  const channel: RoomChannel & { readonly invalidCount?: number } =
    options.definition?.withValidation(given, options, names, errors, same) ?? given
  const pushes = createPushes(channel)
  let [formerStore, self = createSelf<F>(key), reason, view, ownMeta, memory]: Partial<Former<F>> = former ?? []
  ownMeta ??= createOwnMeta(channel, updateEvent, updateThrottleMs, timers)
  const store = createStore<F>(errors.failed, formerStore)
  const grace = createGrace(store, options, timers, Date.now, memory)
  const [ready, settleReady] = createReady(store.getSnapshot)
  // A former room has shown its view, even if it is stale by now.
  if (store.status !== "joining") settleReady()

  const isUsable = (): boolean => store.status === "live" || store.status === "joining"
  const [sendVolatile, stopVolatile] = createVolatile(channel, broadcastThrottleMs, timers, isUsable, errors.report)
  const publish = (): void => {
    store.touch()
    store.notify()
  }

  const setStatus = (status: Status, why: Reason | undefined): void => {
    if (store.status === "closed") return
    reason = why
    // A pause is a decision of the application, and no loss. Nor is there one where nothing can be connected.
    const isLoss = status !== "live" && status !== "closed" && why?.code !== "paused" && why?.code !== "no_transport"
    grace.setStatus(status, isLoss)
    publish()
  }

  /** A room that never joins says so once, as soon as the application waits for it. A server that renders a page does not wait. */
  const awaitConnection = (isOutcomeRead?: boolean): void => {
    isAwaited ||= isOutcomeRead
    if (hasWarned || reason?.code !== "no_transport") return
    hasWarned = true
    warn(`${topic}: ${reason.detail as string}`)
  }

  const learnSelf = (learn: () => void): void => {
    const before = room.self
    learn()
    if (room.self !== before) publish()
  }

  const closedError = (what: string): RollcallError =>
    new RollcallError("closed", `${what} on ${topic}: the room is closed`, { reason })

  const close = (why: Reason): void => {
    if (store.status === "closed") return
    sync.stop()
    stopVolatile()
    timers.clear(readyTimer)
    setStatus("closed", why)
    ownMeta.stop(own, closedError("update"))
    pushes.close(why)
    settleJoined?.reject(closedError("join"))
    settleJoined = undefined
    settleReady(closedError("ready"))
  }

  const expectState = (): void => {
    if (!sync.isPending) return
    const isJoined = channel.state === "joined"
    const known = reason?.code === "timeout" ? undefined : reason
    const hint = isJoined
      ? "Does the server track presence, and push it?"
      : `The room is not joined: ${known ? [known.code, known.detail].filter(Boolean).join(", ") : "no answer. Check the URL"}`
    const message = `${topic}: expected a state within ${readyTimeoutMs} ms, got none. ${hint}`
    const error = new RollcallError("no_state", message)
    settleReady(error)
    // The status has a known reason. Without one, nothing has answered: Vite leaves a WebSocket waiting whose path it does not know.
    if (!isJoined && known) return
    readyTimeoutMs = 0
    errors.log(error)
    ownMeta.flush()
  }

  const awaitState = (): void => {
    timers.clear(readyTimer)
    if (readyTimeoutMs) readyTimer = timers.set(expectState, readyTimeoutMs)
  }

  const joined = new Promise((resolve, reject) => (settleJoined = { resolve, reject }))
  // A refusal is also in `status`. If the caller does not use `joined`, its rejection must not end the process.
  joined.catch(() => {})

  const room: Room<F> = {
    topic,
    get joined() {
      awaitConnection(true)
      return joined
    },
    get ready() {
      awaitConnection(true)
      return ready()
    },
    get status() {
      return store.status
    },
    get reason() {
      return store.status === "live" ? undefined : reason
    },
    get isLost() {
      return grace.isLost
    },
    get size() {
      return store.size
    },
    get invalidCount() {
      return channel.invalidCount ?? 0
    },
    get self() {
      const found = self.find(store.getSnapshot())
      return found && store.left.has(found.key) ? undefined : found
    },
    getSnapshot: store.getSnapshot,
    subscribe: store.subscribe,
    onChange: store.onChange,
    onError: errors.add,
    list: <T>(chooser?: (key: string, user: Entry<F>) => T) => {
      const { users } = store.getSnapshot()
      return chooser ? users.map((user) => chooser(user.key, user)) : users
    },
    get: (key) => store.entry(key),
    others: select(store, (snapshot) => {
      const me = self.find(snapshot)
      return me ? Object.freeze(snapshot.users.filter((user) => user !== me)) : snapshot.users
    }).getSnapshot,
    user: createUserViews(store, errors.failed),
    select: (selector, isEqual) => select(store, selector, isEqual),
    update(patch, updateOptions) {
      awaitConnection()
      if (store.status === "closed") throw closedError("update")
      return ownMeta.update(patch, updateOptions)
    },
    push<Response>(event: string, payload: object = {}, timeout?: number) {
      awaitConnection()
      const reply = new Promise<Response>((resolve, reject) => {
        checkNumbers({ timeout })
        if (store.status === "closed") throw closedError(event)
        pushes.send(event, payload, timeout, (error, response) =>
          error ? reject(error) : resolve(response as Response),
        )
      })
      reply.catch(() => {})
      return reply
    },
    broadcast(event: string, payload: object = {}, { volatile }: BroadcastOptions = {}) {
      const sent = Promise.resolve(volatile ? sendVolatile(event, payload) : room.push(event, payload)).then(() => {})
      sent.catch(() => {})
      return sent
    },
    on<Payload>(event: string, callback: (payload: Payload) => void) {
      const ref = channel.on(event, (payload) => guard(errors.failed, () => callback(payload as Payload)))
      return () => channel.off(event, ref)
    },
    leave() {
      if (store.status === "closed") return
      const holders = release()
      if (holders <= 0) close({ code: "left" })
      if (holders < 0) channel.leave()
    },
  }
  const applied = (): void => {
    settleReady()
    store.notify()
    channel.ensureClean()
    ownMeta.flush()
  }
  const sync = createSync(channel, grace, options, { applied, failed: errors.report }, () => timers.now(), view)
  const own: OwnRoom = {
    pushes,
    metas: () => self.metas(store),
    isOwn: self.isOwn,
    isExpecting: () => self.isNamed && sync.isPending && readyTimeoutMs > 0,
    accepted: (ref) => typeof ref === "string" && learnSelf(() => self.setRef(ref)),
    failed: errors.report,
  }
  ownMeta.bind(own)
  channel.on(PRESENCE_SELF, (payload) => learnSelf(() => self.setKey(payload)))
  channel.join({
    carry: ownMeta.carry,
    ok(response) {
      if (store.status === "closed") return
      settleJoined?.resolve(response)
      settleJoined = undefined
      pushes.flush()
      ownMeta.join()
      awaitState()
      if (!readyTimeoutMs) {
        // A topic without presence has no state that would show that the connection is back.
        grace.setStatus(store.status)
        publish()
      }
    },
    error(response) {
      const mayRetry = ownMeta.refuse()
      if (response instanceof RollcallError && response.code === PARAMS_FAILED) {
        errors.log(response)
        return setStatus(store.status, { code: PARAMS_FAILED, detail: response })
      }
      // The join is tried again, because the server may accept it a moment later, or without what was given to `update`.
      if (
        mayRetry ||
        (TEMPORARY_REFUSALS as readonly unknown[]).includes((response as { reason?: unknown } | null)?.reason)
      )
        return setStatus(store.status, { code: "unavailable", detail: response })
      const error = response instanceof RollcallError ? response : new JoinRejected(topic, response)
      settleJoined?.reject(error)
      // A refused rejoin has no promise. If nobody uses the promises of the first join, the page would only stay empty.
      if (!settleJoined) errors.report(error)
      else if (!isAwaited) warn(error.message)
      settleReady(error)
      close({ code: "rejected", detail: response })
      // Otherwise phoenix.js would go on trying to join the topic.
      channel.leave()
    },
    timeout: () => setStatus(store.status, { code: "timeout" }),
    broken(detail) {
      if (store.status === "closed") return
      const why = connectionReason(detail)
      ownMeta.interrupt(!why)
      self.setRef(undefined)
      const crash = (detail as { reason?: unknown } | undefined)?.reason
      if (!why) pushes.crash(crash)
      setStatus(store.status === "live" ? "stale" : store.status, why ?? { code: "crashed", detail: crash })
    },
    closed(detail) {
      const isJoining = settleJoined
      close(connectionReason(detail) ?? { code: "kicked", detail })
      // Otherwise phoenix.js would join again after the timeout of the join that got no reply.
      if (isJoining) channel.leave()
    },
    doubted(isDoubted) {
      if (isDoubted ? store.status === "live" : reason === OFFLINE)
        setStatus(isDoubted ? "stale" : "live", isDoubted ? OFFLINE : undefined)
    },
  })
  // Where no connection can be made, a timer would only keep the process alive.
  if (sync.isPending && reason?.code !== "no_transport") awaitState()
  return [room, () => [store, self, reason, sync.handOver(), ownMeta, grace.handOver()]]
}

/** The leading tab's side of a shared connection: it joins each topic once for all tabs, and passes on what the server sends. */
import type { RollcallError } from "../../error.ts"
import type { Clock } from "../../timers.ts"
import { CLOSE, ERROR, HEARTBEAT_TOPIC, JOIN, LEAVE, PRESENCE_STATE, REPLY } from "../../wire/events.ts"
import { COUNT_PARAM, PRESENCE_COUNT, PRESENCE_SELF, SERVER_INFO, type ServerInfo } from "../../wire/introduction.ts"
import { WATCH_TOPIC } from "../../wire/watched-keys.ts"
import type { Connection } from "../connection.ts"
import type { Message } from "../phoenix.ts"
import type { Fields } from "../update-batch.ts"
import { fromFrame, toFrame, type Frame, type ToTab } from "./messages.ts"
import { changed, changeOf, countOf, createJoin, isCount, mergedOf, paramsOf } from "./topic.ts"
import type { Join, MergeMetas, SharedTopic } from "./topic.ts"

/** How long the joins of a new connection wait for the tabs that have not answered, in milliseconds. */
const READY_TIMEOUT_MS = 500
/** How long a tab that is connected again may take to join again what it had joined before, in milliseconds. */
const REJOIN_TIMEOUT_MS = 5_000
/** How long the connection stays without a tab, in milliseconds: one may only begin anew. */
const UNUSED_MS = 100
/** The least time between two numbers of users, in milliseconds. */
const COUNT_MS = 200

export interface Hub {
  /** Serves the tabs from now on. */
  start(): void
  /** Serves no tab any more, and closes the connection. @param lingerMs after how long, in milliseconds */
  stop(lingerMs: number): void
  /** A tab wants to use the connection. @param at when it was last active */
  hello(tab: string, at: number): void
  bye(tab: string): void
  active(tab: string, at: number): void
  /** A tab has sent what it sends as soon as it is connected. */
  ready(tab: string): void
  frame(tab: string, frame: Frame): void
}

/**
 * @param connection that of the leading tab with the server. It is used while the tab leads
 * @param send sends to a tab, or to all of them if `to` is empty
 */
export function createHub(
  connection: Connection,
  timers: Clock,
  mergeMetas: MergeMetas,
  send: (to: string, kind: ToTab, data?: unknown) => void,
): Hub {
  let isOn = false
  let unused: unknown
  /** Closes the connection that is still open after the tab has led. */
  let linger: (() => void) | undefined
  let info: ServerInfo | undefined
  /** When each tab that uses the connection was last active. */
  const tabs = new Map<string, number>()
  const topics = new Map<string, SharedTopic>()
  /** The tabs that are connected anew. What they join waits for all of them, so that a topic is joined once and with all metas. */
  const unready = new Set<string>()
  let settle: (() => void) | undefined
  let settled: Promise<void> | undefined

  const reply = (tab: string, joinRef: string | null, ref: string | null, topic: string, payload: object): void =>
    send(tab, "message", toFrame(joinRef, ref, topic, REPLY, payload))

  const ready = (tab: string): void => {
    unready.delete(tab)
    if (!unready.size) settle?.()
  }

  const open = (to: string): void => send(to, "open", info)

  const status = (): void => {
    if (!isOn) return
    if (connection.status === "open") {
      for (const tab of tabs.keys()) unready.add(tab)
      if (unready.size) {
        const wait = timers.set(() => settle?.(), READY_TIMEOUT_MS)
        settled = new Promise((resolve) => {
          settle = () => {
            timers.clear(wait)
            settle = settled = undefined
            resolve()
          }
        })
      }
      open("")
    } else send("", "lost", connection.reason?.detail)
  }

  /** The joins of a topic, the last active tab's at the end. */
  const joinsOf = ({ joins }: SharedTopic): Join[] =>
    [...joins].sort(([a], [b]) => (tabs.get(a) ?? 0) - (tabs.get(b) ?? 0)).map(([, join]) => join)

  const fieldsOf = (topic: string, shared: SharedTopic): Fields | undefined =>
    mergedOf(topic, joinsOf(shared), mergeMetas)

  const close = (topic: string, shared: SharedTopic): void => {
    topics.delete(topic)
    shared.room.leave()
  }

  /** Sends the server what has changed of what the tabs say together. */
  const update = (topic: string, shared: SharedTopic): Promise<unknown> | undefined => {
    const next = fieldsOf(topic, shared)
    const change = next && shared.reply ? changeOf(topic, shared.sent, next) : undefined
    if (!change) return undefined
    shared.sent = next!
    return shared.room.push(...change)
  }

  const count = (tab: string, topic: string, shared: SharedTopic, join: Join): void => {
    if (shared.isCount || !isCount(join) || shared.room.status !== "live") return
    send(tab, "message", toFrame(join.ref, null, topic, PRESENCE_COUNT, countOf(shared, join)))
  }

  /** Answers a tab's join of a topic that is joined, as the server would. */
  const answer = (tab: string, topic: string, shared: SharedTopic, join: Join): void => {
    const { room, kept, reply: answered } = shared
    const { ref } = join
    reply(tab, ref, ref, topic, answered as object)
    for (const [event, payload] of kept) send(tab, "message", toFrame(ref, null, topic, event, payload))
    if (room.status !== "live") return
    count(tab, topic, shared, join)
    const users = room.list((key, { key: _key, ...user }) => [key, user])
    send(tab, "message", toFrame(ref, null, topic, PRESENCE_STATE, Object.fromEntries(users)))
  }

  const openTopic = (topic: string): SharedTopic => {
    const params = (): Fields => {
      const mine = fieldsOf(topic, shared)
      const given = paramsOf(topic, joinsOf(shared), mine)
      shared.isCount = COUNT_PARAM in given
      shared.sent = topic === WATCH_TOPIC || "me" in given ? (mine ?? {}) : {}
      return given
    }
    const room = connection.room<object>(topic, () => (settled ? settled.then(params) : params()), { readyTimeoutMs: 0 })
    // The tabs report what happens.
    room.onError(() => {})
    void room.ready
    const shared: SharedTopic = { room, joins: new Map(), kept: new Map(), sent: {} }
    topics.set(topic, shared)
    room.subscribe(() => {
      if (shared.isCount || shared.counting || !joinsOf(shared).some(isCount)) return
      shared.counting = timers.set(() => {
        shared.counting = undefined
        for (const [tab, join] of shared.joins) count(tab, topic, shared, join)
      }, COUNT_MS)
    })
    return shared
  }

  const leave = (tab: string, topic: string): void => {
    const shared = topics.get(topic)
    if (!shared?.joins.delete(tab)) return
    if (shared.joins.size) void update(topic, shared)
    else close(topic, shared)
  }

  const bye = (tab: string): void => {
    if (!tabs.delete(tab)) return
    ready(tab)
    for (const topic of [...topics.keys()]) leave(tab, topic)
    timers.clear(unused)
    if (!tabs.size) unused = timers.set(() => tabs.size || connection.pause(), UNUSED_MS)
  }

  const join = (tab: string, topic: string, ref: string, params: unknown): void => {
    const made = createJoin(topic, ref, params)
    let shared = topics.get(topic)
    if (shared?.isCount && !isCount(made)) {
      // It is joined again, for the users.
      const { joins } = shared
      close(topic, shared)
      shared = openTopic(topic)
      for (const each of joins) shared.joins.set(...each)
    }
    shared ??= openTopic(topic)
    shared.joins.set(tab, made)
    if (!shared.reply) return
    answer(tab, topic, shared, made)
    void update(topic, shared)
  }

  connection.onStatus(status)
  connection.socket.onMessage(({ join_ref, ref, topic, event, payload }: Message) => {
    if (topic === HEARTBEAT_TOPIC && event === SERVER_INFO) info = payload as ServerInfo
    const shared = topics.get(topic)
    if (!shared) return
    const isClosed = shared.room.status === "closed"
    if (event === REPLY) {
      if (ref !== join_ref) return
      const isOk = (payload as { status?: unknown }).status === "ok"
      shared.reply = isOk ? payload : undefined
      for (const [tab, join] of shared.joins) {
        if (isOk) answer(tab, topic, shared, join)
        else reply(tab, join.ref, join.ref, topic, payload as object)
      }
      if (isOk) void update(topic, shared)
      else if (isClosed) topics.delete(topic)
    } else if (event === ERROR || event === CLOSE) {
      // The end of a former join is no news.
      if (event === CLOSE && !isClosed) return
      shared.reply = undefined
      if (isClosed) topics.delete(topic)
      for (const [tab, { ref }] of shared.joins) send(tab, "message", toFrame(ref, ref, topic, event, payload))
    } else {
      if (event === PRESENCE_SELF || event === PRESENCE_COUNT) shared.kept.set(event, payload)
      send("", "message", toFrame(null, null, topic, event, payload))
    }
  })

  return {
    start() {
      linger?.()
      isOn = true
    },
    stop(lingerMs) {
      linger?.()
      isOn = false
      tabs.clear()
      unready.clear()
      settle?.()
      const stopped = [...topics.values()]
      topics.clear()
      const end = (): void => {
        timers.clear(timer)
        linger = undefined
        // At once, because the page may be frozen next.
        connection.socket.conn?.close()
        for (const { room } of stopped) room.leave()
        connection.pause()
      }
      const timer = lingerMs && connection.status === "open" && timers.set(end, lingerMs)
      linger = end
      if (!timer) end()
    },
    hello(tab, at) {
      tabs.set(tab, at)
      for (const [topic, { joins }] of topics) {
        const join = joins.get(tab)
        if (!join) continue
        join.isFormer = true
        timers.set(() => joins.get(tab)?.isFormer && leave(tab, topic), REJOIN_TIMEOUT_MS)
      }
      if (connection.status === "open") return open(tab)
      connection.resume()
      if (connection.status === "idle") connection.socket.connect()
      if (connection.reason) send(tab, "lost", connection.reason.detail)
    },
    bye,
    active(tab, at) {
      if (!tabs.has(tab)) return
      tabs.set(tab, at)
      for (const [topic, shared] of topics) if (shared.joins.has(tab)) void update(topic, shared)
    },
    ready,
    frame(tab, frame) {
      const [joinRef, ref, topic, event, payload] = fromFrame(frame)
      const ok = (response: unknown): void => reply(tab, joinRef, ref, topic, { status: "ok", response })
      // A frozen page receives messages, but its timers do not run.
      if (topic === HEARTBEAT_TOPIC) return void timers.set(() => ok({}), 0)
      if (event === JOIN) return join(tab, topic, ref!, payload)
      if (event === LEAVE) {
        leave(tab, topic)
        ok({})
        return send(tab, "message", toFrame(joinRef, joinRef, topic, CLOSE, {}))
      }
      const shared = topics.get(topic)
      const own = shared?.joins.get(tab)
      if (!shared || !own) return
      const before = own.mine
      const mine = changed(own, topic, event, payload)
      if (mine) own.mine = mine
      const sent = mine ? update(topic, shared) : shared.room.push(event, payload as object)
      if (!sent) return ok({})
      sent.then(ok, ({ code, reason }: RollcallError) => {
        if (mine) {
          own.mine = before
          shared.sent = {}
        }
        if (code !== "closed" && code !== "timeout")
          reply(tab, joinRef, ref, topic, { status: "error", response: reason ?? { reason: code } })
      })
    },
  }
}

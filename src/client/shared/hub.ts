/** The leading tab's side of a shared connection: it joins each topic once for all tabs, and passes on what the server sends. */
import type { RollcallError } from "../../error.ts"
import type { Clock } from "../../timers.ts"
import {
  CLOSE,
  ERROR,
  HEARTBEAT_TOPIC,
  JOIN,
  LEAVE,
  PRESENCE_STATE,
  PRESENCE_UPDATE,
  REPLY,
} from "../../wire/events.ts"
import { PRESENCE_SELF, SERVER_INFO } from "../../wire/introduction.ts"
import { WATCH, WATCH_TOPIC, type WatchChange, type WatchParams } from "../../wire/watched-keys.ts"
import type { Connection } from "../connection.ts"
import type { Message } from "../phoenix.ts"
import { jsonOf, type Fields } from "../update-batch.ts"
import type { Hello } from "./messages.ts"
import { changed, fieldsOf, updateOf, type Join, type MergeMetas, type SharedTopic } from "./topic.ts"

/** How long the joins of a new connection wait for those of other tabs, in milliseconds. */
const GATHER_MS = 50
/** How long the connection stays without a tab, in milliseconds: one may only begin anew. */
const UNUSED_MS = 100

/** How long the reply to a push is waited for, in milliseconds. The tab that has pushed gives up earlier. */
const PUSH_MS = 300_000

/** What serves the tabs. */
export type Hub = readonly [
  hello: (tab: string, hello: Hello) => void,
  bye: (tab: string) => void,
  frame: (tab: string, frame: string | Message) => void,
  /** Sends a tab, or all of them if it is empty, whether there is a connection. */
  show: (tab: string) => void,
  /** Serves no tab any more until one says hello, and closes the connection after this time, in milliseconds. */
  stop: (lingerMs: number) => void,
]

/** Returns the hub of a tab that sends by these two functions: see `createHub`. */
export type HubWith = (
  sendMessage: (to: string, message: Message) => void,
  showStatus: (to: string, isOpen: boolean, detail: unknown) => void,
) => Hub

/**
 * @param connection that of the leading tab with the server. It is used while the tab leads
 * @param failed receives what `mergeMetas` throws. The last active tab's meta is used then
 * @param sendMessage sends a message of the server to a tab, or to all of them if `to` is empty
 * @param showStatus sends a tab, or all of them, whether there is a connection, and its `ServerInfo` or why it is refused
 */
export function createHub(
  connection: Connection,
  timers: Clock,
  mergeMetas: MergeMetas,
  failed: (cause: unknown) => void,
  sendMessage: (to: string, message: Message) => void,
  showStatus: (to: string, isOpen: boolean, detail: unknown) => void,
): Hub {
  let unused: unknown
  /** While the connection is still open after the tab has led. */
  let ending: unknown
  let info: unknown
  /** When each tab that uses the connection was last active. */
  const tabs = new Map<string, number>()
  const topics = new Map<string, SharedTopic>()
  /** Resolves when joins need not wait any longer for those of other tabs, so that a topic is joined once and with all metas. */
  let gathered: Promise<void> | undefined

  const send = (
    to: string,
    join_ref: string | null,
    ref: string | null,
    topic: string,
    event: string,
    payload: unknown,
  ): void => sendMessage(to, { join_ref, ref, topic, event, payload })

  const show = (tab: string): void => {
    const isOpen = connection.status === "open"
    showStatus(tab, isOpen, isOpen ? info : connection.reason?.detail)
  }

  /** The joins of a topic, the last active tab's at the end. */
  const joinsOf = ({ joins }: SharedTopic): Join[] =>
    [...joins].sort(([a], [b]) => tabs.get(a)! - tabs.get(b)!).map(([, join]) => join)

  /** Returns what the tabs say together. */
  const mergedOf = (shared: SharedTopic): Fields | undefined => {
    const all = joinsOf(shared).flatMap(({ mine }): Fields[] => (mine ? [mine] : []))
    try {
      return all[0] && jsonOf(mergeMetas(all))
    } catch (cause) {
      failed(cause)
      return all.at(-1)
    }
  }

  /** Sends the server what the tabs say together, if it has changed. */
  const update = (shared: SharedTopic): Promise<unknown> | undefined => {
    const next = mergedOf(shared)
    const payload = next && shared.reply ? updateOf(shared.sent, next) : undefined
    if (!payload) return undefined
    const { sent } = shared
    shared.sent = next!
    const pushed = shared.room.push(PRESENCE_UPDATE, payload)
    pushed.catch(() => {
      if (shared.sent === next) shared.sent = sent
    })
    return pushed
  }

  /** Answers a tab's join of a topic that is joined, as the server would. */
  const answer = (tab: string, topic: string, { room, reply, self }: SharedTopic, { ref }: Join): void => {
    send(tab, ref, ref, topic, REPLY, reply)
    if (self) send(tab, ref, null, topic, PRESENCE_SELF, self)
    if (room.status !== "live") return
    send(tab, ref, null, topic, PRESENCE_STATE, Object.fromEntries(room.list((key, user) => [key, user])))
  }

  const open = (topic: string): SharedTopic => {
    const params = async (): Promise<Fields> => {
      await gathered
      const given = joinsOf(shared).at(-1)?.params ?? {}
      // A server that is not given `me` with the join gets it in updates.
      const me = "me" in given ? mergedOf(shared) : undefined
      shared.sent = me ?? {}
      return me ? { ...given, me } : given
    }
    const room = connection.room<object>(topic, params, { readyTimeoutMs: 0 })
    // The tabs report what the server sends.
    room.onError(() => {})
    void room.ready
    const shared: SharedTopic = { room, joins: new Map(), sent: {} }
    topics.set(topic, shared)
    return shared
  }

  const leave = (tab: string, topic: string): void => {
    const shared = topics.get(topic)
    shared?.joins.get(tab)?.asked?.close()
    if (!shared?.joins.delete(tab)) return
    if (shared.joins.size) return void update(shared)
    topics.delete(topic)
    shared.room.leave()
  }

  connection.onStatus((status) => {
    if (status === "open" && tabs.size > 1) gathered = new Promise((resolve) => timers.set(resolve, GATHER_MS))
    show("")
  })
  connection.socket.onMessage(({ join_ref, ref, topic, event, payload }: Message) => {
    if (topic === HEARTBEAT_TOPIC && event === SERVER_INFO) info = payload
    const shared = topics.get(topic)
    if (!shared) return
    const { room, joins } = shared
    const isClosed = room.status === "closed"
    if (isClosed) topics.delete(topic)
    if (event === REPLY) {
      const { status, response } = payload as { readonly status: string; readonly response: unknown }
      // An error is none of the server: the join is tried again.
      if (ref !== join_ref || response instanceof Error) return
      shared.reply = payload
      for (const [tab, join] of joins) answer(tab, topic, shared, join)
      if (status !== "ok") shared.reply = undefined
      void update(shared)
    } else if (event === ERROR || event === CLOSE) {
      // The end of a former join is no news.
      if (event === CLOSE && !isClosed) return
      shared.reply = undefined
      for (const [tab, join] of joins) send(tab, join.ref, join.ref, topic, event, payload)
    } else {
      if (event === PRESENCE_SELF) shared.self = payload
      send("", null, null, topic, event, payload)
    }
  })

  return [
    (tab, [at, held]) => {
      tabs.set(tab, at)
      for (const [topic, shared] of topics) {
        if (held.includes(topic)) void update(shared)
        else leave(tab, topic)
      }
      connection.resume()
      if (connection.status === "idle") connection.socket.connect()
      show(tab)
    },
    (tab) => {
      tabs.delete(tab)
      for (const topic of topics.keys()) leave(tab, topic)
      timers.clear(unused)
      unused = timers.set(() => tabs.size || connection.pause(), UNUSED_MS)
    },
    (tab, frame) => {
      // The last message of a tab that has crashed may come after its end was noticed: its join would stay for good.
      if (!tabs.has(tab)) return
      const { join_ref, ref, topic, event, payload } =
        typeof frame === "string" ? (JSON.parse(frame) as Message) : frame
      const reply = (status: string, response: unknown): void =>
        send(tab, join_ref, ref, topic, REPLY, { status, response })
      const ok = (response: unknown = {}): void => reply("ok", response)
      // A frozen page receives messages, but its timers do not run.
      if (topic === HEARTBEAT_TOPIC) return void timers.set(ok, 0)
      if (event === JOIN) {
        const params = payload as Fields & WatchParams
        // It asks once for all tabs, in the room that is taken next.
        const asked = topic === WATCH_TOPIC ? connection.online(params.keys) : undefined
        const shared = topics.get(topic) ?? open(topic)
        const join = { ref: ref!, params, mine: fieldsOf(params["me"]), asked, keys: params.keys }
        shared.joins.get(tab)?.asked?.close()
        shared.joins.set(tab, join)
        if (!shared.reply) return
        answer(tab, topic, shared, join)
        return void update(shared)
      }
      if (event === LEAVE) {
        leave(tab, topic)
        ok()
        return send(tab, join_ref, join_ref, topic, CLOSE, {})
      }
      const shared = topics.get(topic)!
      const own = (shared as SharedTopic | undefined)?.joins.get(tab)
      if (!own) return
      if (event === WATCH && own.asked) {
        const { add = [], remove = [] } = payload as WatchChange
        own.keys = own.keys.filter((key) => !remove.includes(key)).concat(add)
        own.asked.set(own.keys)
        return ok()
      }
      const { mine } = own
      const next = changed(own, event, payload)
      if (next) own.mine = next
      const sent = next ? update(shared) : shared.room.push(event, payload as object, PUSH_MS)
      if (!sent) return ok()
      sent.then(ok, ({ code, reason }: RollcallError) => {
        if (next) own.mine = mine
        if (code !== "closed" && code !== "timeout") reply("error", reason ?? { reason: code })
      })
    },
    show,
    (lingerMs) => {
      timers.clear(ending)
      tabs.clear()
      topics.clear()
      const end = (): void => {
        // At once, because the page may be frozen next. Without a leave: a server may keep our presence until another tab leads.
        if (!lingerMs) connection.socket.conn?.close()
        for (const room of connection.rooms) room.leave()
        connection.pause()
      }
      if (lingerMs && connection.status === "open") ending = timers.set(end, lingerMs)
      else end()
    },
  ]
}

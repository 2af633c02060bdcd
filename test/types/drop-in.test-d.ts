/** Code for phoenix.js as applications write it, with its import changed: it compiles under `strict`. */
import { Channel, LongPoll, Presence, Serializer, Socket, type Push } from "../../src/client/index.ts"

declare const window: { userToken: string; roomId: string }
declare function render(text: string): void

/** From the documentation of phoenix.js. Never called. */
export function documentation(): void {
  const socket = new Socket("/socket", {
    params: { userToken: window.userToken },
    logger: (kind, msg, data) => console.log(`${kind}: ${msg}`, data),
  })
  socket.connect()
  const channel = socket.channel("room:123", { token: window.userToken })
  channel.on("new_msg", (msg) => console.log("Got message", msg.body))
  channel
    .push("new_msg", { body: "text" }, 10_000)
    .receive("ok", (msg) => console.log("created message", msg))
    .receive("error", (reasons) => console.log("create failed", reasons))
    .receive("timeout", () => console.log("Networking issue..."))
  channel
    .join()
    .receive("ok", ({ messages }) => console.log("catching up", messages))
    .receive("error", ({ reason }) => console.log("failed join", reason))
    .receive("timeout", () => console.log("Networking issue. Still waiting..."))
  socket.onError(() => console.log("there was an error with the connection!"))
  socket.onError((error) => console.log(error.message))
  socket.onClose((event) => event.code === 1000 && console.log(event.reason))
  socket.onMessage(({ topic, event, payload, ref }) => console.log(topic, event, payload, ref))
  channel.onError(({ reason }) => console.log("there was an error!", reason))
  channel.onClose(() => console.log("the channel has gone away gracefully"))
  channel.leave().receive("ok", () => console.log("left!"))

  const presence = new Presence(channel)
  presence.onJoin((id, current, newPres) => {
    if (!current) console.log("user has entered for the first time", id, newPres)
    else console.log("user additional presence", newPres.metas[0])
  })
  presence.onLeave((_id, current, leftPres) => {
    if (current.metas.length === 0) console.log("user has left from all devices", leftPres)
  })
  presence.onSync(() => {
    render(presence.list((id, { metas: [first, ...rest] }) => `${id} ${first?.["name"]} (${rest.length + 1})`).join(""))
  })
  const listBy = (id: string, { metas: [first, ...rest] }: { metas: readonly any[] }) => {
    first.count = rest.length + 1
    first.id = id
    return first
  }
  console.log(presence.list(listBy), Presence.list(presence.state, listBy))
  console.log(presence.inPendingSyncState(), presence.pendingDiffs.length, presence.joinRef, presence.channel)
}

/** The low-level API of presence, with a state of any type. */
export function presences(channel: Channel): void {
  let state = {}
  channel.on("presence_state", (next) => void (state = Presence.syncState(state, next)))
  channel.on("presence_diff", (diff) => {
    state = Presence.syncDiff(
      state,
      diff,
      (key) => render(key),
      () => {},
    )
    const some: object = state
    console.log(
      Presence.list(some),
      Presence.list(some, (key) => key.length).map((length) => length.toFixed()),
    )
  })
  channel.on("presence_state", async (next) => {
    await Promise.resolve()
    console.log(Object.keys(next))
  })
}

/** Members that are not in the documentation, and that applications use. */
export function members(topic: string): Channel | undefined {
  const socket = new Socket("/socket", { transport: WebSocket, reconnectAfterMs: (tries) => tries * 10 })
  const found = socket.channels.find((each) => each.topic === topic)
  const channel = found ?? socket.channel(topic, () => ({ token: socket.params().token }))
  if (channel.isClosed() || channel.isErrored() || channel.isLeaving() || !channel.isJoining()) channel.rejoin()
  if (channel.isJoined() && channel.canPush() && channel.socket === socket) channel.push("ping")
  channel.joinPush.receive("error", ({ reason }) => console.log(reason)).receive("timeout", () => channel.leave())
  console.log(
    channel.joinPush.receivedResp?.response.session_id,
    channel.joinedOnce,
    channel.timeout,
    channel.params().token,
  )
  for (const { event, payload, timeout } of channel.pushBuffer) channel.push(event, payload(), timeout)
  channel.off("new_msg", channel.on("new_msg", console.log))
  channel.trigger("phx_error", { reason: "test" })
  socket.conn?.close(3000, "test")
  if ((socket.conn?.bufferedAmount ?? 0) === 0 && socket.conn?.readyState === 1) socket.sendHeartbeat()
  socket.push({ topic: "phoenix", event: "heartbeat", payload: {}, ref: socket.makeRef() })
  if (socket.hasLogger())
    socket.log("mine", `${socket.protocol()} ${socket.endPointURL()} ${socket.endPoint} ${socket.vsn}`)
  if (socket.transport !== LongPoll) socket.replaceTransport(LongPoll)
  socket.off([socket.onOpen(() => {}), socket.onClose(() => {}), socket.onError(() => {})])
  socket.ping((rtt) => console.log(rtt.toFixed()))
  socket.remove(channel)
  socket.connect({ token: "t" })
  socket.disconnect(() => console.log("disconnected"), 1000, "bye")
  return channel instanceof Channel ? new Channel(topic, {}, socket) : undefined
}

/** A promise for a push, as many applications write it. */
export function promised<Response>(push: Push): Promise<Response> {
  return new Promise((resolve, reject) => {
    push
      .receive("ok", (response: Response) => resolve(response))
      .receive("error", reject)
      .receive("timeout", () => reject(new Error("timeout")))
  })
}

/** A channel and a serializer of the application's own. */
export class Recorded extends Channel {
  readonly seen: string[] = []

  override onMessage(event: string, payload: unknown): unknown {
    this.seen.push(event)
    return payload
  }
}

export const counted = new Socket("/socket", {
  encode: (message, callback) => Serializer.encode(message, (text) => callback(text)),
  decode: (raw, callback) => Serializer.decode(raw, (message) => callback(message)),
})

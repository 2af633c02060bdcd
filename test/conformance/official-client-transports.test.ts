// @ts-expect-error the package ships no types
import { LongPoll } from "phoenix"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { WebSocket } from "ws"
import { Inbox } from "../support/inbox.ts"
import { phoenixApp } from "../support/phoenix-app.ts"
import type { PhoenixApp } from "../support/phoenix-app.ts"
import { Presence, disconnectAll, officialSocket, reply } from "../support/phoenix-client.ts"

// The official client must behave the same over both transports.

let app: PhoenixApp
beforeEach(async () => {
  app = await phoenixApp()
})
afterEach(async () => {
  disconnectAll()
  await app.close()
})

const TRANSPORTS: [string, object][] = [
  ["WebSocket", { transport: WebSocket }],
  ["long poll", { transport: LongPoll }],
]

/** The encoding of version 1, which this client has no serializer for any more. */
const JSON_OBJECTS = {
  encode: (message: unknown, send: (text: string) => void) => send(JSON.stringify(message)),
  decode: (text: string, receive: (message: unknown) => void) => receive(JSON.parse(text)),
}

/** A WebSocket that never opens, as behind a proxy that drops upgrades. */
class Swallowed {
  readyState = 0
  close(): void {
    this.readyState = 3
  }
}

const connect = (options: object, params: object = {}): any => officialSocket(app.url, params, options)

/** Returns the status of the reply to a push or a join, and its response. */
const answer = async (push: any): Promise<[string, unknown]> => {
  const { status, response } = await reply(push)
  return [status, response]
}

/** Connects a user, and returns its channel and the presences of its room. */
function enter(user: string, options: object): { presence: any; channel: any } {
  const channel = connect(options, { user_id: user }).channel("room:1")
  const presence = new Presence(channel)
  channel.join()
  return { presence, channel }
}

/** Resolves once the presence lists exactly these keys. */
function shows(presence: any, keys: string[]): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (JSON.stringify(presence.list((key: string) => key)) === JSON.stringify(keys)) resolve()
    }
    presence.onSync(look)
    look()
  })
}

describe.each(TRANSPORTS)("the official client over %s", (name, options) => {
  it("joins, pushes, and gets replies of every status", async () => {
    const channel = connect(options, { user_id: "ada" }).channel("notrack:1", { join_reply: { hi: 1 } })
    expect(await answer(channel.join())).toEqual(["ok", { hi: 1 }])
    expect(await answer(channel.push("echo", { a: [1, null, "é😀"] }))).toEqual(["ok", { a: [1, null, "é😀"] }])
    expect(await answer(channel.push("echo_error", { no: 1 }))).toEqual(["error", { no: 1 }])
    expect(await answer(channel.push("custom_status", {}))).toEqual(["accepted", {}])
    expect(await answer(channel.push("late_reply", { ms: 1 }))).toEqual(["ok", { ms: 1 }])
  })

  it("joins another topic over the same connection after a refused join", async () => {
    const socket = connect(options)
    expect(await answer(socket.channel("notrack:1", { deny: true }).join())).toEqual([
      "error",
      { reason: "unauthorized" },
    ])
    expect(await answer(socket.channel("nowhere").join())).toEqual(["error", { reason: "unmatched topic" }])
    expect(await answer(socket.channel("notrack:2").join())).toEqual(["ok", {}])
  })

  it("receives broadcasts, and leaves", async () => {
    const [one, two] = [connect(options), connect({ transport: WebSocket })]
    const [here, there] = [one.channel("notrack:1"), two.channel("notrack:1")]
    const received = new Inbox<unknown>("broadcasts")
    here.on("shout", (payload: unknown) => received.put(payload))
    for (const channel of [here, there]) await answer(channel.join())
    there.push("shout", { n: 1 })
    expect(await received.next()).toEqual({ n: 1 })
    expect(await answer(here.leave())).toEqual(["ok", {}])
    await answer(there.push("echo", {}))
    expect(received.rest()).toEqual([])
  })

  it("lists the users of its topic, follows their changes, and disappears when it disconnects", async () => {
    const watcher = enter("watcher", { transport: WebSocket })
    await shows(watcher.presence, ["watcher"])
    const ada = enter("ada", options)
    await Promise.all([watcher, ada].map(({ presence }) => shows(presence, ["watcher", "ada"])))
    await answer(ada.channel.push("update", { meta: { status: "away" } }))
    await answer(ada.channel.leave())
    await shows(watcher.presence, ["watcher"])
  })

  // phoenix.js cannot send messages of version 1 over long poll: it sends batches, whose lines are arrays or base64.
  const versions = name === "WebSocket" ? ["2.0.0", "1.0.0"] : ["2.0.0"]
  it.each(versions)("in version %s gets no message but Phoenix's own", async (vsn) => {
    const socket = connect({ ...options, vsn, ...(vsn === "1.0.0" && JSON_OBJECTS) }, { user_id: "ada" })
    const events = new Set<string>()
    socket.onMessage(({ topic, event }: { topic: string; event: string }) => {
      events.add(topic === "phoenix" ? `${topic} ${event}` : event)
    })
    const channel = socket.channel("room:1")
    const presence = new Presence(channel)
    await answer(channel.join())
    await shows(presence, ["ada"])
    await answer(channel.push("update", { meta: { status: "away" } }))
    await answer(channel.push("untrack", {}))
    await shows(presence, [])
    await answer(channel.leave())
    for (const known of ["phx_reply", "phx_close", "presence_state", "phoenix phx_reply"]) events.delete(known)
    expect([...events]).toEqual(["presence_diff"])
  })

  it("reconnects and joins again after server.disconnect", async () => {
    const socket = connect(options, { user_id: "ada" })
    const channel = socket.channel("notrack:1")
    const joins = new Inbox<unknown>("joins")
    channel.join().receive("ok", () => joins.put("joined"))
    await joins.next()
    await fetch(`${app.url}/admin/kick?user_id=ada`)
    expect(await joins.next()).toBe("joined")
    expect(await answer(channel.push("echo", { back: true }))).toEqual(["ok", { back: true }])
  })

  it("passes its auth token to connect (P4)", async () => {
    const refused = new Inbox<unknown>("errors")
    const socket = connect({ ...options, authToken: "bad" })
    socket.onError(() => refused.put("refused"))
    await refused.next()
    socket.disconnect()
    const good = connect({ ...options, authToken: "good~token" })
    expect(await answer(good.channel("notrack:1").join())).toEqual(["ok", {}])
  })
})

describe("the official client", () => {
  it("falls back to long poll when WebSockets do not open (longPollFallbackMs)", async () => {
    const stored = new Map<string, string>()
    const sessionStorage = {
      getItem: (key: string) => stored.get(key) ?? null,
      setItem: (key: string, value: string) => void stored.set(key, value),
    }
    const socket = connect({ transport: Swallowed, longPollFallbackMs: 20, sessionStorage }, { user_id: "ada" })
    const channel = socket.channel("room:1")
    const presence = new Presence(channel)
    expect(await answer(channel.join())).toEqual(["ok", {}])
    await shows(presence, ["ada"])
    expect(app.requests.items.some((request) => request.includes("/socket/longpoll"))).toBe(true)
  })

  it("sends and gets bytes over a WebSocket, and sends them over long poll", async () => {
    const bytes = new Uint8Array([1, 2, 255])
    const channel = connect({ transport: WebSocket }).channel("notrack:1")
    const received = new Inbox<ArrayBuffer>("bytes")
    channel.on("bin", (payload: unknown) => received.put(payload as ArrayBuffer))
    await answer(channel.join())
    const [status, reply] = await answer(channel.push("binary", bytes.buffer))
    expect([status, new Uint8Array(reply as ArrayBuffer)]).toEqual(["ok", bytes])
    expect(new Uint8Array(await received.next())).toEqual(bytes)

    const polling = connect({ transport: LongPoll }).channel("notrack:1")
    await answer(polling.join())
    polling.push("binary", bytes.buffer)
    expect(new Uint8Array(await received.next())).toEqual(bytes)
  })

  it("sends nested parameters, lists among them by index, which are decoded as Plug does it", async () => {
    const seen: unknown[] = []
    app.server.socket("/socket", { connect: ({ params }) => (seen.push({ ...params }), {}) })
    const params = { user: { id: 1, tags: ["a", "b"] } }
    await answer(connect({}, params).channel("notrack:1").join())
    expect(JSON.parse(JSON.stringify(seen))).toEqual([{ vsn: "2.0.0", user: { id: "1", tags: { 0: "a", 1: "b" } } }])
  })
})

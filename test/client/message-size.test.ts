/** Messages that are larger than the limit: refused to the caller, and not sent. */
import { expect, onTestFinished, test, vi } from "vitest"
import { WebSocket } from "ws"
import { connect, LongPoll, type ConnectOptions, type RollcallError, type Transport } from "../../src/client/index.ts"
import { clock } from "../support/clock.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"
import { serve } from "../support/serve.ts"

const ws = WebSocket as unknown as Transport
const MAX = 2000

async function setup(options: ConnectOptions = {}) {
  const served = await serve(
    (server) => {
      server.socket("/socket")
      server.channel("rooms:*", {
        join: () => ({ ok: {} }),
        presence: () => ({ key: "me", meta: {} }),
        on: {
          echo: (payload) => ({ ok: payload }),
          presence_update: (payload, channel) => server.presence.handleUpdate(channel, payload),
        },
      })
    },
    { maxFrameBytes: MAX },
  )
  const { transport = ws } = options
  const url = `${transport === LongPoll ? served.url.replace("ws", "http") : served.url}/socket`
  const connection = connect(url, { transport, maxMessageBytes: MAX, ...options })
  onTestFinished(() => connection.disconnect())
  connection.socket.connect()
  const statuses: string[] = []
  connection.onStatus((status) => statuses.push(status))
  const open = (topic: string, params: object = {}) => {
    const room = connection.room(topic, params, { updateThrottleMs: 0 })
    const errors: RollcallError[] = []
    room.onError((error) => errors.push(error))
    return { room, errors }
  }
  return { statuses, open, served }
}

const tooLarge = expect.objectContaining({
  code: "payload_too_large",
  message: expect.stringContaining(`${MAX} bytes`),
})

test.each([
  ["a WebSocket", ws],
  ["long polling", LongPoll],
])("over %s push rejects, update throws, and the connection stays open", async (_name, transport) => {
  const { statuses, open } = await setup({ transport })
  const { room, errors } = open("rooms:1")
  // It is checked when it is sent, also if it waits for the join.
  await expect(room.push("echo", { text: "x".repeat(MAX) })).rejects.toEqual(tooLarge)
  await expect(room.push("echo", new Uint8Array(MAX))).rejects.toEqual(tooLarge)
  expect(() => room.update({ text: "x".repeat(MAX) })).toThrow(tooLarge)
  room.update({ text: "short" })
  await expect.poll(() => room.get("me")?.metas[0]).toMatchObject({ text: "short" })
  expect([statuses, errors]).toEqual([["open"], []])
})

test("bytes count, not characters: of the whole message", async () => {
  const { statuses, open } = await setup()
  const { room } = open("rooms:1")
  await room.joined
  // The message is `["1","2","rooms:1","echo",{"text":"…"}]`.
  const rest = `["3","8","rooms:1","echo",{"text":""}]`.length
  const sizes: Record<string, number> = { x: MAX - rest - 20, é: (MAX - rest - 20) / 2, "✓": (MAX - rest - 20) / 3 }
  for (const [letter, count] of Object.entries(sizes)) {
    const fits = letter.repeat(Math.floor(count))
    await expect(room.push("echo", { text: fits })).resolves.toEqual({ text: fits })
    await expect(room.push("echo", { text: fits + letter.repeat(20) })).rejects.toEqual(tooLarge)
  }
  expect(statuses).toEqual(["open"])
})

test("fields that are small one by one throw once they are too large together, and what was set before stays", async () => {
  const { statuses, open } = await setup()
  const { room, errors } = open("rooms:1")
  room.update({ a: "x".repeat(MAX / 2) })
  await expect.poll(() => room.get("me")?.metas[0]["a"]).toBeDefined()
  expect(() => room.update({ b: "x".repeat(MAX / 2) })).toThrow(tooLarge)
  room.update({ b: "short" })
  await expect.poll(() => room.get("me")?.metas[0]).toMatchObject({ a: expect.any(String), b: "short" })
  expect([statuses, errors]).toEqual([["open"], []])
})

test("a room whose params are too large is closed with the reason, and the other rooms go on", async () => {
  const { statuses, open } = await setup()
  const { room: good } = open("rooms:good")
  const { room: bad } = open("rooms:bad", { text: "x".repeat(MAX) })
  await expect(bad.joined).rejects.toEqual(tooLarge)
  expect([bad.status, bad.reason?.code, bad.reason?.detail]).toEqual(["closed", "rejected", tooLarge])
  await expect(good.joined).resolves.toEqual({})
  // The topic can be joined again.
  await expect(open("rooms:bad").room.joined).resolves.toEqual({})
  expect(statuses).toEqual(["open"])
})

test("the limit that the server announces counts, and the smaller one if both are given", async () => {
  const { transport, latest } = scriptedTransport()
  const connection = connect("ws://example.test/socket", { transport, timers: clock(), maxMessageBytes: 500 })
  onTestFinished(() => connection.disconnect())
  const room = connection.room("rooms:1")
  latest().open()
  latest().reply(latest().last("phx_join"))
  const push = (size: number): void => void room.push("echo", { text: "x".repeat(size) })
  push(490)
  push(400)
  latest().receive(null, null, "phoenix", "rollcall", { limits: { maxMessageBytes: 300, maxMessagesPerSecond: 5000 } })
  push(400)
  push(200)
  latest().receive(null, null, "phoenix", "rollcall", { limits: { maxMessageBytes: 9000 } })
  push(490)
  expect(
    latest()
      .all("echo")
      .map(({ payload }) => payload.text.length),
  ).toEqual([400, 200])
})

test("short messages need no TextEncoder, which React Native did not have before 0.74", () => {
  vi.stubGlobal("TextEncoder", undefined)
  onTestFinished(() => void vi.unstubAllGlobals())
  const { transport, latest } = scriptedTransport()
  const connection = connect("ws://example.test/socket", { transport, timers: clock(), maxMessageBytes: 500 })
  onTestFinished(() => connection.disconnect())
  const room = connection.room("rooms:1")
  latest().open()
  latest().reply(latest().last("phx_join"))
  void room.push("echo", { n: 1 })
  room.update({ n: 1 })
  expect([latest().all("echo"), latest().all("presence_update")].map(({ length }) => length)).toEqual([1, 1])
})

test("an unknown server has no limit", async () => {
  const { transport, latest } = scriptedTransport()
  const connection = connect("ws://example.test/socket", { transport, timers: clock() })
  onTestFinished(() => connection.disconnect())
  const room = connection.room("rooms:1")
  latest().open()
  latest().reply(latest().last("phx_join"))
  void room.push("echo", { text: "x".repeat(3_000_000) })
  expect(latest().all("echo")).toHaveLength(1)
})

test("an encoder of the application's is limited, too, and what it throws rejects the push", async () => {
  const { transport, latest } = scriptedTransport()
  let joinRef = ""
  const encode: ConnectOptions["encode"] = ({ event, ref, payload: { n = 1 } }, send) => {
    if (event === "phx_join") joinRef = ref
    if (n === 0) throw new Error("no")
    void Promise.resolve().then(() => send(new ArrayBuffer(n)))
  }
  const connection = connect("ws://example.test/socket", { transport, timers: clock(), maxMessageBytes: 500, encode })
  onTestFinished(() => connection.disconnect())
  const room = connection.room("rooms:1")
  latest().open()
  latest().receive(joinRef, joinRef, "rooms:1", "phx_reply", { status: "ok", response: {} })
  await expect(room.push("echo", { n: 501 })).rejects.toMatchObject({ code: "payload_too_large" })
  await expect(room.push("echo", { n: 0 })).rejects.toMatchObject({ code: "bad_payload", cause: new Error("no") })
})

test.each([0, -1, Number.NaN, "big"])("connect throws for a maxMessageBytes of %s", (maxMessageBytes) => {
  const { transport } = scriptedTransport()
  const options = { transport, maxMessageBytes: maxMessageBytes as number }
  expect(() => connect("ws://example.test/socket", options)).toThrow(expect.objectContaining({ code: "config" }))
})

test("an application may push any JSON to a channel that it takes from phoenix.js itself", async () => {
  const { transport, latest } = scriptedTransport()
  const connection = connect("ws://example.test/socket", { transport, timers: clock() })
  onTestFinished(() => connection.disconnect())
  const channel = connection.socket.channel("rooms:1")
  channel.join()
  latest().open()
  latest().reply(latest().last("phx_join"))
  channel.push("note", "text" as unknown as object)
  expect(latest().last("note").payload).toBe("text")
})

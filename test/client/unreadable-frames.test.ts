/** Frames that are no messages, as a proxy, another protocol or a faulty server sends them: reported, and nothing else happens. */
import { expect, it, onTestFinished, vi } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import { connect, type ConnectOptions, type RollcallError, type Transport } from "../../src/client/index.ts"
import { user } from "../support/presences.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"
import { linked } from "../support/linked.ts"

function setup(options: ConnectOptions = {}) {
  const { transport, latest } = scriptedTransport()
  const connection = connect("ws://example.test/socket", { transport, ...options })
  onTestFinished(() => connection.disconnect())
  const errors: RollcallError[] = []
  connection.onError((error) => errors.push(error))
  const room = connection.room("rooms:1")
  latest().open()
  return { room, errors, socket: latest() }
}

const frames = [
  "null",
  "[]",
  "{}",
  "1",
  "",
  "not json",
  "[1,2,3,4,5]",
  new ArrayBuffer(0),
  Uint8Array.of(0).buffer,
  Uint8Array.of(9, 9, 9).buffer,
]

it.each(frames)("a frame that is no message is reported, and the next one counts: %j", (data) => {
  const { room, errors, socket } = setup()
  socket.onmessage({ data })
  const join = socket.last("phx_join")
  socket.reply(join)
  socket.receive(join.joinRef, null, "rooms:1", "presence_state", { ada: user("1") })
  expect([room.status, room.size, errors.map(({ code }) => code)]).toEqual(["live", 1, ["bad_frame"]])
})

it.each([null, "text", {}, { status: 5 }])("a reply without a status leaves its join open: %j", async (payload) => {
  const { room, errors, socket } = setup()
  const join = socket.last("phx_join")
  socket.receive(join.joinRef, join.ref, "rooms:1", "phx_reply", payload)
  socket.reply(join, "welcome")
  expect(await room.joined).toBe("welcome")
  const pushed = room.push("hi")
  const push = socket.last("hi")
  socket.receive(push.joinRef, push.ref, "rooms:1", "phx_reply", payload)
  socket.reply(push, "hello")
  expect(await pushed).toBe("hello")
  expect(errors.map(({ code }) => code)).toEqual(["bad_frame", "bad_frame"])
})

it("an error of a callback is not taken for one of the frame", () => {
  const { errors, socket } = setup({
    logger: (kind) => {
      if (kind === "receive") throw new Error("logger")
    },
  })
  expect(() => socket.receive(null, null, "rooms:2", "hi", {})).toThrow("logger")
  expect(errors).toEqual([])
})

it("without a listener they are logged, and a real WebSocket goes on reading", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => undefined)
  onTestFinished(() => log.mockRestore())
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" })
  await new Promise((resolve) => server.once("listening", resolve))
  server.on("connection", (socket) => {
    socket.send("null")
    socket.send(Buffer.of(9))
    socket.on("message", (data: Buffer) => {
      const [joinRef, ref, topic] = JSON.parse(data.toString()) as unknown[]
      socket.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "ok", response: "welcome" }]))
    })
  })
  const { port } = server.address() as { port: number }
  const connection = connect(`ws://127.0.0.1:${port}/socket`, { transport: WebSocket as unknown as Transport })
  onTestFinished(() => {
    connection.disconnect()
    server.close()
  })
  expect(await connection.room("rooms:1").joined).toBe("welcome")
  expect(log.mock.calls.map(([error]) => (error as RollcallError).code)).toEqual(["bad_frame", "bad_frame"])
})

it.each([{ maxMessageBytes: "x" }, { maxMessagesPerSecond: "x" }, { maxMessageBytes: null }, 5])(
  "limits that are no numbers limit nothing: %j",
  async (limits) => {
    const { room, socket } = setup()
    socket.receive(null, null, "phoenix", "rollcall", { limits })
    socket.reply(socket.last("phx_join"))
    const pushed = room.push("hi")
    socket.reply(socket.last("hi"), "hello")
    expect(await pushed).toBe("hello")
  },
)

it.each([-1, NaN, Infinity, 2 ** 31])("a timeout of a push that is no delay is refused: %d", async (timeout) => {
  const { room, socket } = setup()
  socket.reply(socket.last("phx_join"))
  await expect(room.push("hi", {}, timeout)).rejects.toMatchObject({ code: "config" })
  expect(socket.all("hi")).toEqual([])
})

it.each([null, "no session"])("params that throw %j are reported with it", async (thrown) => {
  const { transport, latest } = scriptedTransport()
  const connection = connect("ws://example.test/socket", { transport })
  onTestFinished(() => connection.disconnect())
  const room = connection.room("rooms:1", () => {
    throw thrown
  })
  const reported = new Promise<RollcallError>((resolve) => room.onError(resolve))
  latest().open()
  expect((await reported).message).toBe(linked(`params of rooms:1: ${thrown}`, "params_failed"))
})

/** What the client and Rollcall's own server tell each other: the client introduces itself, the server says why it refuses. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { connect, type Connection, type ConnectOptions } from "../../src/client/index.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"

const connections: Connection[] = []

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  for (const connection of connections.splice(0)) connection.disconnect()
  vi.useRealTimers()
})

function setup(options: ConnectOptions = {}, url = "ws://example.test/socket") {
  const scripted = scriptedTransport()
  const connection = connect(url, { transport: scripted.transport, random: () => 0.5, ...options })
  connections.push(connection)
  connection.socket.connect()
  const statuses: string[] = []
  connection.onStatus((status) => statuses.push(status))
  const { latest } = scripted
  const tell = (info: unknown) => latest().receive(null, null, "phoenix", "rollcall", info)
  const refuse = (reason: string) => {
    latest().open()
    tell({ refused: reason })
    latest().drop(4403)
  }
  return { connection, statuses, tell, refuse, ...scripted }
}

const clients = (url: string): string[] => new URL(url).searchParams.getAll("client")

describe("the client", () => {
  it("introduces itself in the query of the connection", () => {
    expect(clients(setup().latest().url)).toEqual(["rollcall/1"])
    expect(clients(setup({ params: { token: "t" } }).latest().url)).toEqual(["rollcall/1"])
  })

  it("does not, if the application has a param of this name", () => {
    expect(clients(setup({ params: { client: "mine" } }).latest().url)).toEqual(["mine"])
    expect(clients(setup({ params: { a: 1, client: "mine" } }).latest().url)).toEqual(["mine"])
    expect(clients(setup({}, "ws://example.test/socket?client=mine").latest().url)).toEqual(["mine"])
  })
})

describe("a server that gives the reason of its refusal", () => {
  it("is known to refuse after one handshake, without a long poll", async () => {
    const { connection, statuses, refuse, sockets } = setup()
    const room = connection.room("rooms:1")
    refuse("token expired")
    const reason = { code: "refused", detail: "token expired" }
    expect(statuses.at(-1)).toBe("refused")
    expect([connection.status, connection.reason, room.status, room.reason]).toEqual([
      "refused",
      reason,
      "joining",
      reason,
    ])
    expect(connection.room("rooms:2").reason).toEqual(reason)
    await vi.advanceTimersByTimeAsync(29_999)
    expect(sockets).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(sockets).toHaveLength(2)
  })

  it("and accepts the next token is not known to refuse any more", async () => {
    const { connection, statuses, tell, refuse, latest } = setup()
    const room = connection.room("rooms:1")
    refuse("token expired")
    await vi.advanceTimersByTimeAsync(30_000)
    statuses.length = 0
    refuse("still expired")
    expect([statuses, connection.reason]).toEqual([[], { code: "refused", detail: "still expired" }])
    await vi.advanceTimersByTimeAsync(30_000)
    latest().open()
    expect(statuses).toEqual([])
    tell({ limits: { maxMessageBytes: 1_000 } })
    latest().reply(latest().last("phx_join"), { hello: 1 })
    await expect(room.joined).resolves.toEqual({ hello: 1 })
    expect([statuses, connection.reason]).toEqual([["open"], undefined])
    latest().drop()
    expect(connection.status).toBe("reconnecting")
  })

  it('ends the connection with onRefused: "stop"', async () => {
    const { connection, refuse, sockets } = setup({ onRefused: "stop" })
    const room = connection.room("rooms:1")
    refuse("signed out")
    await expect(room.joined).rejects.toMatchObject({ reason: { code: "refused", detail: "signed out" } })
    await vi.advanceTimersByTimeAsync(600_000)
    expect([connection.status, room.status, sockets.length]).toEqual(["refused", "closed", 1])
    expect(() => connection.room("rooms:1")).toThrow(expect.objectContaining({ code: "closed" }))
  })

  it("makes a live room stale", () => {
    const { connection, tell, latest } = setup()
    const room = connection.room("rooms:1")
    latest().open()
    const join = latest().last("phx_join")
    latest().reply(join)
    latest().receive(join.joinRef, null, "rooms:1", "presence_state", {})
    expect(room.status).toBe("live")
    tell({ refused: "token expired" })
    latest().drop(4403)
    expect([room.status, room.reason?.code]).toEqual(["stale", "refused"])
  })
})

describe("a message about the connection", () => {
  it.each([null, "text", { refused: 1 }, { limits: null }, {}])("that is malformed breaks nothing: %j", (info) => {
    const { connection, tell, latest } = setup()
    latest().open()
    expect(() => tell(info)).not.toThrow()
    expect(connection.status).toBe("open")
  })

  it("of this name is left to the channels of the application on other topics", () => {
    const { connection, latest } = setup()
    const received = vi.fn()
    connection.room("rooms:1").on("rollcall", received)
    latest().open()
    latest().receive(latest().last("phx_join").joinRef, null, "rooms:1", "rollcall", { refused: "no" })
    expect([received.mock.calls, connection.reason]).toEqual([[[{ refused: "no" }]], undefined])
  })
})

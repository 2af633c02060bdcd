/** The debug switch: what a connection writes about itself, and what it never writes. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { connect, type Connection, type ConnectOptions } from "../../src/client/index.ts"
import { clock } from "../support/clock.ts"
import { user } from "../support/presences.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"

const connections: Connection[] = []

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  for (const connection of connections.splice(0)) connection.disconnect()
  vi.useRealTimers()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

function setup(options: ConnectOptions = {}) {
  const { transport, latest } = scriptedTransport()
  const timers = clock()
  const lines: string[] = []
  const connection = connect("ws://example.test/socket?key=q7", {
    transport,
    timers,
    random: () => 0.5,
    reconnectAfterMs: () => 10,
    debug: (line) => lines.push(line),
    ...options,
  })
  connections.push(connection)
  const accept = () => latest().reply(latest().last("phx_join"))
  const state = () =>
    latest().receive(latest().last("phx_join").joinRef, null, "rooms:1", "presence_state", { ada: user("1") })
  return { connection, timers, latest, lines, accept, state }
}

/** Stubs the page's storage, and returns the lines that reach the console. */
function page(stored: () => object): unknown[][] {
  vi.stubGlobal("window", {
    get localStorage() {
      return stored()
    },
  })
  return vi.spyOn(console, "log").mockImplementation(() => {}).mock.calls
}

describe("debug", () => {
  it("writes attempts, statuses and frames in order, each with its time", async () => {
    const { connection, timers, latest, lines, accept, state } = setup()
    timers.advance(1234)
    const room = connection.room<{ status: string }>("rooms:1", { name: "Ada" })
    latest().open()
    accept()
    state()
    room.update({ status: "away" })
    latest().drop(1008)
    await vi.advanceTimersByTimeAsync(10)
    expect(lines.map((line) => line.replace(/^rollcall 1234 ms /, "").replace(/ \d+ /, " # "))).toEqual([
      "connects: resumed",
      "tries ws://example.test/socket/websocket?vsn=2.0.0 WebSocket",
      "connecting",
      'rooms:1 -> phx_join # ["name"]',
      "open",
      'rooms:1 <- phx_reply # {"status":"ok","response":{}}',
      'rooms:1 <- presence_state null {"ada":{"metas":[{"phx_ref":"1"}]}}',
      "rooms:1 live",
      'rooms:1 -> presence_update # {"meta":{"status":"away"}}',
      "reconnecting",
      'rooms:1 stale {"code":"disconnected","detail":"connection_closed"}',
      "tries again in # ms",
      "closed 1008",
      "tries ws://example.test/socket/websocket?vsn=2.0.0 WebSocket",
    ])
  })

  it("writes a refusal of the connection with its reason, a dead one, a join that waits, and what is dropped", async () => {
    const { connection, timers, latest, lines, accept } = setup({ maxMessageBytes: 200 })
    const room = connection.room("rooms:1")
    latest().open()
    accept()
    room.leave()
    timers.advance(50)
    connection.room("rooms:1")
    connection.room("rooms:2", { me: "x".repeat(300) })
    await vi.advanceTimersByTimeAsync(0)
    latest().deaf = true
    vi.setSystemTime(Date.now() + 60_000)
    timers.advance(15_000)
    latest().open()
    latest().receive(null, null, "phoenix", "rollcall", { refused: "token_expired" })
    latest().drop(4403)
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/rooms:1 join waits$/),
        expect.stringMatching(/rooms:2 dropped phx_join .*payload_too_large/),
        expect.stringMatching(/connects: heartbeat_timeout$/),
        expect.stringMatching(/refused \{"code":"refused","detail":"token_expired"\}$/),
      ]),
    )
  })

  it("never writes params, tokens, or values that are called a token, secret or password", async () => {
    const { connection, latest, lines, accept } = setup({
      params: { key: "q1" },
      authToken: "q2",
    })
    const room = connection.room("rooms:1", () => ({ anything: "q3" }))
    latest().open()
    accept()
    void room.push("sign_in", { accessToken: "q4", user: { password: "q5" }, name: "Ada" })
    latest().receive(null, null, "rooms:1", "session", { client_secret: "q6" })
    const text = lines.join("\n")
    expect(text).toContain("sign_in")
    expect(text).toContain('"accessToken":"...","user":{"password":"..."},"name":"Ada"')
    expect(text).toContain('["anything"]')
    expect(text).not.toMatch(/q\d/)
  })

  it("cuts long payloads, and writes binary ones, too", () => {
    const { connection, latest, lines, accept } = setup()
    const room = connection.room("rooms:1")
    latest().open()
    accept()
    void room.push("long", { text: "x".repeat(10_000) })
    void room.push("bytes", new Uint8Array([1, 2]))
    expect(lines.find((line) => line.includes("-> long"))!.length).toBeLessThan(400)
    expect(lines.at(-1)).toMatch(/rooms:1 -> bytes/)
  })

  it("is off by default: nothing is written", () => {
    const log = vi.spyOn(console, "log")
    for (const debug of [undefined, false] as const) {
      const { connection, latest, accept } = setup({ debug })
      connection.room("rooms:1")
      latest().open()
      accept()
    }
    expect(log).not.toHaveBeenCalled()
  })

  it("true writes to the console", () => {
    const log = vi.spyOn(console, "log").mockImplementation(() => {})
    setup({ debug: true }).connection.room("rooms:1")
    expect(log).toHaveBeenCalledWith(expect.stringMatching(/^rollcall 0 ms connects/))
  })

  it.each([
    ["*", ["rooms:1", "rooms:12", "other:1", "phoenix"]],
    ["rooms:*", ["rooms:1", "rooms:12"]],
    ["rooms:1", ["rooms:1"]],
    ["nothing:*", []],
  ])("in the page's storage, %s writes the frames of these topics: %j", (pattern, topics) => {
    const written = page(() => ({ "rollcall:debug": pattern }))
    const { connection, latest } = setup({ debug: undefined })
    for (const topic of ["rooms:1", "rooms:12", "other:1"]) connection.room(topic)
    latest().open()
    connection.socket.ping(() => {})
    const lines = written.map(([line]) => String(line))
    const found = lines.flatMap((line) => / (\S+) -> /.exec(line)?.[1] ?? [])
    expect(new Set(found)).toEqual(new Set(topics))
    expect(lines).toContainEqual(expect.stringMatching(/ms open$/))
  })

  it("is off although the page's storage asks for it, if the option is false", () => {
    const written = page(() => ({ "rollcall:debug": "*" }))
    setup({ debug: false }).connection.room("rooms:1")
    expect(written).toEqual([])
  })

  it("is off in a page whose storage is empty or throws", () => {
    const written = page(() => ({}))
    setup({ debug: undefined }).connection.room("rooms:1")
    page(() => {
      throw new DOMException("sandboxed", "SecurityError")
    })
    const { connection, latest } = setup({ debug: undefined })
    connection.room("rooms:1")
    latest().open()
    expect([connection.status, written]).toEqual(["open", []])
  })

  it("breaks nothing if the function throws", () => {
    const uncaught = vi.spyOn(console, "error").mockImplementation(() => {})
    const { connection, latest, accept, state } = setup({
      debug: () => {
        throw new Error("no")
      },
    })
    const room = connection.room("rooms:1")
    latest().open()
    accept()
    state()
    expect([room.status, room.size]).toEqual(["live", 1])
    expect(uncaught).toHaveBeenCalledWith(expect.objectContaining({ code: "callback_failed" }))
  })
})

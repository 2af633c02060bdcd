/** What a new user does first: in a Node program, while a server renders a page, and against a server that lacks something. */
import { spawn } from "node:child_process"
import { text } from "node:stream/consumers"
import { describe, expect, it, onTestFinished, vi, type Mock } from "vitest"
import { WebSocket } from "ws"
import {
  connect,
  type ConnectOptions,
  type Connection,
  type RollcallError,
  type Room,
  type Transport,
} from "../../src/client/index.ts"
import { clock } from "../support/clock.ts"
import { serve } from "../support/serve.ts"
import { linked } from "../support/linked.ts"

/** Runs a program that imports the built package, until it ends by itself. */
async function run(program: string): Promise<{ code: number | null; output: string; errors: string }> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", program])
  const [code, output, errors] = await Promise.all([
    new Promise<number | null>((resolve) => child.on("exit", resolve)),
    text(child.stdout),
    text(child.stderr),
  ])
  return { code, output, errors }
}

const ON_ANY_SERVER = [
  ["without a WebSocket", "delete globalThis.WebSocket"],
  ["with a WebSocket of its own", "globalThis.WebSocket = class { constructor() { console.error('it connects') } }"],
]

describe("on a server that renders a page", () => {
  it.each(ON_ANY_SERVER)(
    "%s, a module may connect and take rooms: nothing is opened, written or kept alive",
    async (_which, stub) => {
      const { code, output, errors } = await run(`
      ${stub}
      const { connect } = await import("rollcall")
      const connection = connect("/socket", { params: () => { throw new Error("nobody needs params here") } })
      const room = connection.room("rooms:1")
      room.subscribe(() => console.error("a change"))
      const html = "<ul>" + room.list((key) => "<li>" + key) + "</ul>"
      const timers = process.getActiveResourcesInfo().filter((name) => /Time|TCP/.test(name))
      const { status, reason, size } = room
      console.log(JSON.stringify({ html, status, reason, size, timers, connection: [connection.status, connection.reason] }))`)
      const reason = { code: "no_transport", detail: expect.stringMatching(/expected a page, or a full URL/) }
      expect([code, errors]).toEqual([0, ""])
      expect(JSON.parse(output)).toEqual({
        html: "<ul></ul>",
        status: "joining",
        reason,
        size: 0,
        timers: [],
        connection: ["idle", reason],
      })
    },
  )

  it.each(ON_ANY_SERVER)("%s, everything else of a connection and a room may be called, too", async (_which, stub) => {
    const { code, output, errors } = await run(`
      ${stub}
      const { connect } = await import("rollcall")
      const connection = connect("wss://example.test/socket")
      const room = connection.room("rooms:1")
      connection.pause()
      connection.resume()
      connection.socket.connect()
      room.leave()
      connection.room("rooms:1").leave()
      connection.room("rooms:2")
      connection.disconnect()
      console.log(connection.status, room.status)`)
    expect([code, output, errors]).toEqual([0, "closed closed\n", ""])
  })
})

describe("a Node program that gives no transport", () => {
  it.each([
    ["ready", "await room.ready"],
    ["joined", "await room.joined"],
    ["a push", 'await room.push("hello")'],
    ["an update", 'room.update({ status: "away" }); room.update({ status: "here" })'],
  ])("is warned once when it waits for %s", async (_what, wait) => {
    const { errors } = await run(`
      delete globalThis.WebSocket
      const { connect } = await import("rollcall")
      const room = connect("ws://localhost:4000/socket").room("rooms:1")
      ${wait}`)
    expect(errors.match(/rollcall: rooms:1: expected .* a transport such as the WebSocket of "ws"/g)).toHaveLength(1)
  })

  it("has pending promises, and may go on", async () => {
    const { code, output } = await run(`
      delete globalThis.WebSocket
      const { connect } = await import("rollcall")
      const { ready } = connect("ws://localhost:4000/socket").room("rooms:1")
      console.log(await Promise.race([ready, new Promise((resolve) => setTimeout(resolve, 0, "pending"))]))`)
    expect([code, output]).toEqual([0, "pending\n"])
  })
})

function client(url: string, options: ConnectOptions = {}): Connection {
  const connection = connect(`${url}/socket`, { transport: WebSocket as unknown as Transport, ...options })
  onTestFinished(() => connection.disconnect())
  return connection
}

describe("with a server", () => {
  it("a URL may begin with http", async () => {
    const { url } = await serve((server) => {
      server.socket("/socket", {})
      server.channel("rooms:*", { join: () => ({ ok: {} }), presence: () => ({ key: "ada" }) })
    })
    const room = client(url.replace("ws", "http")).room("rooms:1")
    expect((await room.ready).users).toMatchObject([{ key: "ada" }])
  })

  it("the size is right as soon as ready resolves, for each of forty clients", async () => {
    const { url } = await serve<{ name: string }>((server) => {
      server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] ?? "" }) })
      server.channel("rooms:*", { join: () => ({ ok: {} }), presence: ({ assigns }) => ({ key: assigns.name }) })
    })
    for (let n = 1; n <= 40; n++) {
      const room = client(url, { params: { name: `user ${n}` } }).room("rooms:1")
      const view = await room.ready
      expect([view.size, room.size, room.self?.key]).toEqual([n, n, `user ${n}`])
    }
  })

  it("an update without a handler on the server is reported, with what is missing there", async () => {
    const { url } = await serve((server) => {
      server.socket("/socket", {})
      server.channel("rooms:*", { join: () => ({ ok: {} }), presence: () => ({ key: "ada" }) })
    })
    const room = client(url).room<{ status: string }>("rooms:1")
    await room.ready
    const error = new Promise<RollcallError>((resolve) => room.onError(resolve))
    room.update({ status: "away" })
    expect(await error).toMatchObject({
      code: "update_rejected",
      message: expect.stringMatching(
        /^presence_update on rooms:1: the channel crashed.*handler.*on or allow; handle_in/,
      ),
    })
  })

  it("a topic that no channel serves is refused with this reason", async () => {
    const { url } = await serve((server) => server.socket("/socket", {}))
    await expect(client(url).room("romos:1").ready).rejects.toMatchObject({
      code: "join_rejected",
      message: linked("the server refused the join of romos:1: unmatched topic", "join_rejected"),
    })
  })

  describe("the first join is refused", () => {
    const refused = async (): Promise<{ room: Room; warned: Mock; closed: Promise<unknown> }> => {
      const warned = vi.spyOn(console, "warn").mockImplementation(() => {})
      onTestFinished(() => warned.mockRestore())
      const { url } = await serve((server) => server.socket("/socket", {}))
      const room = client(url).room("romos:1")
      const closed = new Promise<void>((resolve) => {
        room.subscribe(() => room.status === "closed" && resolve())
      })
      return { room, warned, closed }
    }
    const refusal = {
      code: "join_rejected",
      message: linked("the server refused the join of romos:1: unmatched topic", "join_rejected"),
    }

    it("the console names the reason if the program waits for neither ready nor joined, because the page only stays empty", async () => {
      const { warned, closed } = await refused()
      await closed
      expect(warned.mock.calls).toEqual([[`rollcall: ${refusal.message}`]])
    })

    it.each(["ready", "joined"] as const)("only the promise rejects if the program waits for %s", async (name) => {
      const { room, warned, closed } = await refused()
      const reported = vi.fn()
      room.onError(reported)
      await expect(room[name]).rejects.toMatchObject(refusal)
      await closed
      expect([reported.mock.calls, warned.mock.calls]).toEqual([[], []])
    })
  })

  it("an update of a field that the server does not allow is refused with the name of the field", async () => {
    const { url } = await serve((server) => {
      server.socket("/socket", {})
      server.channel("rooms:*", { join: () => ({ ok: {} }), presence: () => ({ key: "ada" }), allow: ["name"] })
    })
    const room = client(url).room<{ mood: string }>("rooms:1")
    room.onError(() => {})
    await room.ready
    await expect(room.update({ mood: "good" })).rejects.toMatchObject({
      message: expect.stringMatching(/field not allowed: mood \(see/),
    })
  })

  it("a room without presence rejects ready with no_state, and says what is missing", async () => {
    const { url } = await serve((server) => {
      server.socket("/socket", {})
      server.channel("rooms:*", { join: () => ({ ok: {} }) })
    })
    const timers = clock()
    const room = client(url, { timers }).room("rooms:1")
    room.onError(() => {})
    await room.joined
    timers.advance(10_000)
    await expect(room.ready).rejects.toMatchObject({
      code: "no_state",
      message: expect.stringMatching(/track presence/),
    })
  })

  it("ready rejects if nothing listens at the URL", async () => {
    const room = client("ws://127.0.0.1:1").room("rooms:1", {}, { readyTimeoutMs: 50 })
    await expect(room.ready).rejects.toMatchObject({ code: "no_state", message: expect.stringMatching(/not joined/) })
  })

  it("ready rejects with the reason that the server gives for its refusal", async () => {
    const { url } = await serve((server) => server.socket("/socket", { connect: () => ({ error: "signed out" }) }))
    const timers = clock()
    const connection = client(url, { timers })
    const room = connection.room("rooms:1")
    await expect.poll(() => connection.status).toBe("refused")
    timers.advance(10_000)
    await expect(room.ready).rejects.toMatchObject({
      code: "no_state",
      message: expect.stringMatching(/The room is not joined: refused, signed out/),
    })
  })

  it("a connection that is not needed is closed, and opened again", async () => {
    const { url, reached, counted } = await serve((server) => {
      server.socket("/socket", {})
      server.channel("rooms:*", { join: () => ({ ok: {} }), presence: () => ({ key: "ada" }) })
    })
    const connection = client(url, { idleMs: 0 })
    const room = connection.room("rooms:1")
    await room.ready
    room.leave()
    await reached("disconnects", 1)
    await expect.poll(() => connection.status).toBe("idle")
    expect((await connection.room("rooms:1").ready).size).toBe(1)
    expect(counted.get("connects")).toBe(2)
  })
})

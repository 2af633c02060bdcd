/** Params and tokens that the application gives: anew for each attempt, perhaps late, perhaps bad. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import {
  ConfigError,
  connect,
  type Connection,
  type ConnectOptions,
  type RollcallError,
} from "../../src/client/index.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"

const connections: Connection[] = []
/** What goes where the platform reports uncaught errors. */
const uncaught = vi.fn()

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal("reportError", uncaught)
  process.on("unhandledRejection", uncaught)
})
afterEach(() => {
  for (const connection of connections.splice(0)) connection.disconnect()
  vi.useRealTimers()
  vi.unstubAllGlobals()
  process.off("unhandledRejection", uncaught)
  expect(uncaught).not.toHaveBeenCalled()
  uncaught.mockReset()
})

function setup(options: ConnectOptions) {
  const scripted = scriptedTransport()
  const protocols: unknown[] = []
  class Recorded extends scripted.transport {
    constructor(url: string, given?: string[]) {
      super(url)
      protocols.push(given)
    }
  }
  const connection = connect("ws://example.test/socket", {
    transport: Recorded,
    random: () => 0.5,
    ...options,
  })
  connections.push(connection)
  const errors: RollcallError[] = []
  connection.onError((error) => errors.push(error))
  connection.socket.connect()
  const urls = (): (string | undefined)[] => scripted.sockets.map(({ url }) => /websocket\?(.*)&vsn/.exec(url)?.[1])
  return { connection, errors, urls, protocols, ...scripted }
}

const ms = (delay: number): Promise<unknown> => vi.advanceTimersByTimeAsync(delay)
const bad: [string, () => unknown][] = [
  ["null", () => null],
  ["undefined", () => undefined],
  ["a symbol", () => Symbol("s")],
  ["a BigInt", () => 1n],
  ["a text", () => "token"],
  [
    "an error",
    () => {
      throw new Error("signed out")
    },
  ],
  ["a rejected promise", () => Promise.reject(new Error("signed out"))],
  ["a promise of null", async () => null],
  [
    "a toJSON that throws",
    () => ({
      a: {
        toJSON: () => {
          throw new Error("no JSON")
        },
      },
    }),
  ],
  [
    "a circle",
    () => {
      const circle: Record<string, unknown> = {}
      circle["self"] = circle
      return circle
    },
  ],
]

describe("params and authToken of a connection", () => {
  it("may be promises, and are asked for anew at each attempt", async () => {
    let attempt = 0
    const { urls, protocols, latest } = setup({
      params: async () => ({ attempt: (attempt += 1) }),
      authToken: async () => `token ${attempt}`,
    })
    expect(urls()).toEqual([])
    await ms(0)
    latest().open()
    latest().drop()
    await ms(10)
    expect(urls()).toEqual(["attempt=1", "attempt=2"])
    expect(protocols).toEqual(
      [1, 2].map((n) => ["phoenix", `base64url.bearer.phx.${btoa(`token ${n}`).replace(/=/g, "")}`]),
    )
  })

  it("are asked for once at a time, if an attempt is given up while they are awaited", async () => {
    const resolves: ((params: object) => void)[] = []
    const { connection, urls } = setup({ params: () => new Promise((resolve) => resolves.push(resolve)) })
    connection.socket.disconnect()
    connection.socket.connect()
    connection.socket.disconnect()
    connection.socket.connect()
    await ms(100)
    expect(resolves).toHaveLength(1)
    resolves[0]?.({ n: 1 })
    await ms(0)
    expect(urls()).toEqual(["n=1"])
  })

  it("that come too late fail the attempt; the next one asks again", async () => {
    const given: (() => unknown)[] = [() => new Promise(() => {}), () => ({ n: 2 })]
    const { connection, errors, urls } = setup({ params: () => given.shift()?.() as object })
    await ms(9_999)
    expect([errors, connection.status]).toEqual([[], "connecting"])
    await ms(1)
    expect(errors).toMatchObject([{ code: "params_failed", message: expect.stringContaining("10000 ms") }])
    await ms(10)
    expect(urls()).toEqual(["n=2"])
  })

  it.each(bad)("that give %s fail one attempt, which is reported", async (_what, value) => {
    const given = [value, () => ({ n: 2 })]
    const { connection, errors, urls, latest } = setup({ params: () => given.shift()?.() as object })
    await ms(0)
    expect(errors).toMatchObject([{ code: "params_failed" }])
    expect(connection.status).toBe("connecting")
    await ms(10)
    expect(urls()).toEqual(["n=2"])
    latest().open()
    expect(connection.status).toBe("open")
  })

  it.each([...bad.slice(0, 4), ...bad.slice(5, 8), ["a text that no header can have", () => "✓"] as const])(
    "fail one attempt if the token is %s",
    async (_what, value) => {
      const given = [value, () => "good"]
      const { errors, protocols } = setup({ authToken: () => given.shift()?.() as string })
      await ms(10)
      expect(errors).toMatchObject([{ code: "params_failed" }])
      expect(protocols).toEqual([["phoenix", "base64url.bearer.phx.Z29vZA"]])
    },
  )

  it("that both fail are one error", async () => {
    const { errors } = setup({
      params: () => Promise.reject(new Error("params")),
      authToken: () => {
        throw new Error("token")
      },
    })
    await ms(0)
    expect(errors).toHaveLength(1)
  })

  it("that cannot be sent are refused at once, if no function gives them", () => {
    for (const params of [{ n: 1n }, { a: { toJSON: bad[5]![1] } }])
      expect(() => setup({ params })).toThrow(ConfigError)
    for (const authToken of ["✓", "\ud83d", 7 as never]) expect(() => setup({ authToken })).toThrow(ConfigError)
  })

  it("are not used after disconnect, and not asked for again", async () => {
    let asked = 0
    let resolve = (_params: object): void => {}
    const params = (): Promise<object> => {
      asked += 1
      return new Promise((given) => (resolve = given))
    }
    const { connection, sockets } = setup({ params })
    connection.disconnect()
    resolve({})
    await ms(60_000)
    expect([asked, sockets, connection.status]).toEqual([1, [], "closed"])
  })

  it("are reported with what the transport's constructor throws, as for an unencrypted WebSocket in an encrypted page", async () => {
    let attempts = 0
    class Insecure {
      readonly readyState = 3
      constructor() {
        attempts += 1
        throw new Error("insecure")
      }
    }
    const { errors } = setup({ transport: Insecure })
    await ms(10)
    expect(errors).toMatchObject([{ message: expect.stringContaining("insecure") }, {}])
    expect(attempts).toBe(2)
  })

  it("are logged to the console without a listener", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {})
    const { transport } = scriptedTransport()
    const connection = connect("ws://example.test/socket", { transport, params: () => null as never })
    connections.push(connection)
    connection.socket.connect()
    await ms(0)
    expect(log).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: "params_failed" }))
    log.mockRestore()
  })
})

describe("the params of a room", () => {
  it("are asked for when the join is sent, not when the room is made", async () => {
    const { connection, latest } = setup({})
    let token = "old"
    connection.room("rooms:1", () => ({ token }))
    token = "new"
    latest().open()
    expect(latest().last("phx_join").payload).toEqual({ token: "new" })
  })

  it("are asked for again after an outage, and may be a promise", async () => {
    const { connection, latest } = setup({})
    let join = 0
    connection.room("rooms:1", async () => ({ join: (join += 1) }))
    latest().open()
    await ms(0)
    latest().reply(latest().last("phx_join"))
    latest().drop()
    await ms(10)
    latest().open()
    await ms(0)
    expect([join, latest().last("phx_join").payload]).toEqual([2, { join: 2 }])
  })

  it.each(bad)("that give %s fail one join, which is reported; the other rooms join", async (_what, value) => {
    const { connection, latest } = setup({})
    const given = [value, () => ({ n: 2 })]
    const errors: RollcallError[] = []
    const room = connection.room("rooms:1", () => given.shift()?.() as object)
    room.onError((error) => errors.push(error))
    connection.room("rooms:2")
    latest().open()
    await ms(0)
    expect(errors).toMatchObject([{ code: "params_failed", message: expect.stringContaining("rooms:1") }])
    expect(
      latest()
        .all("phx_join")
        .map(({ topic }) => topic),
    ).toEqual(["rooms:2"])
    expect([room.status, room.reason]).toEqual(["joining", { code: "params_failed", detail: errors[0] }])
    await ms(1000)
    expect(latest().last("phx_join")).toMatchObject({ topic: "rooms:1", payload: { n: 2 } })
    latest().reply(latest().last("phx_join"), { hello: 1 })
    await expect(room.joined).resolves.toEqual({ hello: 1 })
  })

  it("that JSON cannot write are refused to the caller, if no function gives them", () => {
    const { connection, latest } = setup({})
    latest().open()
    expect(() => connection.room("rooms:1", { n: 1n })).toThrow(expect.objectContaining({ code: "bad_payload" }))
    for (const params of [null, "token", 1n, Symbol("s")]) {
      expect(() => connection.room("rooms:1", params as never)).toThrow(ConfigError)
    }
    expect(latest().sent).toEqual([])
  })
})

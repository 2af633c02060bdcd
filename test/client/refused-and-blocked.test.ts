/** Connections to a real server that refuses them, and through proxies that block WebSockets. */
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest"
import { WebSocket } from "ws"
import { connect, LongPoll, type Connection, type ConnectOptions, type Transport } from "../../src/client/index.ts"
import type { Handshake } from "../../src/server/index.ts"
import { startProxy } from "../support/proxy.ts"
import { serve } from "../support/serve.ts"
import { until } from "../support/until.ts"

const warnings: string[] = []

/** With these params the client is not known to the server as Rollcall's, so that it does not get the reason of a refusal. */
const UNTOLD = { client: "app" }

beforeEach(() => {
  warnings.length = 0
  vi.spyOn(console, "warn").mockImplementation((text: string) => void warnings.push(text))
})
afterEach(() => vi.restoreAllMocks())

/** A server that accepts the token `good`, and the handshakes that reached it. */
async function served(
  accept = ({ params, authToken }: Handshake): boolean | Promise<boolean> => (authToken ?? params["token"]) === "good",
) {
  const tokens: unknown[] = []
  const served = await serve((server) => {
    server.socket("/socket", {
      origins: false,
      connect: async (handshake) => {
        tokens.push(handshake.authToken ?? handshake.params["token"])
        return (await accept(handshake)) ? {} : false
      },
    })
    server.channel("rooms:*", {
      join: () => ({ ok: {} }),
      presence: () => ({ key: "ada" }),
      on: { echo: (payload) => ({ ok: payload }) },
    })
  })
  return { ...served, tokens }
}

function client(url: string, options: ConnectOptions = {}): Connection {
  const connection = connect(`${url}/socket`, {
    transport: WebSocket as unknown as Transport,
    reconnectAfterMs: () => 10,
    rejoinAfterMs: () => 10,
    ...options,
  })
  onTestFinished(() => connection.disconnect())
  connection.socket.connect()
  return connection
}

/** Resolves once the connection has this status. */
const reaches = (connection: Connection, status: string): Promise<void> =>
  new Promise((resolve) => {
    const undo = connection.onStatus((given) => given === status && done())
    const done = (): void => {
      undo()
      resolve()
    }
    if (connection.status === status) done()
  })

describe("a server that refuses the connection", () => {
  it.each([
    ["a token in the params", { params: { ...UNTOLD, token: "expired" } }],
    ["an authToken", { params: UNTOLD, authToken: "expired" }],
  ])("because of %s is told from a bad network after three handshakes", async (_what, options) => {
    const { url, tokens } = await served()
    const connection = client(url, options)
    const room = connection.room("rooms:1")
    const statuses: string[] = []
    connection.onStatus((status) => statuses.push(status))
    await reaches(connection, "refused")
    expect(statuses).toEqual(["refused"])
    expect(connection.reason).toEqual({ code: "refused", detail: 403 })
    expect([room.status, room.reason]).toEqual(["joining", { code: "refused", detail: 403 }])
    expect(connection.room("rooms:2").reason).toEqual({ code: "refused", detail: 403 })
    // Three WebSockets and the long poll.
    expect(tokens).toEqual(["expired", "expired", "expired", "expired"])
    expect(warnings).toEqual([expect.stringMatching(/127\.0\.0\.1.*403/)])
    expect(warnings[0]).not.toContain("expired")
  })

  it("is known over long polling after one", async () => {
    const { url, tokens } = await served()
    const connection = client(url, { params: { token: "expired" }, transport: LongPoll })
    await reaches(connection, "refused")
    expect(tokens).toEqual(["expired"])
  })

  it("and accepts a new token later gets it, and the rooms are live", async () => {
    const { url } = await served()
    let asked = 0
    const setTimeout = vi.spyOn(globalThis, "setTimeout")
    const connection = client(url, {
      random: () => 0,
      params: async () => ({ ...UNTOLD, token: (asked += 1) > 4 ? "good" : "expired" }),
    })
    const room = connection.room("rooms:1")
    await reaches(connection, "refused")
    // The next attempt is due in 15 s, the least of 30 s ± 50 %. The test does not wait for it.
    expect(setTimeout.mock.calls.map(([, delay]) => delay)).toContain(15_000)
    connection.socket.disconnect()
    connection.socket.connect()
    await reaches(connection, "open")
    await room.joined
    expect([connection.reason, asked]).toEqual([undefined, 5])
  })

  it('ends the connection with onRefused: "stop"', async () => {
    const { url, tokens } = await served()
    const connection = client(url, { params: { ...UNTOLD, token: "expired" }, onRefused: "stop" })
    const room = connection.room("rooms:1")
    await expect(room.joined).rejects.toMatchObject({ code: "closed", reason: { code: "refused", detail: 403 } })
    expect([connection.status, room.status, room.reason]).toEqual([
      "refused",
      "closed",
      { code: "refused", detail: 403 },
    ])
    expect(() => connection.room("rooms:2")).toThrow(expect.objectContaining({ code: "closed" }))
    expect([connection.socket.connectionState(), tokens.length]).toEqual(["closed", 4])
  })
})

describe("a server that cannot be reached", () => {
  it("is no refusal: at a wrong path the attempts go on, with one warning", async () => {
    const { url } = await served()
    const attempts: number[] = []
    let enough = (): void => {}
    const seven = new Promise<void>((resolve) => (enough = resolve))
    const connection = client(`${url}/nowhere`, {
      reconnectAfterMs: (tries) => {
        attempts.push(tries)
        if (tries === 7) enough()
        return 1
      },
    })
    await seven
    expect([connection.status, connection.reason, attempts]).toEqual(["connecting", undefined, [1, 2, 3, 4, 5, 6, 7]])
    expect(warnings).toEqual([expect.stringMatching(/nowhere.*Check the URL/)])
  })

  it("and answers JSON of another kind causes no uncaught error", async () => {
    const answers = vi.fn()
    vi.stubGlobal(
      "XMLHttpRequest",
      class {
        readyState = 4
        responseText = '{"errors":{"detail":"Not Found"}}'
        onreadystatechange = (): void => {}
        open(): void {}
        setRequestHeader(): void {}
        abort(): void {}
        send(): void {
          answers()
          this.onreadystatechange()
        }
      },
    )
    onTestFinished(() => void vi.unstubAllGlobals())
    const connection = client("ws://127.0.0.1:1", { transport: LongPoll })
    await until(() => answers.mock.calls.length >= 2)
    expect(connection.status).toBe("connecting")
  })
})

describe("a token that takes its time", () => {
  it("is awaited: the connection and a long poll in its place have it", async () => {
    const { url, tokens } = await served()
    const proxy = await startProxy(url)
    proxy.webSockets = "cut"
    const authToken = (): Promise<string> => new Promise((resolve) => setTimeout(resolve, 60, "good"))
    const connection = client(proxy.url, { authToken, longPollFallbackMs: 20 })
    await connection.room("rooms:1").joined
    expect(new Set(tokens)).toEqual(new Set(["good"]))
    expect(proxy.polls).toBeGreaterThan(0)
  })
})

describe("longPollFallbackMs", () => {
  const all = (): Promise<boolean> => Promise.resolve(true)

  it.each(["cut", "swallow"] as const)(
    "helps against a proxy that does %s a WebSocket after its handshake",
    async (webSockets) => {
      const { url } = await served(all)
      const proxy = await startProxy(url)
      proxy.webSockets = webSockets
      const connection = client(proxy.url, { longPollFallbackMs: 5000 })
      const room = connection.room("rooms:1")
      await room.joined
      await expect(room.push("echo", { a: 1 })).resolves.toEqual({ a: 1 })
      expect(proxy.opened).toBe(1)
      expect(warnings).toEqual([])
    },
  )

  it("comes back to WebSockets when the long poll has ended, as with a restart of the server", async () => {
    const { url } = await served(all)
    const proxy = await startProxy(url)
    proxy.webSockets = "cut"
    const connection = client(proxy.url, { longPollFallbackMs: 5000 })
    const room = connection.room("rooms:1")
    await room.joined
    proxy.webSockets = "pass"
    const { opened } = proxy
    await until(() => (proxy.breakPolls(), proxy.opened > opened))
    await expect(room.push("echo", { a: 1 })).resolves.toEqual({ a: 1 })
    const { polls } = proxy
    await expect(room.push("echo", { a: 2 })).resolves.toEqual({ a: 2 })
    expect(proxy.polls).toBe(polls)
  })

  it("is recommended if the handshakes of WebSockets fail and long polling works", async () => {
    const { url } = await served(all)
    const proxy = await startProxy(url)
    proxy.webSockets = "refuse"
    client(proxy.url)
    await until(() => warnings.length > 0)
    expect(warnings).toEqual([expect.stringContaining("longPollFallbackMs")])
  })
})

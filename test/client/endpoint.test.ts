/** The addresses that `connect` takes, and its other checked options. */
import { afterEach, describe, expect, it, vi } from "vitest"
import { ConfigError, connect, type ConnectOptions } from "../../src/client/index.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"

/** Returns the URL that is opened for an address. */
function opened(url: string, options: ConnectOptions = {}): string | undefined {
  const { transport, latest } = scriptedTransport()
  const connection = connect(url, { transport, ...options })
  connection.socket.connect()
  connection.disconnect()
  return latest()?.url
}

afterEach(() => vi.unstubAllGlobals())

describe("an address", () => {
  it("keeps its own query", () => {
    expect(opened("ws://a.test/socket?tenant=1", { params: { token: "t" } })).toBe(
      "ws://a.test/socket/websocket?tenant=1&token=t&vsn=2.0.0&client=rollcall/1",
    )
    expect(opened("ws://a.test/socket?next=/websocket#part")).toBe(
      "ws://a.test/socket/websocket?next=%2Fwebsocket&vsn=2.0.0&client=rollcall/1",
    )
  })

  it("may end in a slash, or be that of the WebSocket itself", () => {
    for (const url of ["ws://a.test/socket", "ws://a.test/socket/", "ws://a.test/socket/websocket"]) {
      expect(opened(url)).toBe("ws://a.test/socket/websocket?vsn=2.0.0&client=rollcall/1")
    }
    expect(opened("ws://a.test/websocket")).toBe("ws://a.test/websocket/websocket?vsn=2.0.0&client=rollcall/1")
    expect(opened("ws://a.test")).toBe("ws://a.test/websocket?vsn=2.0.0&client=rollcall/1")
  })

  it("may be one of HTTP", () => {
    expect(opened("http://a.test:4000/socket")).toBe("ws://a.test:4000/socket/websocket?vsn=2.0.0&client=rollcall/1")
    expect(opened("https://a.test/socket")).toBe("wss://a.test/socket/websocket?vsn=2.0.0&client=rollcall/1")
  })

  it("in a page may be a path, or leave out the scheme", () => {
    vi.stubGlobal("location", { protocol: "https:", host: "page.test" })
    expect(opened("/socket?a=1")).toBe("wss://page.test/socket/websocket?a=1&vsn=2.0.0&client=rollcall/1")
    expect(opened("//other.test/socket")).toBe("wss://other.test/socket/websocket?vsn=2.0.0&client=rollcall/1")
    expect(opened("/")).toBe("wss://page.test/websocket?vsn=2.0.0&client=rollcall/1")
  })

  it.each([
    "",
    "socket",
    "a.test/socket",
    "localhost:4000/socket",
    "ftp://a.test/socket",
    "ws://",
    "ws:///socket",
    "ws://a b/s",
  ])("is refused if it is no URL and no path: %j", (url) => {
    vi.stubGlobal("location", { protocol: "https:", host: "page.test" })
    expect(() => opened(url)).toThrow(ConfigError)
  })
})

describe("a delay", () => {
  it.each(["heartbeatIntervalMs", "timeout", "longpollerTimeout", "longPollFallbackMs"])(
    "%s is refused if a timer would fire at once instead of waiting for it",
    (name) => {
      for (const ms of [Infinity, 2 ** 31, 30 * 86_400_000, -1, Number.NaN, "10"]) {
        expect(() => opened("ws://a.test/socket", { [name]: ms })).toThrow(ConfigError)
      }
      expect(opened("ws://a.test/socket", { [name]: 2 ** 31 - 1 })).toBeDefined()
    },
  )

  it("of a room's join is checked, too", () => {
    const connection = connect("ws://a.test/socket", { transport: scriptedTransport().transport })
    expect(() => connection.room("rooms:1", {}, { timeout: Infinity })).toThrow(ConfigError)
    connection.disconnect()
  })
})

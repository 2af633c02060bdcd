import { describe, expect, it, onTestFinished } from "vitest"
import { createServer } from "../../src/server/index.ts"
import { memoryTransport } from "../../src/testing/index.ts"
import type { MemoryTransport, MemoryWebSocket } from "../../src/testing/index.ts"
import type { Data } from "../../src/wire/message.ts"
import { transportContract } from "../contracts/transport.ts"
import type { TestClient } from "../contracts/transport.ts"
import { Inbox } from "../support/inbox.ts"

function connect(memory: MemoryTransport, url: string): TestClient {
  const socket = new memory.WebSocket(url)
  const frames = new Inbox<Data>("frames")
  const ends = new Inbox<number>("the end of a connection")
  const beginning = new Promise<unknown>((resolve) => {
    const handlers: Partial<MemoryWebSocket> = {
      onopen: () => resolve(undefined),
      onmessage: ({ data }) => frames.put(typeof data === "string" ? data : new Uint8Array(data)),
      onclose({ code }) {
        ends.put(code)
        resolve(code)
      },
    }
    Object.assign(socket, handlers)
  })
  return {
    opened: beginning,
    async send(...sent) {
      for (const data of sent) socket.send(data)
    },
    next: () => frames.next(),
    stopReading: () => undefined,
    stopSending: () => undefined,
    abort: () => socket.close(),
    closed: () => ends.next(),
  }
}

const UNLIMITED = "a double takes what it is given, and holds it for nobody"

transportContract("memory", {
  connect: ({ server }, { path, query }) => connect(memoryTransport(server), `ws://memory${path}/websocket?${query}`),
  address: "memory",
  refusal: () => 1006,
  closedWith: (code) => code,
  idleTimeoutMs: Infinity,
  abortNoticedMs: 0,
  lacks: {
    headers: "a WebSocket of a browser has none of its own",
    authToken: "its subprotocols are nobody's",
    frameLimit: UNLIMITED,
    bufferLimit: UNLIMITED,
    idleTimeout: "nobody is lost from sight in one process",
  },
})

describe("the wire of the memory transport", () => {
  function wired() {
    const server = createServer()
    server.socket("/socket")
    onTestFinished(() => server.close())
    const memory = memoryTransport(server)
    return { memory, open: () => connect(memory, "ws://memory/socket/websocket?vsn=2.0.0") }
  }

  it("drops every connection when it is told to, without a goodbye, and takes new ones", async () => {
    const { memory, open } = wired()
    const clients = [open(), open()]
    for (const { opened } of clients) expect(await opened).toBeUndefined()
    memory.drop()
    for (const client of clients) expect(await client.closed()).toBe(1006)
    expect(await open().opened).toBeUndefined()
  })

  it("reaches nobody while it is told so", async () => {
    const { memory, open } = wired()
    memory.reachable = false
    expect(await open().opened).toBe(1006)
    memory.reachable = true
    expect(await open().opened).toBeUndefined()
  })
})

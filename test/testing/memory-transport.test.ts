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
  const closeCodes = new Inbox<number>("close codes")
  const opened = new Promise<unknown>((resolve) => {
    const handlers: Partial<MemoryWebSocket> = {
      onopen: () => resolve(undefined),
      onmessage: ({ data }) => frames.put(typeof data === "string" ? data : new Uint8Array(data)),
      onclose({ code }) {
        closeCodes.put(code)
        resolve(code)
      },
    }
    Object.assign(socket, handlers)
  })
  return {
    opened,
    async send(...sent) {
      for (const data of sent) socket.send(data)
    },
    next: () => frames.next(),
    stopReading: () => undefined,
    stopSending: () => undefined,
    abort: () => socket.close(),
    closed: () => closeCodes.next(),
  }
}

const UNLIMITED = "a test double accepts any frame, and buffers nothing"

transportContract("memory", {
  connect: ({ server }, { path, query }) => connect(memoryTransport(server), `ws://memory${path}/websocket?${query}`),
  address: "memory",
  refusal: () => 1006,
  closedWith: (code) => code,
  idleTimeoutMs: Infinity,
  abortNoticedMs: 0,
  lacks: {
    headers: "a browser's WebSocket cannot set headers",
    authToken: "it ignores subprotocols",
    frameLimit: UNLIMITED,
    bufferLimit: UNLIMITED,
    idleTimeout: "a client in the same process cannot vanish without a close",
  },
})

describe("the memory transport", () => {
  function startServer() {
    const server = createServer()
    server.socket("/socket")
    onTestFinished(() => server.close())
    const memory = memoryTransport(server)
    return { memory, open: () => connect(memory, "ws://memory/socket/websocket?vsn=2.0.0") }
  }

  it("drop() ends every connection with 1006, and new connections succeed", async () => {
    const { memory, open } = startServer()
    const clients = [open(), open()]
    for (const { opened } of clients) expect(await opened).toBeUndefined()
    memory.drop()
    for (const client of clients) expect(await client.closed()).toBe(1006)
    expect(await open().opened).toBeUndefined()
  })

  it("refuses connections with 1006 while `reachable` is false", async () => {
    const { memory, open } = startServer()
    memory.reachable = false
    expect(await open().opened).toBe(1006)
    memory.reachable = true
    expect(await open().opened).toBeUndefined()
  })
})

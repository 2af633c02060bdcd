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
  const ends = new Inbox<number>("close codes")
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
    beginning,
    async send(...sent) {
      for (const data of sent) socket.send(data)
    },
    next: () => frames.next(),
    stopReading: () => undefined,
    fallSilent: () => undefined,
    vanish: () => socket.close(),
    ended: () => ends.next(),
  }
}

const UNLIMITED = "the double has no limits and no buffer"

transportContract("memory", {
  connect: ({ server }, { path, query }) => connect(memoryTransport(server), `ws://memory${path}/websocket?${query}`),
  address: "memory",
  refusal: () => 1006,
  end: (code) => code,
  silenceMs: { limit: Infinity, whenGone: 0 },
  cannot: {
    headers: "a browser's WebSocket cannot set headers",
    authToken: "the double ignores subprotocols",
    frameLimit: UNLIMITED,
    bufferLimit: UNLIMITED,
    silence: "within one process a client cannot vanish silently",
  },
})

describe("the memory transport", () => {
  function setUp() {
    const server = createServer()
    server.socket("/socket")
    onTestFinished(() => server.close())
    const memory = memoryTransport(server)
    return { memory, open: () => connect(memory, "ws://memory/socket/websocket?vsn=2.0.0") }
  }

  it("drop() closes every connection with code 1006 and accepts new ones", async () => {
    const { memory, open } = setUp()
    const clients = [open(), open()]
    for (const { beginning } of clients) expect(await beginning).toBeUndefined()
    memory.drop()
    for (const client of clients) expect(await client.ended()).toBe(1006)
    expect(await open().beginning).toBeUndefined()
  })

  it("refuses new connections with code 1006 while reachable is false", async () => {
    const { memory, open } = setUp()
    memory.reachable = false
    expect(await open().beginning).toBe(1006)
    memory.reachable = true
    expect(await open().beginning).toBeUndefined()
  })
})

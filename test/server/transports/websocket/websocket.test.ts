import { expect, it } from "vitest"
import { transportContract } from "../../../contracts/transport.ts"
import type { ClientRequest, TestClient } from "../../../contracts/transport.ts"
import { clock } from "../../../support/clock.ts"
import { serve } from "../../../support/serve.ts"
import type { Served } from "../../../support/serve.ts"
import { WireSocket } from "../../../support/wire-socket.ts"

function connect({ url }: Served<Record<string, unknown>>, request: ClientRequest): TestClient {
  const { path, query, headers, authToken } = request
  const token = authToken && `phoenix, base64url.bearer.phx.${Buffer.from(authToken).toString("base64url")}`
  const protocol = token === undefined ? {} : { "Sec-WebSocket-Protocol": token }
  const wire = new WireSocket(`${url}${path}/websocket?${query}`, { ...headers, ...protocol })
  return {
    opened: wire.inbox.next().then((seen) => {
      if (typeof seen === "object" && "event" in seen && seen.event === "open") return undefined
      return (seen as { readonly status?: number }).status ?? seen
    }),
    send: async (...frames) => wire.burst(frames),
    async next() {
      const seen = await wire.inbox.next()
      if (typeof seen === "string" || Buffer.isBuffer(seen)) return seen
      throw new Error(`expected a frame, got ${JSON.stringify(seen)}`)
    },
    stopReading: () => void wire.raw.pause(),
    stopSending: () => undefined,
    abort: () => wire.reset(),
    async closed() {
      wire.raw.resume()
      let seen = await wire.inbox.next()
      while (typeof seen === "string" || Buffer.isBuffer(seen)) seen = await wire.inbox.next()
      return seen.event === "close" ? seen.code : seen
    },
  }
}

transportContract("websocket", {
  connect,
  address: "127.0.0.1",
  refusal: (status) => status,
  closedWith: (code) => code,
  idleTimeoutMs: 60_000,
  abortNoticedMs: 0,
})

const PONG = 10

it("takes pings and pongs from a client as activity (P5)", async () => {
  const timers = clock()
  const { client } = await serve((server) => server.socket("/socket"), { timers, idleTimeoutMs: 60_000 })
  const [idle, pinging, ponging] = [await client(), await client(), await client()]
  for (let seconds = 0; seconds < 62; seconds += 10) {
    timers.advance(10_000)
    ponging.socket.malformed(Buffer.alloc(0), { opcode: PONG })
    await pinging.socket.settled()
  }
  expect(await idle.next()).toEqual({ event: "close", code: 1002, reason: "" })
  // A round trip on each of the other connections shows that the server has not closed it.
  for (const { socket } of [pinging, ponging]) {
    await socket.settled()
    expect(socket.inbox.rest()).toEqual([])
    expect(socket.ended).toBe(false)
  }
})

/** The pings that keep the connection of a page alive whose timers the browser has slowed. */
import { createServer as createHttpServer } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { once } from "node:events"
import { expect, it, onTestFinished } from "vitest"
import { WebSocket } from "ws"
import { createServer } from "../../../../src/server/index.ts"
import { clock } from "../../../support/clock.ts"
import { until } from "../../../support/until.ts"

/** One client on a server with virtual timers. `raw` is the server's side of its connection. */
async function served() {
  const timers = clock()
  const http = createHttpServer()
  // A close frame without an answer is noticed later than any test ends.
  const server = createServer({ timers, idleTimeoutMs: 60_000, handshakeTimeoutMs: 300_000 })
  server.socket("/socket")
  await server.attach(http)
  const connected = once(http, "connection") as Promise<[Socket]>
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
  const { port } = http.address() as AddressInfo
  const client = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`)
  onTestFinished(async () => {
    client.terminate()
    http.close()
    await server.close()
  })
  const pings: Buffer[] = []
  client.on("ping", (data) => pings.push(data))
  await once(client, "open")
  const [raw] = await connected
  return { timers, client, pings, raw, server }
}

it("keeps the connection of a client that sends nothing but answers pings, as every browser does", async () => {
  const { timers, client, pings, raw, server } = await served()
  for (let round = 1; round <= 5; round += 1) {
    const { bytesRead } = raw
    timers.advance(31_000)
    await until(() => pings.length === round && raw.bytesRead > bytesRead)
  }
  expect(client.readyState).toBe(client.OPEN)
  expect(server.stats().counters["idle_timeouts"] ?? 0).toBe(0)
})

it("sends no ping to a client that sends heartbeats", async () => {
  const { timers, client, pings } = await served()
  for (let round = 0; round < 10; round += 1) {
    timers.advance(15_000)
    client.send(JSON.stringify([null, "1", "phoenix", "heartbeat", {}]))
    await once(client, "message")
  }
  expect(pings).toEqual([])
})

it("sends one ping in a silence, and closes with 1002 a client that does not answer it", async () => {
  const { timers, client, pings } = await served()
  // With `pong` replaced, the client is one whose network swallows everything that it sends.
  client.pong = () => undefined
  const closed = once(client, "close")
  timers.advance(62_000)
  expect((await closed)[0]).toBe(1002)
  expect(pings).toHaveLength(1)
})

it("ends the channels of a client that is gone at once, not when it fails to answer the close frame", async () => {
  const { timers, client, server } = await served()
  client.pong = () => undefined
  server.channel("rooms:1", { join: () => ({ ok: {} }) })
  client.send(JSON.stringify(["1", "1", "rooms:1", "phx_join", {}]))
  await until(() => server.stats().channels === 1)
  // Reads nothing any more, so that no close frame comes back.
  client.pause()
  timers.advance(62_000)
  await until(() => server.stats().channels === 0)
  expect(server.stats().connections).toBe(0)
})

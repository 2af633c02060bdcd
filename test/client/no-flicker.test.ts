/** Our server and real clients: what others see of a reload and of a restart of the server. */
import { expect, onTestFinished, test } from "vitest"
import { WebSocket } from "ws"
import { connect, type Room, type RoomOptions, type Transport } from "../../src/client/index.ts"
import { createServer, type Server } from "../../src/server/index.ts"
import { freePort } from "../support/free-port.js"

const TOPIC = "rooms:1"

/** Starts a server. @param port another one than 0, so that a client's connection cannot take it during a restart */
async function start(port?: number): Promise<{ server: Server<{ name: string }>; port: number }> {
  const server = createServer<{ name: string }>({ logger: { warn: () => {}, error: () => {} } })
  server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] ?? "" }) })
  server.channel("rooms:*", { join: () => ({ ok: {} }), presence: ({ assigns }) => ({ key: assigns.name, meta: {} }) })
  const listening = await server.listen({ port: port ?? (await freePort()), host: "127.0.0.1" })
  onTestFinished(() => server.close())
  return { server, port: listening.port }
}

function enter(port: number, name: string, options: RoomOptions = {}) {
  const connection = connect(`ws://127.0.0.1:${port}/socket`, {
    transport: WebSocket as unknown as Transport,
    params: { name },
    reconnectAfterMs: () => 20,
    rejoinAfterMs: () => 20,
  })
  onTestFinished(() => connection.disconnect())
  const room = connection.room(TOPIC, {}, options)
  const seen: string[] = []
  room.onChange((changes) => seen.push(...changes.map(({ type, key }) => `${type} ${key}`)))
  return { connection, room, seen }
}

const shows = (room: Room, ...names: string[]) => expect.poll(() => [...room.list((key) => key)].sort()).toEqual(names)

const refOf = (room: Room, name: string) => room.get(name)?.metas[0].phx_ref

test("a client that reloads in time leaves no trace but its new ref", async () => {
  const { port } = await start()
  const ada = enter(port, "ada", { graceMs: 60_000 })
  const bob = enter(port, "bob")
  await shows(ada.room, "ada", "bob")
  const before = refOf(ada.room, "bob")
  ada.seen.length = 0
  bob.connection.disconnect()
  enter(port, "bob")
  await expect.poll(() => refOf(ada.room, "bob")).not.toBe(before)
  expect([ada.seen, ada.room.size]).toEqual([[], 2])
})

test("a client that does not come back leaves after graceMs, is kept for keepLeftMs, and joins when it is back", async () => {
  const { port } = await start()
  const ada = enter(port, "ada", { graceMs: 50, keepLeftMs: 50 })
  const bob = enter(port, "bob")
  await shows(ada.room, "ada", "bob")
  ada.seen.length = 0
  bob.connection.disconnect()
  await expect.poll(() => ada.seen).toEqual(["leave bob", "remove bob"])
  expect(ada.room.get("bob")).toBe(undefined)
  enter(port, "bob")
  await expect.poll(() => ada.seen.at(-1)).toBe("join bob")
})

test("a restart of the server shows nothing to any of its clients: they all stay, and all come back", async () => {
  const { server, port } = await start()
  const names = ["ada", "bob", "cyd", "dan"]
  const all = names.map((name) => enter(port, name, { graceMs: 60_000 }))
  for (const { room } of all) await shows(room, ...names)
  const before = all.map(({ room }) => names.map((name) => refOf(room, name)))
  const sizes = all.map(({ room }) => {
    const seen = new Set<number>()
    room.subscribe(() => seen.add(room.size))
    return seen
  })
  for (const { seen } of all) seen.length = 0
  await server.close()
  await Promise.all(all.map(({ room }) => expect.poll(() => room.status).toBe("stale")))
  await start(port)
  await expect
    .poll(() =>
      all.every(
        ({ room }, at) => room.status === "live" && names.every((name, n) => refOf(room, name) !== before[at]![n]),
      ),
    )
    .toBe(true)
  expect(all.map(({ seen }) => seen)).toEqual([[], [], [], []])
  expect(sizes.map((seen) => [...seen])).toEqual([[4], [4], [4], [4]])
})

test("a client whose own connection is lost for long shows the others all the time, and notifies of the loss once", async () => {
  const { server, port } = await start()
  const ada = enter(port, "ada", { lostConnectionMs: 30 })
  enter(port, "bob")
  await shows(ada.room, "ada", "bob")
  ada.seen.length = 0
  const losses: boolean[] = []
  ada.room.subscribe(() => losses.at(-1) !== ada.room.isLost && losses.push(ada.room.isLost))
  await server.close()
  await expect.poll(() => ada.room.isLost).toBe(true)
  expect([ada.room.status, ada.room.size, ada.seen]).toEqual(["stale", 2, []])
  await start(port)
  await expect.poll(() => [ada.room.status, ada.room.isLost]).toEqual(["live", false])
  expect(losses.filter(Boolean)).toHaveLength(1)
})

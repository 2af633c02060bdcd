import { inspect } from "node:util"
import { expect, it } from "vitest"
import { LocalBus } from "../../../src/pubsub/local.ts"
import { tokens } from "../../../src/server/index.ts"
import type { Server } from "../../../src/server/index.ts"
import { linked } from "../../support/linked.ts"
import { ok, serve } from "../../support/serve.ts"

const SECRET = "s3cret"

it("tokens and payloads never get into the log, whatever error they cause", async () => {
  const bus = new LocalBus()
  const foreignNode = bus.join({ node: "foreign" })
  const time = { now: 0 }
  const { sign, verify } = await tokens({ secret: "x".repeat(32), maxAgeS: 1, now: () => time.now })
  const { client, logged } = await serve(
    (server) => {
      server.socket("/socket", {
        connect: async ({ authToken, params }) => ((authToken ?? params["token"]) ? verify(params["token"]) : {}),
      })
      server.channel("rooms:*", {
        join(_topic, { crash }) {
          if (crash !== undefined) throw new Error("the join broke")
          return { ok: {} }
        },
        on: {
          track: (payload, channel) => void server.presence.track(channel, payload as string, payload as object),
          binary: () => ({ ok: new Uint8Array(1) }),
        },
        left() {
          throw new Error("the left handler broke")
        },
      })
    },
    { pubsub: bus.join({ node: "one" }) },
  )
  const expired = await sign({ sub: SECRET })
  time.now = 2_000
  for (const token of [expired, SECRET, `${SECRET}.${SECRET}.${SECRET}`]) await client(`token=${token}`)
  await client("", { "sec-websocket-protocol": `phoenix, base64url.bearer.phx.${btoa(SECRET).replace(/=+$/, "")}` })

  const payload = { text: SECRET }
  for (const event of ["track", "unknown", payload, [SECRET], null]) {
    const ada = await client()
    await ada.join("rooms:1", payload)
    ada.push("rooms:1", event as string, payload)
    await ada.next()
  }
  for (const frame of [SECRET, `{"text":"${SECRET}"}`, `["${SECRET}"]`, Buffer.from(`\u0000${SECRET}`)]) {
    const ada = await client()
    ada.socket.send(frame)
    await ada.next()
  }
  const eve = await client()
  await eve.join("rooms:1", { crash: SECRET })
  await eve.join("rooms:1")
  const broadcasts = [`\u0001\u0001\u0000\u0000${SECRET}`, SECRET, `\u0001\u0009\u0000\u0000${SECRET}`]
  for (const text of broadcasts) foreignNode.publish("broadcast:rooms:1", Buffer.from(text, "latin1"))
  foreignNode.publish("tracker:presence:0", Buffer.from(JSON.stringify(["rollcall", 1, SECRET])))
  await eve.rest()

  expect(new Set(logged.map(({ message }) => message))).toEqual(
    new Set([
      "a connection was refused",
      "a channel crashed",
      "a left handler failed",
      "a client sent a malformed frame",
      "a join crashed",
      "a message between nodes was dropped",
    ]),
  )
  expect(inspect(logged, { depth: Infinity, showHidden: true })).not.toContain(SECRET)
})

function rooms(server: Server): void {
  server.socket("/socket")
  server.channel("rooms:*", { join: () => ({ ok: {} }), on: { echo: (payload) => ({ ok: payload }) } })
}

it.each([
  [
    undefined,
    'expected a page of "127.0.0.1", or one that the option origins allows, got one of "http://localhost:5173"',
  ],
  [["https://a.com"], 'expected a page that the option origins allows, got one of "http://localhost:5173"'],
])("a page of a foreign origin is named, and what would allow it, with the origins %j", async (origins, text) => {
  const { client, logged } = await serve((server) => server.socket("/socket", origins && { origins }))
  await client("", { origin: "http://localhost:5173" })
  const error = { message: linked(text, "refused") }
  expect(logged).toMatchObject([{ message: "a connection was refused", details: { error } }])
})

it("the name of an event is cut to 64 characters in the log", async () => {
  const { client, logged } = await serve(rooms)
  const ada = await client()
  await ada.join("rooms:1")
  ada.push("rooms:1", "x".repeat(100_000))
  await ada.next()
  expect(logged).toMatchObject([{ message: "a channel crashed", details: { topic: "rooms:1", event: "x".repeat(64) } }])
  expect(inspect(logged).length).toBeLessThan(5_000)
})

it("a logger that throws does not change what the server does", async () => {
  const fails = (): never => {
    throw new Error("the disk is full")
  }
  const { client, counted } = await serve(rooms, { logger: { warn: fails, error: fails } })
  const [ada, bob] = [await client(), await client()]
  for (const each of [ada, bob]) await each.join("rooms:1")
  ada.push("rooms:1", "unknown")
  expect(await ada.next()).toEqual(["rooms:1", "rooms:1", "rooms:1", "phx_error", { reason: "channel_crash" }])
  ada.socket.send("no frame")
  expect(await ada.next()).toMatchObject({ event: "close", code: 1011 })
  expect(counted.get("bad_frames")).toBe(1)
  expect(await bob.ask("rooms:1", "echo", 1)).toEqual(ok(1))
})

it("a meter that throws is not called again, which is logged; the server goes on counting", async () => {
  let counts = 0
  const meter = {
    count() {
      counts += 1
      throw new Error("no connection to the collector")
    },
  }
  const { client, logged, server } = await serve(rooms, { meter })
  const ada = await client()
  await ada.join("rooms:1")
  expect(await ada.ask("rooms:1", "echo", 1)).toEqual(ok(1))
  expect(counts).toBe(1)
  expect(logged).toMatchObject([{ message: "a meter failed", details: { error: expect.any(Error) } }])
  expect(server.stats().counters).toMatchObject({ connects: 1, joins: 1, frames_in: 2 })
})

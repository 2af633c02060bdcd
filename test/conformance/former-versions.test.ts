// @ts-expect-error the package ships no types
import { LongPoll } from "phoenix"
import { describe, expect, it, onTestFinished } from "vitest"
import { WebSocket } from "ws"
import * as presentClient from "../../src/client/index.ts"
import * as presentServer from "../../src/server/index.ts"
import type { Server } from "../../src/server/index.ts"

// Clients and servers are not updated at the same moment. The former ones are in fixtures/former.

const load = (name: string): Promise<unknown> => import(new URL(`../fixtures/former/${name}`, import.meta.url).href)
const formerClient = ((await load("client.cjs")) as { default: typeof presentClient }).default
const formerServer = (await load("server.mjs")) as typeof presentServer

const TRANSPORTS = [
  ["WebSocket", WebSocket],
  ["long poll", LongPoll],
] as const

/** A server with rooms that refuse some clients, and others a join. */
async function serve(
  create: typeof presentServer.createServer,
): Promise<{ server: Server; url: string; asked: string[] }> {
  const asked: string[] = []
  const server = create({ logger: { warn: () => undefined, error: () => undefined } })
  const { presence } = server
  server.socket("/socket", {
    connect({ params }) {
      asked.push(params["name"] ?? "")
      return params["name"] !== "stranger" && { name: params["name"] }
    },
    id: ({ assigns }) => assigns["name"] as string,
  })
  server.channel("rooms:*", {
    join: (_topic, params) =>
      params["secret"] === true ? { error: { reason: "members only" } } : { ok: { hi: true } },
    presence: ({ assigns }) => ({ key: assigns["name"] as string, meta: { status: "here" } }),
    on: {
      echo: (payload) => ({ ok: payload }),
      presence_update: (payload, channel) => presence.handleUpdate(channel, payload),
    },
  })
  const { url } = await server.listen({ port: 0, host: "127.0.0.1" })
  onTestFinished(() => server.close())
  return { server, url: url.replace("http", "ws"), asked }
}

const pairs = [
  ["the former client and the present server", formerClient, presentServer.createServer],
  ["the present client and the former server", presentClient, formerServer.createServer],
] as const

describe.each(pairs)("%s", (_pair, { connect }, createServer) => {
  const open = (url: string, transport: unknown, params: object) => {
    const connection = connect(`${url}/socket`, {
      transport: transport as never,
      params: params as Record<string, string>,
      reconnectAfterMs: () => 20,
    })
    onTestFinished(() => connection.disconnect())
    return connection
  }
  /** Returns the users that a room shows, with the `status` of their metas. */
  const shown = (room: presentClient.Room<{ status: string }>): unknown =>
    room.list((key, { metas }) => [key, metas.map(({ status }) => status)])

  it.each(TRANSPORTS)(
    "join, push, update, reconnect and leave over %s; the client knows itself after its update at the latest",
    async (_, transport) => {
      const { url, server } = await serve(createServer)
      const watcher = open(url, WebSocket, { name: "watcher" }).room<{ status: string }>("rooms:1")
      const connection = open(url, transport, { name: "ada" })
      const room = connection.room<{ status: string }>("rooms:1")
      expect(await room.joined).toEqual({ hi: true })
      await expect.poll(() => room.size).toBe(2)
      expect(await room.push("echo", { a: ["é😀"] })).toEqual({ a: ["é😀"] })
      room.update({ status: "away" })
      await expect.poll(() => room.self?.metas[0]?.status).toBe("away")
      await expect.poll(() => shown(watcher)).toContainEqual(["ada", ["away"]])
      server.disconnect("ada")
      // Of the watcher, of ada, and of ada again.
      await expect.poll(() => server.stats().counters["joins"]).toBeGreaterThanOrEqual(3)
      await expect
        .poll(() => [room.status, shown(watcher)])
        .toEqual(["live", expect.arrayContaining([["ada", ["away"]]])])
      room.leave()
      await expect.poll(() => shown(watcher)).toEqual([["watcher", ["here"]]])
    },
  )

  it.each(TRANSPORTS)(
    "a client that connect refuses over %s does not become live, and tries again",
    async (_, transport) => {
      const { url, asked, server } = await serve(createServer)
      const connection = open(url, transport, { name: "stranger" })
      const room = connection.room("rooms:1")
      room.joined.catch(() => undefined)
      await expect.poll(() => asked.filter((name) => name === "stranger").length).toBeGreaterThan(0)
      await expect.poll(() => server.stats().counters["refused_connects"]).toBeGreaterThan(0)
      expect(room.status).not.toBe("live")
      expect(server.stats().counters["joins"]).toBe(0)
    },
  )

  it("a refused join has its reason", async () => {
    const { url } = await serve(createServer)
    const room = open(url, WebSocket, { name: "ada" }).room("rooms:1", { secret: true })
    await expect(room.joined).rejects.toMatchObject({ reason: { reason: "members only" } })
  })

  it.each(TRANSPORTS)("a client that introduces itself over %s is served", async (_, transport) => {
    const { url } = await serve(createServer)
    const room = open(url, transport, { name: "ada", client: "rollcall/1" }).room<{ status: string }>("rooms:1")
    const errors: unknown[] = []
    room.onError((error) => errors.push(error))
    await expect.poll(() => shown(room)).toEqual([["ada", ["here"]]])
    room.update({ status: "away" })
    await expect.poll(() => shown(room)).toEqual([["ada", ["away"]]])
    expect(errors).toEqual([])
  })
})

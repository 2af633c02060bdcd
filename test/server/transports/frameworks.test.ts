import { once } from "node:events"
import type { Server as HttpServer } from "node:http"
import type { AddressInfo } from "node:net"
import { describe, expect, it, onTestFinished, vi } from "vitest"
import type { Server } from "../../../src/server/index.ts"
import { Client, ok } from "../../support/serve.ts"
import { WireSocket } from "../../support/wire-socket.ts"

// Runs the unmodified examples of demo/mounting on free ports.

const examples: [name: string, start: () => Promise<{ server: Server; http: HttpServer }>][] = [
  ["Express", () => import("../../../demo/mounting/express.ts") as never],
  ["Fastify", () => import("../../../demo/mounting/fastify.ts") as never],
  ["Hono", () => import("../../../demo/mounting/hono.ts") as never],
]

/** Loading a framework is slow on a busy machine. This is a last resort, not an expectation. */
const GENEROUS_MS = 120_000

describe.each(examples)("beside %s", (name, start) => {
  it("its routes are served, and WebSockets and long polls under a path", { timeout: GENEROUS_MS }, async () => {
    vi.stubEnv("PORT", "0")
    const { server, http } = await start()
    if (!http.listening) await once(http, "listening")
    onTestFinished(async () => {
      vi.unstubAllEnvs()
      http.closeAllConnections()
      http.close()
      await server.close()
    })
    const host = `127.0.0.1:${(http.address() as AddressInfo).port}`
    const get = async (path: string): Promise<string> => (await fetch(`http://${host}${path}`)).text()

    expect(await get("/hello")).toBe(`hello from ${name}`)
    expect((await fetch(`http://${host}/nothing`)).status).toBe(404)

    const client = new Client(new WireSocket(`ws://${host}/live/socket/websocket?vsn=2.0.0`))
    onTestFinished(() => void client.socket.raw.destroy())
    expect(await client.next()).toEqual({ event: "open" })
    expect(await client.join("rooms:1")).toEqual(ok())

    const session = JSON.parse(await get("/live/socket/longpoll?vsn=2.0.0")) as { token: string }
    const poll = `http://${host}/live/socket/longpoll?vsn=2.0.0&token=${session.token}`
    const posted = await fetch(poll, { method: "POST", body: '["1","1","rooms:1","phx_join",{}]' })
    expect(await posted.json()).toEqual({ status: 200 })
    const answer = (await (await fetch(poll)).json()) as { messages: string[] }
    expect(answer.messages).toEqual(['["1","1","rooms:1","phx_reply",{"response":{},"status":"ok"}]'])

    const unmounted = new Client(new WireSocket(`ws://${host}/hello`))
    expect(await unmounted.next()).toEqual({ event: "http-refused", status: 404, body: "not found" })
    expect(await get("/hello")).toBe(`hello from ${name}`)
  })
})

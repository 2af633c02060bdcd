/** What Rollcall's client and server tell each other beyond Phoenix's protocol, with both of them real. */
import { describe, expect, it, onTestFinished } from "vitest"
import { WebSocket } from "ws"
import { connect, LongPoll, type ConnectOptions, type Transport } from "../../src/client/index.ts"
import type { Server } from "../../src/server/index.ts"
import { serve } from "../support/serve.ts"
import { until } from "../support/until.ts"

const transports: [name: string, transport: Transport][] = [
  ["WebSocket", WebSocket],
  ["long poll", LongPoll],
]

async function served(options: ConnectOptions, refusal?: string, more: object = {}) {
  let asked = 0
  const { url } = await serve((server: Server) => {
    server.socket("/socket", {
      origins: false,
      connect: () => {
        asked += 1
        return refusal === undefined ? {} : { error: refusal }
      },
    })
    server.channel("rooms:*", {
      join: () => ({ ok: {} }),
      presence: () => ({ key: "ada", meta: { device: asked } }),
      on: { presence_update: (payload, channel) => server.presence.handleUpdate(channel, payload) },
    })
  }, more)
  const client = () => {
    const connection = connect(`${url}/socket`, options)
    onTestFinished(() => connection.disconnect())
    return connection
  }
  return { client, asked: () => asked }
}

describe.each(transports)("over %s", (_name, transport) => {
  it("a refusal is known at the first attempt, with the server's reason", async () => {
    const { client, asked } = await served({ transport }, "signed out")
    const connection = client()
    const room = connection.room("rooms:1")
    await until(() => connection.status === "refused")
    expect(connection.reason).toEqual({ code: "refused", detail: "signed out" })
    expect([room.status, room.reason]).toEqual(["joining", { code: "refused", detail: "signed out" }])
    expect(asked()).toBe(1)
  })

  it("oneself is known from the first state on, and after an update", async () => {
    const { client } = await served({ transport })
    const room = client().room<{ device: number; status?: string }>("rooms:1")
    await until(() => room.status === "live")
    expect(room.self?.key).toBe("ada")
    room.update({ status: "away" })
    await until(() => room.self?.metas[0]?.status === "away")
  })

  it("a message that is larger than the server takes is refused to the caller, and the connection goes on", async () => {
    const { client } = await served({ transport }, undefined, { maxFrameBytes: 2_000 })
    const room = client().room("rooms:1")
    await until(() => room.status === "live")
    await expect(room.push("big", { text: "x".repeat(3_000) })).rejects.toMatchObject({ code: "payload_too_large" })
    expect(room.status).toBe("live")
  })
})

import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { describe, expect, it, onTestFinished, vi } from "vitest"
import type { MockInstance } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import { createServer as createRollcall } from "../../../../src/server/channels-server.ts"
import { Payload } from "../../../../src/wire/payload.ts"
import { FrameWriter } from "../../../../src/server/transports/websocket/frame-writer.ts"
import type { Data } from "../../../../src/wire/message.ts"

/** A writer on a real connection, the chunks that it writes, and a client of another implementation (`ws`) that reads them. */
async function connected() {
  const { endpoint } = createRollcall()
  const http = createServer()
  const upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  const opened = new Promise<{ writer: FrameWriter; websocket: WebSocket; write: MockInstance<Duplex["write"]> }>(
    (resolve) => {
      http.on("upgrade", (request, raw, head) =>
        upgrades.handleUpgrade(request, raw, head, (websocket) =>
          resolve({ writer: new FrameWriter(websocket, raw, endpoint), websocket, write: vi.spyOn(raw, "write") }),
        ),
      )
    },
  )
  http.listen(0, "127.0.0.1")
  await once(http, "listening")
  const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`)
  onTestFinished(() => {
    client.terminate()
    http.close()
  })
  return { ...(await opened), client }
}

function received(client: WebSocket, count: number): Promise<Data[]> {
  const messages: Data[] = []
  return new Promise((resolve, reject) => {
    client.on("error", reject)
    client.on("message", (data, isBinary) => {
      messages.push(isBinary ? new Uint8Array(data as Buffer) : (data as Buffer).toString())
      if (messages.length === count) resolve(messages)
    })
  })
}

describe("a frame writer", () => {
  it("frames text and bytes with each size of header so that a client reads what was sent, in order", async () => {
    const { writer, client } = await connected()
    const sizes = [0, 1, 125, 126, 65_535, 65_536, 200_000]
    const sent: Data[] = sizes.flatMap((size) => ["x".repeat(size), new Uint8Array(size).fill(size & 0xff)])
    const messages = received(client, sent.length)
    for (const data of sent) writer.send({ data })
    expect(await messages).toEqual(sent)
  })

  it("measures a frame in bytes, also where characters take more than one", async () => {
    const { writer, client } = await connected()
    const sent = ["é".repeat(63), "é".repeat(62) + "x", "漢".repeat(21_846), "😀", "after"]
    const messages = received(client, sent.length)
    for (const data of sent) writer.send({ data })
    expect(await messages).toEqual(sent)
  })

  it("keeps messages apart that leave in one write, also more of them than fit into one piece of memory", async () => {
    const { writer, client } = await connected()
    const sent = Array.from({ length: 200 }, (_, at) => (at % 3 === 0 ? "é" : "x").repeat(at) + at)
    const messages = received(client, sent.length)
    for (const data of sent) writer.send({ data })
    expect(await messages).toEqual(sent)
  })

  it("encodes a frame once, however many connections it is sent to", async () => {
    const [first, second] = [await connected(), await connected()]
    const frame = { data: "for both" }
    const messages = [received(first.client, 1), received(second.client, 1)]
    first.writer.send(frame)
    second.writer.send(frame)
    expect(await Promise.all(messages)).toEqual([["for both"], ["for both"]])
    const chunk: unknown = first.write.mock.calls[0]?.[0]
    expect(Buffer.from(chunk as Uint8Array).toString()).toContain("for both")
    expect(second.write.mock.calls[0]?.[0]).toBe(chunk)
  })

  it("writes a text that many clients share without copying it, in an envelope for each client", async () => {
    const [first, second] = [await connected(), await connected()]
    for (const text of ["{}", `"${"é".repeat(40_000)}"`]) {
      const shared = Payload.fromJson(text)
      const messages = [received(first.client, 1), received(second.client, 1)]
      for (const [ref, { writer }] of [first, second].entries()) {
        const parts = [`["é${ref}",`, shared, "]"] as const
        writer.send({ data: parts[0] + text + parts[2], parts })
        expect(shared.bytes).toEqual(Buffer.from(text))
      }
      expect(await Promise.all(messages)).toEqual([[`["é0",${text}]`], [`["é1",${text}]`]])
    }
  })

  it("sends everything that was sent before a close", async () => {
    const { writer, websocket, client } = await connected()
    const messages = received(client, 2)
    const closed = once(client, "close")
    writer.send({ data: "one" })
    writer.send({ data: "two" })
    websocket.close(1000)
    expect(await messages).toEqual(["one", "two"])
    expect((await closed)[0]).toBe(1000)
  })
})

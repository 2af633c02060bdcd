import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { describe, expect, it, onTestFinished } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import { createServer as createRollcall } from "../../../../src/server/server.ts"
import { Payload } from "../../../../src/wire/payload.ts"
import { FrameWriter } from "../../../../src/server/transports/websocket/frame-writer.ts"
import type { Data } from "../../../../src/wire/message.ts"

/** A writer on a real connection, and what a client of another make reads from it. */
async function connected(): Promise<{ writer: FrameWriter; websocket: WebSocket; client: WebSocket }> {
  const { endpoint } = createRollcall()
  const http = createServer()
  const upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  const opened = new Promise<{ writer: FrameWriter; websocket: WebSocket }>((resolve) => {
    http.on("upgrade", (request, raw, head) =>
      upgrades.handleUpgrade(request, raw, head, (websocket) =>
        resolve({ writer: new FrameWriter(websocket, raw, endpoint), websocket }),
      ),
    )
  })
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

describe("a writer", () => {
  it("frames text and bytes so that a client reads what was sent, at each size of a head and in order", async () => {
    const { writer, client } = await connected()
    const sizes = [0, 1, 125, 126, 65_535, 65_536, 200_000]
    const sent: Data[] = sizes.flatMap((size) => ["x".repeat(size), new Uint8Array(size).fill(size & 0xff)])
    const messages = received(client, sent.length)
    for (const data of sent) writer.send({ data })
    expect(await messages).toEqual(sent)
  })

  it("counts a frame's size in bytes, where text has characters of several", async () => {
    const { writer, client } = await connected()
    const sent = ["é".repeat(63), "é".repeat(62) + "x", "漢".repeat(21_846), "😀", "after"]
    const messages = received(client, sent.length)
    for (const data of sent) writer.send({ data })
    expect(await messages).toEqual(sent)
  })

  it("frames once what goes to several connections", async () => {
    const [first, second] = [await connected(), await connected()]
    const frame: { data: Data; framed?: unknown } = { data: "for both" }
    const messages = [received(first.client, 1), received(second.client, 1)]
    first.writer.send(frame)
    const { framed } = frame
    second.writer.send(frame)
    expect(framed).toBeDefined()
    expect(frame.framed).toBe(framed)
    expect(await Promise.all(messages)).toEqual([["for both"], ["for both"]])
  })

  it("writes a text that many share without copying it for each, in an envelope of each one's own", async () => {
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

  it("lets out what was sent before a close", async () => {
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

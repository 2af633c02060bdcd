import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"
import { request } from "node:http"
import type { Duplex } from "node:stream"
import { promisify } from "node:util"
import { describe, expect, it, onTestFinished } from "vitest"
import { WebSocket } from "ws"
import type { ServerOptions } from "../../../../src/server/index.ts"
import { startChromium } from "../../../support/chromium.ts"
import { Inbox } from "../../../support/inbox.ts"
import { serve } from "../../../support/serve.ts"
import { until } from "../../../support/until.ts"

const USERS = 700
const JOIN = JSON.stringify(["1", "1", "rooms:1", "phx_join", {}])

/** A server with a room of `USERS` users, which pushes its state to each client that joins, and broadcasts what a client shouts. */
async function compressing(options: ServerOptions = { compression: true }) {
  const served = await serve((server) => {
    server.socket("/socket", { origins: false })
    server.channel("rooms:*", {
      join: () => ({ ok: {} }),
      joined: (channel) => server.presence.pushState(channel),
      on: {
        shout: (payload, channel) => channel.broadcast("shout", payload),
        echo: (payload) => ({ ok: payload }),
      },
    })
  }, options)
  const { presence } = served.server
  for (let at = 0; at < USERS; at += 1) {
    presence.track({ topic: "rooms:1", pid: `p${at}` }, `user ${at}`, { name: `Ünï ${at} 🎉`, at })
  }
  const url = `${served.url}/socket/websocket?vsn=2.0.0`
  /** Connects a client of `ws`, and joins. It compresses all that it sends, if it may. */
  const client = async (perMessageDeflate: object | false = { threshold: 0 }) => {
    const socket = new WebSocket(url, { perMessageDeflate })
    onTestFinished(() => socket.terminate())
    const inbox = new Inbox<unknown[]>("a client of ws")
    const closed = new Promise<number>((resolve) => socket.on("close", resolve))
    socket
      .on("message", (data) => inbox.put(JSON.parse((data as Buffer).toString()) as unknown[]))
      .on("error", () => {})
    await new Promise((resolve) => socket.on("open", resolve))
    const next = async (event: string): Promise<unknown> => {
      for (;;) {
        const [, , , name, payload] = await inbox.next()
        if (name === event) return payload
      }
    }
    const send = (event: string, payload: unknown): void =>
      socket.send(JSON.stringify(["1", "2", "rooms:1", event, payload]))
    socket.send(JOIN)
    return { socket, next, send, closed }
  }
  return { ...served, url, presence, client }
}

const plain = (state: object): unknown => JSON.parse(JSON.stringify(state))

describe("with compression, a client of ws", () => {
  it("gets the state of a large room compressed from the second client on, and the same as one without compression", async () => {
    const { client, presence, counted } = await compressing()
    const states = []
    for (const offer of [{ threshold: 0 }, { threshold: 0 }, {}, false] as const) {
      states.push(await (await client(offer)).next("presence_state"))
    }
    expect(states).toEqual(Array(4).fill(plain(presence.list("rooms:1"))))
    expect(counted.get("compressed_frames")).toBe(2)
  })

  it("gets the state after each change", async () => {
    const { client, presence } = await compressing({ compression: true, presenceWindowMs: false })
    await (await client()).next("presence_state")
    for (const at of [0, 300, 699]) {
      presence.untrack({ pid: `p${at}` })
      presence.track({ topic: "rooms:1", pid: `q${at}` }, `new ${at}`, {})
      for (let again = 0; again < 2; again += 1) {
        expect(await (await client()).next("presence_state")).toEqual(plain(presence.list("rooms:1")))
      }
    }
  })

  it("gets a large broadcast compressed, and a small one as it is", async () => {
    const { client, counted } = await compressing()
    const clients = [await client(), await client(), await client(false)]
    for (const each of clients) await each.next("presence_state")
    const before = counted.get("compressed_frames")!
    const large = { text: "ä ".repeat(3000) }
    for (const payload of [large, { text: "small" }]) {
      clients[0]!.send("shout", payload)
      for (const each of clients) expect(await each.next("shout")).toEqual(payload)
    }
    // The first client of a text gets it as it is.
    expect(counted.get("compressed_frames")! - before).toBe(1)
  })

  it("is understood when it compresses, also in fragments and one after the other", async () => {
    const { client, counted } = await compressing()
    const { socket, next } = await client()
    await next("presence_state")
    for (let at = 0; at < 3; at += 1) {
      const text = JSON.stringify(["1", "2", "rooms:1", "echo", { at, text: "x".repeat(at * 1000) }])
      socket.send(text.slice(0, 20), { fin: false })
      socket.send(text.slice(20, 25), { fin: false })
      socket.send(text.slice(25))
      expect(await next("phx_reply")).toMatchObject({ response: { at } })
    }
    expect(counted.get("inflated_frames")).toBe(4)
  })

  it("is closed with 1009 for a message that inflates to more than 64 KiB, while others go on", async () => {
    const { client, counted, reached } = await compressing()
    const [bomber, other] = [await client(), await client()]
    await Promise.all([bomber.next("presence_state"), other.next("presence_state")])
    bomber.send("echo", "0".repeat(10_000_000 / 16))
    expect(await bomber.closed).toBe(1009)
    await reached("oversized_frames", 1)
    // One that is inflated at once, and one that is large also when it is compressed.
    for (const text of ["x".repeat(60_000), randomBytes(40_000).toString("base64")]) {
      other.send("echo", text)
      expect(await other.next("phx_reply")).toEqual({ status: "ok", response: text })
    }
    expect(counted.get("disconnects")).toBe(1)
  })

  it("is closed with 1009 for fragments that are too large together, and with 1011 for what is not compressed data", async () => {
    const { client } = await compressing()
    const [large, broken] = [await client(), await client()]
    await Promise.all([large.next("presence_state"), broken.next("presence_state")])
    for (let at = 0; at < 9; at += 1) large.socket.send(randomBytes(20_000), { fin: false })
    expect(await large.closed).toBe(1009)
    const { _socket: raw } = broken.socket as unknown as { _socket: Duplex }
    // A masked text frame with the bit for compression, and a block of a type that does not exist.
    raw.write(Buffer.from([0xc1, 0x82, 0, 0, 0, 0, 0x07, 0xff]))
    expect(await broken.closed).toBe(1011)
  })
})

it("closes no connection for a message of 1 MB that is sent without compression", async () => {
  const { client } = await compressing()
  const { next, send } = await client(false)
  await next("presence_state")
  const payload = { text: "x".repeat(1_000_000) }
  send("echo", payload)
  expect(await next("phx_reply")).toEqual({ status: "ok", response: payload })
})

describe("the extension is", () => {
  /** Returns the status and the extension of the answer to a handshake. */
  const answerTo = async (url: string, offer: string | undefined): Promise<unknown> => {
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      ...(offer !== undefined && { "sec-websocket-extensions": offer }),
    }
    const sent = request(url.replace("ws:", "http:"), { headers }).end()
    return new Promise((resolve) => {
      sent.on("upgrade", ({ statusCode, headers: answer }, socket) => {
        socket.destroy()
        resolve([statusCode, answer["sec-websocket-extensions"]])
      })
      sent.on("response", ({ statusCode }) => resolve([statusCode]))
    })
  }
  const ACCEPTED = [101, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"]
  const NONE = [101, undefined]

  it.each([
    ["permessage-deflate", ACCEPTED],
    ["permessage-deflate; client_max_window_bits", ACCEPTED],
    ["permessage-deflate; client_max_window_bits=10; server_no_context_takeover", ACCEPTED],
    ["other, permessage-deflate;server_max_window_bits=10, permessage-deflate", ACCEPTED],
    ["permessage-deflate; server_max_window_bits=10", NONE],
    ["permessage-deflate; server_max_window_bits=15", NONE],
    ["permessage-deflate; unknown", NONE],
    ["permessage-deflate; client_max_window_bits=99", NONE],
    ["permessage-deflate; client_no_context_takeover; client_no_context_takeover", NONE],
    ["x-webkit-deflate-frame", NONE],
    [";;,=", NONE],
    [undefined, NONE],
  ])("answered to the offer %s with %j", async (offer, expected) => {
    const { url } = await compressing()
    expect(await answerTo(url, offer)).toEqual(expected)
  })

  it("not answered by default", async () => {
    const { url } = await compressing({})
    expect(await answerTo(url, "permessage-deflate")).toEqual(NONE)
  })
})

/** Runs in a page, and in Node: joins, and resolves to the extension and to the keys of the state. */
const SCRIPT = `async (url, join) => {
  const socket = new WebSocket(url)
  const keys = await new Promise((resolve) => {
    socket.onopen = () => socket.send(join)
    socket.onmessage = ({ data }) => {
      const [, , , event, payload] = JSON.parse(data)
      if (event === "presence_state") resolve(Object.values(payload).map(({ metas }) => metas[0].name))
    }
  })
  const { extensions } = socket
  socket.close()
  return { extensions, keys }
}`

describe("a compressed state is read by", () => {
  const expected = {
    extensions: expect.stringContaining("permessage-deflate"),
    keys: Array.from({ length: USERS }, (_, at) => `Ünï ${at} 🎉`),
  }

  it("Chromium", async () => {
    const { url, client, counted } = await compressing()
    await (await client()).next("presence_state")
    const browser = await startChromium()
    onTestFinished(() => browser.close())
    const page = await browser.newPage()
    const result: unknown = await page.evaluate(`(${SCRIPT})(${JSON.stringify(url)}, ${JSON.stringify(JOIN)})`)
    expect(result).toEqual(expected)
    expect(counted.get("compressed_frames")).toBe(1)
    await until(() => counted.get("inflated_frames") === 2)
  })

  it("the WebSocket of Node, which is that of undici", async () => {
    const { url, client, counted } = await compressing()
    await (await client()).next("presence_state")
    const program = `(${SCRIPT})(${JSON.stringify(url)}, ${JSON.stringify(JOIN)}).then((result) => console.log(JSON.stringify(result)))`
    const { stdout } = await promisify(execFile)(process.execPath, ["--experimental-websocket", "-e", program])
    expect(JSON.parse(stdout)).toEqual(expected)
    expect(counted.get("compressed_frames")).toBe(1)
  })
})

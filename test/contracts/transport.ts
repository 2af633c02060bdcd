import { describe, expect, it } from "vitest"
import type { Handshake, ServerOptions } from "../../src/server/index.ts"
import type { Data } from "../../src/wire/message.ts"
import { clock } from "../support/clock.ts"
import { Inbox } from "../support/inbox.ts"
import { ok, serve } from "../support/serve.ts"
import type { Served } from "../support/serve.ts"

/** A client's connection request. */
export interface ClientRequest {
  /** `/socket` */
  readonly path: string
  /** `vsn=2.0.0&name=ada` */
  readonly query: string
  readonly headers?: Readonly<Record<string, string>>
  readonly authToken?: string
}

/** A client of the transport under test. */
export interface TestClient {
  /** Resolves to `undefined` when the client is accepted, and otherwise to what it sees of the refusal. */
  readonly opened: Promise<unknown>
  /** Sends frames without a pause between them. */
  send(...frames: readonly Data[]): Promise<void>
  /** Resolves to the next frame. */
  next(): Promise<Data>
  /** Keeps the connection open, but stops reading. */
  stopReading(): void
  /** Keeps the connection open, but stops sending. */
  stopSending(): void
  /** Breaks the connection without closing it first. */
  abort(): void
  /** Reads on, and resolves to what the client sees of the end of its connection. */
  closed(): Promise<unknown>
}

/** Features that some transports lack. */
export type Feature =
  | "headers"
  | "authToken"
  /** Sends binary frames to clients. */
  | "binaryOut"
  /** Delivers frames that were sent before the server closed the connection. */
  | "flushOnClose"
  /** Refuses frames of more than `maxFrameBytes`. */
  | "frameLimit"
  /** Closes a connection when more than `maxBufferedBytes` are queued for its client. */
  | "bufferLimit"
  /** Closes a connection whose client sends nothing. */
  | "idleTimeout"

/** One transport, described by its test file. */
export interface TransportUnderTest {
  connect(served: Served<Record<string, unknown>>, request: ClientRequest): TestClient
  /** The address of its clients. */
  readonly address: string
  /** What a client sees when it is refused with an HTTP status. */
  refusal(status: 403 | 404 | 429): unknown
  /** What a client sees when its connection is closed with a WebSocket code. */
  closedWith(code: number): unknown
  /** After how many ms without a frame the server closes the connection. */
  readonly idleTimeoutMs: number
  /** After how many ms the server notices that a client has aborted its connection. */
  readonly abortNoticedMs: number
  /** The features that it lacks, each with the reason. */
  readonly lacks?: Partial<Readonly<Record<Feature, string>>>
}

/** Tests what every transport guarantees to its clients and to the server. */
export function transportContract(name: string, transport: TransportUnderTest): void {
  const { lacks = {} } = transport
  /** A test that is skipped, with the reason in its name, if the transport lacks the feature. */
  const itWith = (feature: Feature) => {
    const reason = lacks[feature]
    return (name: string, test: () => Promise<void>) =>
      reason === undefined ? it(name, test) : it.skip(`${name}: ${reason}`, test)
  }

  /** A server with rooms, presence in the topics `present:*`, and a virtual clock. */
  async function served(options: ServerOptions = {}) {
    const handshakes = new Inbox<Handshake>("handshakes")
    const timers = clock()
    const pending = new Inbox<(assigns: object) => void>("handshakes whose connect is pending")
    const served = await serve(
      (server) => {
        server.socket("/socket", {
          connect(handshake) {
            handshakes.put(handshake)
            const { name } = handshake.params
            if (name === "refused") return false
            return name === "slow connect"
              ? new Promise((resolve) => pending.put(resolve as (assigns: object) => void))
              : { name }
          },
          id: ({ assigns }) => assigns["name"] as string,
        })
        server.channel("rooms:*", {
          join: () => ({ ok: {} }),
          on: {
            echo: (payload) => ({ ok: payload }),
            shout: (payload, channel) => channel.broadcast("shout", payload),
            count(to, channel) {
              for (let n = 1; n <= (to as number); n += 1) channel.push("number", { n })
            },
            hex: (payload) => ({ ok: Buffer.from(payload as Uint8Array).toString("hex") }),
            binary(_payload, channel) {
              channel.push("before")
              channel.push("binary", new Uint8Array([0, 127, 255]))
              channel.push("after")
            },
            disconnect(_payload, channel) {
              channel.push("last")
              server.disconnect(channel.assigns["name"] as string)
            },
          },
        })
        server.channel("present:*", {
          join: () => ({ ok: {} }),
          joined: (channel) => void server.presence.track(channel, channel.assigns["name"] as string),
        })
      },
      { timers, ...options },
    )
    const connect = (name: string, more: Partial<ClientRequest> = {}, vsn = "2.0.0"): TestClient =>
      transport.connect(served, { path: "/socket", query: `vsn=${vsn}&name=${name}`, ...more })
    const enter = async (name: string, topic = "rooms:1", vsn = "2.0.0"): Promise<TestClient> => {
      const client = connect(name, {}, vsn)
      expect(await client.opened).toBeUndefined()
      await client.send(frame("join", topic, "phx_join", {}, vsn))
      expect(await parsed(client, vsn)).toMatchObject({ topic, event: "phx_reply", payload: ok() })
      return client
    }
    const present = (): string[] => Object.keys(served.server.presence.list("present:1")).sort()
    return { ...served, timers, handshakes, pending, connect, enter, present }
  }

  describe(`${name} as a transport`, () => {
    it("accepts a client, and passes path, parameters and address to connect", async () => {
      const { connect, handshakes, counted } = await served()
      const query = "vsn=2.0.0&a=1&a=2&b%20b=c%2Fd&nested[x]=1&list[]=1&__proto__=p"
      expect(await connect("", { query }).opened).toBeUndefined()
      const { path, params, address, url } = await handshakes.next()
      expect({ path, address }).toEqual({ path: "/socket", address: transport.address })
      expect(Object.entries(params)).toEqual([
        ["vsn", "2.0.0"],
        ["a", "2"],
        ["b b", "c/d"],
        ["nested", { x: "1" }],
        ["list", ["1"]],
        ["__proto__", "p"],
      ])
      expect(url.pathname.startsWith("/socket/")).toBe(true)
      expect(counted.get("connects")).toBe(1)
    })

    itWith("headers")("passes the headers to connect", async () => {
      const { connect, handshakes } = await served()
      await connect("ada", { headers: { "X-Mine": "yes" } }).opened
      expect((await handshakes.next()).headers["x-mine"]).toBe("yes")
    })

    itWith("authToken")("passes the token to connect (P4)", async () => {
      const { connect, handshakes } = await served()
      await connect("ada", { authToken: "a token, ~ü" }).opened
      expect((await handshakes.next()).authToken).toBe("a token, ~ü")
    })

    it("refuses a client whose connect returns false, whose path is not mounted, or whose address has too many connections", async () => {
      const { connect, enter, counted } = await served({ maxConnectionsPerAddress: 1 })
      expect(await connect("refused").opened).toEqual(transport.refusal(403))
      expect(await connect("ada", { path: "/elsewhere" }).opened).toEqual(transport.refusal(404))
      await enter("ada")
      expect(await connect("bob").opened).toEqual(transport.refusal(429))
      expect(counted.get("connects")).toBe(1)
    })

    it("opens no connection for a client that disconnects while connect is pending, and aborts its signal", async () => {
      const { connect, handshakes, pending, counted, enter } = await served()
      const client = connect("slow connect")
      const { signal } = await handshakes.next()
      const accept = await pending.next()
      const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve))
      client.abort()
      await aborted
      accept({})
      // Another client's exchange gives the server time in which it could have opened the connection.
      await enter("ada")
      expect(counted.get("connects")).toBe(1)
    })

    it("keeps the order of frames in both directions", async () => {
      const { enter, counted } = await served()
      const ada = await enter("ada")
      for (let n = 0; n < 20; n += 1) await ada.send(frame(`${n}`, "rooms:1", "echo", n))
      for (let n = 0; n < 20; n += 1) expect(await parsed(ada)).toMatchObject({ ref: `${n}`, payload: ok(n) })
      expect(counted.get("frames_in")).toBe(21)
    })

    it("keeps the order of frames that are sent without a pause, in both directions", async () => {
      const { enter } = await served()
      const ada = await enter("ada")
      const frames = Array.from({ length: 99 }, (_, n) => frame(`${n}`, "rooms:1", "echo", n))
      await ada.send(...frames, frame("99", "rooms:1", "count", 200))
      for (let n = 0; n < 99; n += 1) expect(await parsed(ada)).toMatchObject({ ref: `${n}`, payload: ok(n) })
      for (let n = 1; n <= 200; n += 1) expect(await parsed(ada)).toMatchObject({ event: "number", payload: { n } })
    })

    it("transmits text of any characters and length unchanged, in both directions", async () => {
      const { enter } = await served()
      const ada = await enter("ada")
      for (const text of ["", "é漢😀", "\u0000\n\r\u2028\u2029", '"]\\', "x".repeat(200_000)]) {
        await ada.send(frame("1", "rooms:1", "echo", text))
        expect(await parsed(ada)).toMatchObject({ payload: ok(text) })
      }
    })

    it("delivers a broadcast to each of many connections, in the protocol version of each", async () => {
      const { enter, server } = await served()
      const version2 = await Promise.all(Array.from({ length: 10 }, (_, n) => enter(`user${n}`)))
      const version1 = await Promise.all(
        Array.from({ length: 3 }, (_, n) => enter(`version1 ${n}`, "rooms:1", "1.0.0")),
      )
      for (const n of [1, 2]) server.broadcast("rooms:1", "news", { n })
      for (const [clients, vsn] of [
        [version2, "2.0.0"],
        [version1, "1.0.0"],
      ] as const) {
        for (const client of clients) {
          for (const n of [1, 2]) expect(await parsed(client, vsn)).toMatchObject({ event: "news", payload: { n } })
        }
      }
    })

    it("receives binary frames from a client", async () => {
      const { enter } = await served()
      const ada = await enter("ada")
      await ada.send(binaryPush("rooms:1", "hex"), frame("2", "rooms:1", "echo", "after"))
      expect(await parsed(ada)).toMatchObject({ payload: ok("007fff") })
      expect(await parsed(ada)).toMatchObject({ payload: ok("after") })
    })

    itWith("binaryOut")("sends binary frames to a client", async () => {
      const { enter } = await served()
      const ada = await enter("ada")
      await ada.send(frame("1", "rooms:1", "binary"))
      expect(await parsed(ada)).toMatchObject({ event: "before" })
      expect(Buffer.from((await ada.next()) as Uint8Array).subarray(-3)).toEqual(Buffer.from([0, 127, 255]))
      expect(await parsed(ada)).toMatchObject({ event: "after" })
    })

    if (lacks.binaryOut !== undefined) {
      it("drops and counts binary frames, and sends the frames before and after them", async () => {
        const { enter, counted } = await served()
        const ada = await enter("ada")
        await ada.send(frame("1", "rooms:1", "binary"))
        expect(await parsed(ada)).toMatchObject({ event: "before" })
        expect(await parsed(ada)).toMatchObject({ event: "after" })
        expect(counted.get("undeliverable")).toBe(1)
      })
    }

    itWith("frameLimit")(
      "refuses a frame of more than maxFrameBytes, counts it, and serves other clients on",
      async () => {
        const { enter, counted, reached } = await served({ maxFrameBytes: 1_000 })
        const [ada, bob] = [await enter("ada"), await enter("bob")]
        await ada.send(frame("1", "rooms:1", "shout", { text: "x".repeat(1_000) }))
        await reached("oversized_frames", 1)
        // The next frame is the reply, so the shout was not broadcast.
        await bob.send(frame("1", "rooms:1", "echo", "fine"))
        expect(await parsed(bob)).toMatchObject({ payload: ok("fine") })
        expect(counted.get("oversized_frames")).toBe(1)
      },
    )

    itWith("frameLimit")(
      "measures a frame in bytes: one of maxFrameBytes is accepted, one byte more is refused",
      async () => {
        const maxFrameBytes = 1_000
        const { enter, reached } = await served({ maxFrameBytes })
        const ada = await enter("ada")
        const rest = maxFrameBytes - Buffer.byteLength(frame("1", "rooms:1", "echo", ""))
        const text = "é".repeat(rest >> 1) + "x".repeat(rest & 1)
        await ada.send(frame("1", "rooms:1", "echo", text))
        expect(await parsed(ada)).toMatchObject({ payload: ok(text) })
        await ada.send(frame("1", "rooms:1", "echo", `${text}x`))
        await reached("oversized_frames", 1)
      },
    )

    itWith("bufferLimit")(
      "closes the connection of a client that does not read with 1013, counts it, and serves other clients on",
      async () => {
        const { enter, counted, reached } = await served({ maxBufferedBytes: 200_000 })
        const [slow, bob] = [await enter("slow"), await enter("bob")]
        slow.stopReading()
        const shout = { text: "x".repeat(90_000) }
        while (counted.get("slow_consumers") === undefined) {
          await bob.send(frame("1", "rooms:1", "shout", shout))
          expect(await parsed(bob)).toMatchObject({ event: "shout", payload: shout })
        }
        expect(await slow.closed()).toEqual(transport.closedWith(1013))
        await reached("disconnects", 1)
        await bob.send(frame("2", "rooms:1", "echo", "fine"))
        expect(await parsed(bob)).toMatchObject({ payload: ok("fine") })
      },
    )

    it("reports once that a client has aborted its connection, so that no presence is left behind", async () => {
      const { enter, present, timers, reached, server, counted } = await served()
      const ada = await enter("ada", "present:1")
      expect(present()).toEqual(["ada"])
      ada.abort()
      timers.advance(transport.abortNoticedMs)
      await reached("disconnects", 1)
      expect(present()).toEqual([])
      server.disconnect("ada")
      server.broadcast("present:1", "news")
      // Another client's exchange gives the server time in which it could have reported the end again.
      await enter("bob")
      expect(counted.get("disconnects")).toBe(1)
    })

    it("closes the connection that the server disconnects, and no other", async () => {
      const { enter, present, server, counted } = await served()
      const [ada, bob] = [await enter("ada", "present:1"), await enter("bob")]
      server.disconnect("ada")
      expect(await ada.closed()).toEqual(transport.closedWith(1001))
      expect(present()).toEqual([])
      await bob.send(frame("1", "rooms:1", "echo", "fine"))
      expect(await parsed(bob)).toMatchObject({ payload: ok("fine") })
      expect(counted.get("disconnects")).toBe(1)
    })

    itWith("flushOnClose")("delivers frames that were sent before the server closed the connection", async () => {
      const { enter } = await served()
      const ada = await enter("ada")
      await ada.send(frame("1", "rooms:1", "disconnect"))
      expect(await parsed(ada)).toMatchObject({ event: "last" })
      expect(await ada.closed()).toEqual(transport.closedWith(1001))
    })

    itWith("idleTimeout")(
      "closes the connection of a client that sends nothing for too long, even while it receives frames (P5, P24)",
      async () => {
        const { enter, present, server, timers, counted, reached } = await served()
        const [idle, bob] = [await enter("idle", "present:1"), await enter("bob")]
        idle.stopSending()
        const limit = transport.idleTimeoutMs
        for (let passed = 0; passed < limit * 1.1; passed += limit / 5) {
          expect(present()).toEqual(["idle"])
          timers.advance(limit / 5)
          server.broadcast("present:1", "news")
          await bob.send(frame("1", "rooms:1", "echo"))
          await parsed(bob)
        }
        expect(await idle.closed()).toEqual(transport.closedWith(1002))
        await reached("disconnects", 1)
        expect(present()).toEqual([])
        expect(counted.get("idle_timeouts")).toBe(1)
      },
    )

    it("has closed every connection with 1012 once the server is closed, and accepts no new one", async () => {
      const { enter, connect, server, counted } = await served()
      const clients = [await enter("ada"), await enter("bob"), await enter("eve")]
      await server.close()
      expect(counted.get("disconnects")).toBe(3)
      for (const client of clients) expect(await client.closed()).toEqual(transport.closedWith(1012))
      expect(await connect("slow connect").opened).toBeDefined()
      expect(counted.get("connects")).toBe(3)
    })
  })
}

function frame(ref: string, topic: string, event: string, payload: unknown = {}, vsn = "2.0.0"): string {
  return JSON.stringify(vsn === "2.0.0" ? ["join", ref, topic, event, payload] : { topic, event, payload, ref })
}

/** A push of three bytes, as clients of version 2 send it (P7). */
function binaryPush(topic: string, event: string): Uint8Array {
  const [join, ref] = ["join", "1"]
  const head = Buffer.from([0, join.length, ref.length, topic.length, event.length])
  return Buffer.concat([head, Buffer.from(join + ref + topic + event), Buffer.from([0, 127, 255])])
}

/** Resolves to the parts of the next frame. */
async function parsed(client: TestClient, vsn = "2.0.0"): Promise<unknown> {
  const message = JSON.parse((await client.next()) as string) as unknown
  if (vsn === "1.0.0") return message
  const [, ref, topic, event, payload] = message as unknown[]
  return { ref, topic, event, payload }
}

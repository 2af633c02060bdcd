import { describe, expect, it } from "vitest"
import type { Handshake, ServerOptions } from "../../src/server/index.ts"
import type { Data } from "../../src/wire/message.ts"
import { clock } from "../support/clock.ts"
import { Inbox } from "../support/inbox.ts"
import { ok, serve } from "../support/serve.ts"
import type { Served } from "../support/serve.ts"

/** What a client asks for. */
export interface ClientRequest {
  /** `/socket` */
  readonly path: string
  /** `vsn=2.0.0&name=ada` */
  readonly query: string
  readonly headers?: Readonly<Record<string, string>>
  readonly authToken?: string
}

/** A client as the contract sees it, whatever it takes to be one. */
export interface TestClient {
  /** Resolves to nothing when it is let in, and to what it is told when it is not. */
  readonly beginning: Promise<unknown>
  /** Sends frames without a pause between them. */
  send(...frames: readonly Data[]): Promise<void>
  /** The next frame. */
  next(): Promise<Data>
  /** Goes on, but does not read what comes. */
  stopReading(): void
  /** Goes on, but gives no sign of life. */
  fallSilent(): void
  /** Is gone, without a goodbye. */
  vanish(): void
  /** Reads on, and resolves to what it sees of its connection's end. */
  ended(): Promise<unknown>
}

/** What not every transport can do. */
export type Ability =
  | "headers"
  | "authToken"
  /** Brings bytes to a client. */
  | "bytesOut"
  /** Brings what was sent before the server ended the connection. */
  | "lastWords"
  /** Refuses frames above `maxFrameBytes`. */
  | "frameLimit"
  /** Ends a connection when more than `maxBufferedBytes` wait for its client. */
  | "bufferLimit"
  /** Ends a connection whose client is not heard of. */
  | "silence"

/** One transport, as its test file brings it. */
export interface TransportUnderTest {
  connect(served: Served<Record<string, unknown>>, request: ClientRequest): TestClient
  /** Where its clients come from. */
  readonly address: string
  /** What a client is told that is refused with an HTTP status. */
  refusal(status: 403 | 404 | 429): unknown
  /** What a client sees when its connection is ended with a WebSocket code. */
  end(code: number): unknown
  /** How long it may not be heard of, in ms; for who has vanished, it is the time until that is noticed. */
  readonly silenceMs: { readonly limit: number; readonly whenGone: number }
  /** What it cannot do, and why. */
  readonly cannot?: Partial<Readonly<Record<Ability, string>>>
}

/** What every transport owes to its clients and to the server. */
export function transportContract(name: string, transport: TransportUnderTest): void {
  const { cannot = {} } = transport
  /** Only where the transport can do it; it is told when not, and why. */
  const where = (ability: Ability) => {
    const reason = cannot[ability]
    return (name: string, test: () => Promise<void>) =>
      reason === undefined ? it(name, test) : it.skip(`${name}: ${reason}`, test)
  }

  /** A server with rooms, some of which show who is there, and a clock of its own. */
  async function served(options: ServerOptions = {}) {
    const handshakes = new Inbox<Handshake>("handshakes")
    const timers = clock()
    const held = new Inbox<(assigns: object) => void>("clients that wait to be let in")
    const served = await serve(
      (server) => {
        server.socket("/socket", {
          connect(handshake) {
            handshakes.put(handshake)
            const { name } = handshake.params
            if (name === "mallory") return false
            return name === "late" ? new Promise((resolve) => held.put(resolve as (assigns: object) => void)) : { name }
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
            bytes(_payload, channel) {
              channel.push("before")
              channel.push("bytes", new Uint8Array([0, 127, 255]))
              channel.push("after")
            },
            goodbye(_payload, channel) {
              channel.push("goodbye")
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
    const requestAdmission = (name: string, more: Partial<ClientRequest> = {}, vsn = "2.0.0"): TestClient =>
      transport.connect(served, { path: "/socket", query: `vsn=${vsn}&name=${name}`, ...more })
    const enter = async (name: string, topic = "rooms:1", vsn = "2.0.0"): Promise<TestClient> => {
      const client = requestAdmission(name, {}, vsn)
      expect(await client.beginning).toBeUndefined()
      await client.send(frame("join", topic, "phx_join", {}, vsn))
      expect(await parsed(client, vsn)).toMatchObject({ topic, event: "phx_reply", payload: ok() })
      return client
    }
    const present = (): string[] => Object.keys(served.server.presence.list("present:1")).sort()
    return { ...served, timers, handshakes, held, requestAdmission, enter, present }
  }

  describe(`${name} as a transport`, () => {
    it("lets a client in, and shows connect its path, parameters and address", async () => {
      const { requestAdmission, handshakes, counted } = await served()
      const query = "vsn=2.0.0&a=1&a=2&b%20b=c%2Fd&nested[x]=1&list[]=1&__proto__=p"
      expect(await requestAdmission("", { query }).beginning).toBeUndefined()
      const { path, params, address, url } = await handshakes.next()
      expect({ path, address }).toEqual({ path: "/socket", address: transport.address })
      expect(Object.entries(params)).toEqual([
        ["vsn", "2.0.0"],
        ["a", "2"],
        ["b b", "c/d"],
        ["nested[x]", "1"],
        ["list[]", "1"],
        ["__proto__", "p"],
      ])
      expect(url.pathname.startsWith("/socket/")).toBe(true)
      expect(counted.get("connects")).toBe(1)
    })

    where("headers")("shows connect its headers", async () => {
      const { requestAdmission, handshakes } = await served()
      await requestAdmission("ada", { headers: { "X-Mine": "yes" } }).beginning
      expect((await handshakes.next()).headers["x-mine"]).toBe("yes")
    })

    where("authToken")("shows connect its token (P4)", async () => {
      const { requestAdmission, handshakes } = await served()
      await requestAdmission("ada", { authToken: "a token, ~ü" }).beginning
      expect((await handshakes.next()).authToken).toBe("a token, ~ü")
    })

    it("tells a client that is refused so: by connect, as one too many of its address, and where nothing is", async () => {
      const { requestAdmission, enter, counted } = await served({ maxConnectionsPerAddress: 1 })
      expect(await requestAdmission("mallory").beginning).toEqual(transport.refusal(403))
      expect(await requestAdmission("ada", { path: "/elsewhere" }).beginning).toEqual(transport.refusal(404))
      await enter("ada")
      expect(await requestAdmission("bob").beginning).toEqual(transport.refusal(429))
      expect(counted.get("connects")).toBe(1)
    })

    it("makes no connection for a client that has gone while connect was thinking, and aborts its signal", async () => {
      const { requestAdmission, handshakes, held, counted } = await served()
      const client = requestAdmission("late")
      const { signal } = await handshakes.next()
      const letIn = await held.next()
      const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve))
      client.vanish()
      await aborted
      letIn({})
      await turn()
      expect(counted.get("connects")).toBeUndefined()
    })

    it("carries frames in order, both ways", async () => {
      const { enter, counted } = await served()
      const ada = await enter("ada")
      for (let n = 0; n < 20; n += 1) await ada.send(frame(`${n}`, "rooms:1", "echo", n))
      for (let n = 0; n < 20; n += 1) expect(await parsed(ada)).toMatchObject({ ref: `${n}`, payload: ok(n) })
      expect(counted.get("frames_in")).toBe(21)
    })

    it("carries frames in order that are sent without a pause, both ways", async () => {
      const { enter } = await served()
      const ada = await enter("ada")
      const frames = Array.from({ length: 99 }, (_, n) => frame(`${n}`, "rooms:1", "echo", n))
      await ada.send(...frames, frame("99", "rooms:1", "count", 200))
      for (let n = 0; n < 99; n += 1) expect(await parsed(ada)).toMatchObject({ ref: `${n}`, payload: ok(n) })
      for (let n = 1; n <= 200; n += 1) expect(await parsed(ada)).toMatchObject({ event: "number", payload: { n } })
    })

    it("carries text of any kind and length as it is, both ways", async () => {
      const { enter } = await served()
      const ada = await enter("ada")
      for (const text of ["", "é漢😀", "\u0000\n\r\u2028\u2029", '"]\\', "x".repeat(200_000)]) {
        await ada.send(frame("1", "rooms:1", "echo", text))
        expect(await parsed(ada)).toMatchObject({ payload: ok(text) })
      }
    })

    it("carries a frame that goes to many connections to each of them, in each one's version", async () => {
      const { enter, server } = await served()
      const members = await Promise.all(Array.from({ length: 10 }, (_, n) => enter(`user${n}`)))
      const elders = await Promise.all(Array.from({ length: 3 }, (_, n) => enter(`elder${n}`, "rooms:1", "1.0.0")))
      for (const n of [1, 2]) server.broadcast("rooms:1", "news", { n })
      for (const [clients, vsn] of [
        [members, "2.0.0"],
        [elders, "1.0.0"],
      ] as const) {
        for (const client of clients) {
          for (const n of [1, 2]) expect(await parsed(client, vsn)).toMatchObject({ event: "news", payload: { n } })
        }
      }
    })

    it("takes bytes from a client", async () => {
      const { enter } = await served()
      const [ada, bob] = [await enter("ada"), await enter("bob")]
      await ada.send(pushOfBytes("rooms:1", "echo"), frame("2", "rooms:1", "shout", { text: "after" }))
      expect(await parsed(bob)).toMatchObject({ event: "shout", payload: { text: "after" } })
    })

    where("bytesOut")("brings bytes to a client", async () => {
      const { enter } = await served()
      const ada = await enter("ada")
      await ada.send(frame("1", "rooms:1", "bytes"))
      expect(await parsed(ada)).toMatchObject({ event: "before" })
      expect(Buffer.from((await ada.next()) as Uint8Array).subarray(-3)).toEqual(Buffer.from([0, 127, 255]))
      expect(await parsed(ada)).toMatchObject({ event: "after" })
    })

    if (cannot.bytesOut !== undefined) {
      it("counts the bytes that it cannot bring, and brings all around them", async () => {
        const { enter, counted } = await served()
        const ada = await enter("ada")
        await ada.send(frame("1", "rooms:1", "bytes"))
        expect(await parsed(ada)).toMatchObject({ event: "before" })
        expect(await parsed(ada)).toMatchObject({ event: "after" })
        expect(counted.get("undeliverable")).toBe(1)
      })
    }

    where("frameLimit")("refuses a frame above maxFrameBytes, counts it, and harms nobody else", async () => {
      const { enter, counted } = await served({ maxFrameBytes: 1_000 })
      const [ada, bob] = [await enter("ada"), await enter("bob")]
      await ada.send(frame("1", "rooms:1", "shout", { text: "x".repeat(1_000) }))
      await bob.send(frame("1", "rooms:1", "echo", "fine"))
      expect(await parsed(bob)).toMatchObject({ payload: ok("fine") })
      await expect.poll(() => counted.get("oversized_frames")).toBe(1)
    })

    where("frameLimit")(
      "measures a frame in bytes: one of maxFrameBytes is accepted, one byte more is refused",
      async () => {
        const maxFrameBytes = 1_000
        const { enter, counted } = await served({ maxFrameBytes })
        const ada = await enter("ada")
        const rest = maxFrameBytes - Buffer.byteLength(frame("1", "rooms:1", "echo", ""))
        const text = "é".repeat(rest >> 1) + "x".repeat(rest & 1)
        await ada.send(frame("1", "rooms:1", "echo", text))
        expect(await parsed(ada)).toMatchObject({ payload: ok(text) })
        await ada.send(frame("1", "rooms:1", "echo", `${text}x`))
        await expect.poll(() => counted.get("oversized_frames")).toBe(1)
      },
    )

    where("bufferLimit")("ends a client that does not read, counts it, and costs the others nothing", async () => {
      const { enter, counted, reached } = await served({ maxBufferedBytes: 200_000 })
      const [slow, bob] = [await enter("slow"), await enter("bob")]
      slow.stopReading()
      const shout = { text: "x".repeat(90_000) }
      while (counted.get("slow_consumers") === undefined) {
        await bob.send(frame("1", "rooms:1", "shout", shout))
        expect(await parsed(bob)).toMatchObject({ event: "shout", payload: shout })
      }
      expect(await slow.ended()).toEqual(transport.end(1013))
      await reached("disconnects", 1)
      await bob.send(frame("2", "rooms:1", "echo", "fine"))
      expect(await parsed(bob)).toMatchObject({ payload: ok("fine") })
    })

    it("tells the server once of a client that has gone: nobody is left behind", async () => {
      const { enter, present, timers, reached, server, counted } = await served()
      const ada = await enter("ada", "present:1")
      expect(present()).toEqual(["ada"])
      ada.vanish()
      timers.advance(transport.silenceMs.whenGone)
      await reached("disconnects", 1)
      expect(present()).toEqual([])
      server.disconnect("ada")
      server.broadcast("present:1", "news")
      await turn()
      expect(counted.get("disconnects")).toBe(1)
    })

    it("ends a connection that the server ends, and no other", async () => {
      const { enter, present, server, counted } = await served()
      const [ada, bob] = [await enter("ada", "present:1"), await enter("bob")]
      server.disconnect("ada")
      expect(await ada.ended()).toEqual(transport.end(1001))
      expect(present()).toEqual([])
      await bob.send(frame("1", "rooms:1", "echo", "fine"))
      expect(await parsed(bob)).toMatchObject({ payload: ok("fine") })
      expect(counted.get("disconnects")).toBe(1)
    })

    where("lastWords")("brings what the server said before it ended the connection", async () => {
      const { enter } = await served()
      const ada = await enter("ada")
      await ada.send(frame("1", "rooms:1", "goodbye"))
      expect(await parsed(ada)).toMatchObject({ event: "goodbye" })
      expect(await ada.ended()).toEqual(transport.end(1001))
    })

    where("silence")("ends a client that is not heard of for too long, though it is spoken to (P5, P24)", async () => {
      const { enter, present, server, timers, counted, reached } = await served()
      const [silent, bob] = [await enter("silent", "present:1"), await enter("bob")]
      silent.fallSilent()
      const { limit } = transport.silenceMs
      for (let passed = 0; passed < limit * 1.1; passed += limit / 5) {
        expect(present()).toEqual(["silent"])
        timers.advance(limit / 5)
        server.broadcast("present:1", "news")
        await bob.send(frame("1", "rooms:1", "echo"))
        await parsed(bob)
      }
      expect(await silent.ended()).toEqual(transport.end(1002))
      await reached("disconnects", 1)
      expect(present()).toEqual([])
      expect(counted.get("idle_timeouts")).toBe(1)
    })

    it("has ended every connection once the server is closed, and lets nobody in any more", async () => {
      const { enter, requestAdmission, server, counted } = await served()
      const clients = [await enter("ada"), await enter("bob"), await enter("eve")]
      await server.close()
      expect(counted.get("disconnects")).toBe(3)
      for (const client of clients) expect(await client.ended()).toEqual(transport.end(1012))
      expect(await requestAdmission("late").beginning).toBeDefined()
      expect(counted.get("connects")).toBe(3)
    })
  })
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function frame(ref: string, topic: string, event: string, payload: unknown = {}, vsn = "2.0.0"): string {
  return JSON.stringify(vsn === "2.0.0" ? ["join", ref, topic, event, payload] : { topic, event, payload, ref })
}

/** A client's push of three bytes, in version 2 (P7). */
function pushOfBytes(topic: string, event: string): Uint8Array {
  const [join, ref] = ["join", "1"]
  const head = Buffer.from([0, join.length, ref.length, topic.length, event.length])
  return Buffer.concat([head, Buffer.from(join + ref + topic + event), Buffer.from([0, 127, 255])])
}

/** The next frame's parts. */
async function parsed(client: TestClient, vsn = "2.0.0"): Promise<unknown> {
  const message = JSON.parse((await client.next()) as string) as unknown
  if (vsn === "1.0.0") return message
  const [, ref, topic, event, payload] = message as unknown[]
  return { ref, topic, event, payload }
}
